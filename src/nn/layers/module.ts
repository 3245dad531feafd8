import { Device } from '../../gpu/index.ts';
import { free, Tensor, variable, write } from '../../tensor/graph/index.ts';
import {
  describe,
  formatShape,
  type HostValues,
  type Shape,
  ShapeError,
  StepError,
  sameShape,
} from '../../tensor/values/index.ts';
import { CheckpointError, type StoredTensor, toFloat32 } from '../safetensors/index.ts';
import type { Initializer } from './init.ts';
import { random } from './random.ts';

/**
 * An object, an array or a `Map` that holds parameters (variables) and other modules, by any depth. What is in private
 * fields (`#weight`) or in closures is not seen.
 */
export type Module = object;

/** A weight: a variable, found by {@link parameters} because it is a field of a module. */
export function parameter(device: Device, shape: Shape, values: HostValues): Tensor {
  if (values === undefined) {
    throw new ShapeError('parameter', 'the first values are missing; for zeros give new Float32Array(n)', { shape });
  }
  return variable(device, shape, values, 'f32');
}

/**
 * All parameters of a module with their names: the path of fields, indices and keys of maps that leads to each, such as
 * `encoder.blocks.3.attn.qkv.weight`. In the order of the fields; one that is held in several places has the name of the first.
 * Constant tensors (position tables) are no parameters.
 *
 * @throws StepError when two parameters have one name.
 */
export function parameters(module: Module): Map<string, Tensor> {
  const found = new Map<string, Tensor>();
  const seen = new Set<Tensor>();
  walk(module, (t, path) => {
    if (t.storage.root.kind !== 'variable' || seen.has(t)) return;
    seen.add(t);
    if (found.has(path))
      throw new StepError(`parameters: two parameters are called '${path}'; rename a field or a key`);
    found.set(path, t);
  });
  return found;
}

/**
 * Puts other tensors into the fields that hold parameters, wherever `by` has one for them, until the function that
 * comes back is called: so a model is recorded with its parameters in f16.
 */
export function replaceParameters(module: Module, by: ReadonlyMap<Tensor, Tensor>): () => void {
  const undo: (() => void)[] = [];
  walk(module, (t, _, put) => {
    const other = by.get(t);
    if (!other) return;
    put(other);
    undo.push(() => put(t));
  });
  return () => {
    for (const one of undo) one();
  };
}

/** Sees all tensors in a module, with the path to each, and what puts another into its place. */
function walk(module: Module, see: (t: Tensor, path: string, put: (other: Tensor) => void) => void): void {
  const entered = new Set<object>();
  const enter = (holder: object, path: string): void => {
    // Modules may know each other in a circle.
    if (entered.has(holder)) return;
    entered.add(holder);
    const visit = (key: unknown, value: unknown, put: (other: Tensor) => void) => {
      if (typeof value !== 'object' || value === null) return;
      const full = path ? `${path}.${String(key)}` : String(key);
      if (value instanceof Tensor) see(value, full, put);
      else if (isModule(value)) enter(value, full);
    };
    const setField = (key: string | number) => (other: Tensor) => {
      (holder as Record<string | number, unknown>)[key] = other;
    };
    if (holder instanceof Map) for (const [key, value] of holder) visit(key, value, (other) => holder.set(key, other));
    else if (Array.isArray(holder)) holder.forEach((value, i) => void visit(i, value, setField(i)));
    else if (holder instanceof Set) checkSet(holder, path);
    else for (const [key, value] of Object.entries(holder)) visit(key, value, setField(key));
  };
  if (module instanceof Tensor || !isModule(module)) {
    throw new StepError(`parameters: a module is an object, an array or a Map; got ${describe(module)}`);
  }
  enter(module, '');
}

/** What is in a set has no name. */
function checkSet(set: ReadonlySet<unknown>, path: string): void {
  for (const value of set) {
    if (!(value instanceof Tensor)) continue;
    throw new StepError(`parameters: '${path}' is a Set, which gives its tensors no names; use an array or a Map`);
  }
}

