import { checkChoice, checkOptions } from '../../kernels/axis/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { readAll } from '../../tensor/run/index.ts';
import { formatShape, type Shape, StepError, sameShape } from '../../tensor/values/index.ts';
import { type WeightTensor, type WritableTensor, writeSafetensors } from '../safetensors/index.ts';
import type { Module } from './module.ts';
import { checkStored, namedTensors, readParameters } from './weights.ts';

export interface SaveOptions {
  /** What floats are in the file: F32 or F16. Default: F32. Tensors of i32, u32 and bool are written as I32, U32 and BOOL. */
  readonly dtype?: 'F32' | 'F16';
  readonly metadata?: Readonly<Record<string, string>>;
  /** A name for error messages. */
  readonly name?: string;
}

/**
 * The parameters of a module, or named tensors, as the bytes of a safetensors file.
 *
 * ```ts
 * const bytes = await saveParameters(model);
 * loadParameters(model, readSafetensors(bytes).tensors, 'model.safetensors');
 * const state = await saveParameters(optimizer.state()); // by itself: an optimizer is no part of a module
 * ```
 *
 * @throws ShapeError for another dtype; CheckpointError where a finite float is too large for F16; StepError when there are no parameters, or
 * an optimizer, an average or a loss scale is given.
 */
export async function saveParameters(
  module: Module | ReadonlyMap<string, Tensor>,
  options: SaveOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  checkOptions('saveParameters', options, ['dtype', 'metadata', 'name']);
  const { dtype = 'F32', metadata, name = 'parameters' } = options;
  checkChoice('saveParameters', 'dtype', dtype, ['F32', 'F16']);
  const named = [...namedTensors('saveParameters', module)];
  // The state of an optimizer may have none.
  if (named.length === 0 && !(module instanceof Map)) {
    throw new StepError(
      'saveParameters: there are no parameters to save; parameters(model) finds variables in fields, arrays and maps',
    );
  }
  const values = await readAll(named.map(([, t]) => t));
  const written = named.map(([name, { shape }], i): [string, WritableTensor] => {
    const data = values[i];
    if (data instanceof Int32Array) return [name, { dtype: 'I32', shape, data }];
    if (data instanceof Uint32Array) return [name, { dtype: 'U32', shape, data }];
    if (data instanceof Uint8Array) return [name, { dtype: 'BOOL', shape, data }];
    return [name, { dtype, shape, data: data as Float32Array }];
  });
  return writeSafetensors(written, metadata, name);
}

/** What {@link loadMatching} did. As a string, or in Node's console, it is its counts, and the first names of what did not fit. */
export interface LoadReport {
  /** Parameters that were overwritten. */
  readonly loaded: readonly string[];
  /** Parameters that are not in the file: they are as they were. */
  readonly missing: readonly string[];
  /** Parameters that have another shape in the file: they are as they were. */
  readonly otherShape: readonly { readonly name: string; readonly shape: Shape; readonly inFile: Shape }[];
  /** Tensors of the file that no parameter asked for, by the file's names. */
  readonly unexpected: readonly string[];
  toString(): string;
}

/** Names of a kind that a report prints. */
const SHOWN = 8;

class Report implements LoadReport {
  readonly loaded: LoadReport['loaded'];
  readonly missing: LoadReport['missing'];
  readonly otherShape: LoadReport['otherShape'];
  readonly unexpected: LoadReport['unexpected'];

  constructor({ loaded, missing, otherShape, unexpected }: LoadReport) {
    this.loaded = loaded;
    this.missing = missing;
    this.otherShape = otherShape;
    this.unexpected = unexpected;
  }

  toString(): string {
    const { loaded, missing, otherShape, unexpected } = this;
    const counts = `${loaded.length} loaded, ${missing.length} missing, ${otherShape.length} of another shape, ${unexpected.length} unexpected`;
    const shapes = otherShape.map(
      ({ name, shape, inFile }) => `${name} ${formatShape(shape)} (${formatShape(inFile)} in the file)`,
    );
    const lines = Object.entries({ missing, 'another shape': shapes, unexpected })
      .filter(([, names]) => names.length > 0)
      .map(([kind, names]) => {
        const more = names.length > SHOWN ? `, and ${names.length - SHOWN} more` : '';
        return `\n  ${kind}: ${names.slice(0, SHOWN).join(', ')}${more}`;
      });
    return counts + lines.join('');
  }

  /** What Node's console prints. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `LoadReport: ${this}`;
  }
}

/**
 * Overwrites those parameters of a module that a file has in the same shape, tensor by tensor, and says which they were:
 * `load_state_dict(…, strict=False)`. `names` translates ours into the file's. `loadParameters` loads all or nothing.
 *
 * ```ts
 * const { tensors } = await openWeights(source, 'backbone.safetensors');
 * const report = await loadMatching(model, tensors, 'backbone.safetensors');
 * console.log(String(report)); // 150 loaded, 2 missing, 0 of another shape, 0 unexpected, and their names
 * ```
 *
 * @throws StepError when the module has no parameters; CheckpointError when a tensor cannot be read, or holds no floats.
 */
export async function loadMatching(
  module: Module | ReadonlyMap<string, Tensor>,
  stored: ReadonlyMap<string, WeightTensor>,
  file: string,
  names: (name: string) => string = (name) => name,
): Promise<LoadReport> {
  checkStored('loadMatching', stored, file, names);
  const named = namedTensors('loadMatching', module);
  const fitting = new Map<string, Tensor>();
  const missing: string[] = [];
  const otherShape: { name: string; shape: Shape; inFile: Shape }[] = [];
  for (const [name, t] of named) {
    const found = stored.get(names(name));
    if (!found) missing.push(name);
    else if (sameShape(found.shape, t.shape)) fitting.set(name, t);
    else otherShape.push({ name, shape: t.shape, inFile: found.shape });
  }
  // Of a module without any, it says so.
  if (fitting.size > 0 || named.size === 0)
    await readParameters(named.size === 0 ? module : fitting, stored, file, names);
  const asked = new Set([...named.keys()].map(names));
  const unexpected = [...stored.keys()].filter((name) => !asked.has(name));
  return new Report({ loaded: [...fitting.keys()], missing, otherShape, unexpected });
}