function isModule(value: unknown): value is Module {
  if (typeof value !== 'object' || value === null) return false;
  return !(value instanceof Tensor || value instanceof Device || ArrayBuffer.isView(value));
}

/** Number of weights. */
export function countParameters(module: Module): number {
  let n = 0;
  for (const t of parameters(module).values()) n += t.size;
  return n;
}

/** Frees the memory of all parameters. Steps that use them must be gone. */
export function freeParameters(module: Module): void {
  for (const t of parameters(module).values()) free(t);
}

/** Where a module under construction gets its weights from; `in` descends by one field. */
export interface Weights {
  readonly device: Device;
  /** The weight called `name` here: `init` is used where weights are new. */
  parameter(name: string, shape: Shape, init: Initializer): Tensor;
  in(name: string | number): Weights;
}

/** Gives values by full name. */
export type WeightValues = (name: string, shape: Shape, init: Initializer) => Float32Array;

/** Weights whose values come from a function of the full name and shape. */
export function weightsFrom(device: Device, values: WeightValues, path = ''): Weights {
  const full = (name: string | number) => (path ? `${path}.${name}` : String(name));
  return {
    device,
    parameter: (name, shape, init) => parameter(device, shape, values(full(name), shape, init)),
    in: (name) => weightsFrom(device, values, full(name)),
  };
}

/** New weights: every parameter has a generator of its own, made of the seed and its name. */
export function newWeights(device: Device, seed: number): Weights {
  return weightsFrom(device, (name, shape, init) => init(shape, random(seed, name)));
}

/**
 * Weights of a checkpoint, by name. `names` translates ours into the checkpoint's; a list of names is joined along the
 * first axis (q, k and v into qkv).
 *
 * @throws CheckpointError when a tensor is missing or has another shape.
 */
export function storedWeights(
  device: Device,
  stored: ReadonlyMap<string, StoredTensor>,
  file: string,
  names: (name: string) => string | readonly string[] = (name) => name,
): Weights {
  return weightsFrom(device, (name, shape) => {
    const theirs = names(name);
    const list = typeof theirs === 'string' ? [theirs] : theirs;
    const partShape = list.length === 1 ? shape : [(shape[0] ?? 1) / list.length, ...shape.slice(1)];
    return join(list.map((part) => values(stored, file, part, partShape)));
  });
}

/** Parts of one weight, laid behind each other. */
export function join(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0] as Float32Array;
  const all = new Float32Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function values(stored: ReadonlyMap<string, StoredTensor>, file: string, name: string, shape: Shape): Float32Array {
  const found = stored.get(name);
  if (!found) throw new CheckpointError(file, `has no tensor '${name}'; expected one of shape ${formatShape(shape)}`);
  if (!sameShape(found.shape, shape)) {
    throw new CheckpointError(file, `tensor '${name}' is ${formatShape(found.shape)}; expected ${formatShape(shape)}`);
  }
  return toFloat32(found);
}

/** Overwrites the parameters of a module, or named tensors, by those of the same names. Nothing is written unless all fit. */
export function loadParameters(
  module: Module | ReadonlyMap<string, Tensor>,
  stored: ReadonlyMap<string, StoredTensor>,
  file: string,
  names: (name: string) => string = (name) => name,
): void {
  const isNamed =
    module instanceof Map && [...module].every(([name, t]) => typeof name === 'string' && t instanceof Tensor);
  const named = isNamed ? (module as ReadonlyMap<string, Tensor>) : parameters(module);
  if (named.size === 0)
    throw new StepError(`loadParameters: there are no parameters into which '${file}' could be loaded`);
  const entries = [...named].map(([name, t]) => [t, values(stored, file, names(name), t.shape)] as const);
  for (const [t, data] of entries) write(t, data);
}
