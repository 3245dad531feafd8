/** Tensors of a pickle: views of storages, which lie elsewhere in the file. */
import { CheckpointError, count, elementBytes, isSizes } from '../safetensors/index.ts';
import { storageDtype } from './globals.ts';
import { Call, Instance, Named, Persistent } from './pickle-values.ts';

/** A tensor as PyTorch keeps it: elements of a storage, by strides. */
export interface TensorView {
  /** The storage's name in the file. */
  readonly storage: string;
  readonly dtype: string;
  /** Elements of the whole storage. */
  readonly length: number;
  /** The first element. */
  readonly offset: number;
  readonly shape: readonly number[];
  /** In elements, by axis. */
  readonly strides: readonly number[];
}

/** The tensor that a value of a pickle is, or undefined where it is something else. */
export function tensorOf(value: unknown, file: string, name: string): TensorView | undefined {
  const args = rebuiltBy(value);
  if (!args) return undefined;
  const [storage, offset, shape, strides] = args;
  const fail = (reason: string): never => {
    throw new CheckpointError(file, `tensor "${name}": ${reason}`);
  };
  const { key, dtype, length } = storageOf(storage) ?? fail('it is not made of a storage as PyTorch saves them');
  if (!isSizes(shape) || !isSizes(strides) || !isSizes([offset]) || shape.length !== strides.length) {
    return fail(`its shape and strides are no lists of whole numbers of one length`);
  }
  const elements = count(shape);
  if (Number.isNaN(elements)) return fail(`shape [${shape.join(', ')}] holds more elements than a file can have`);
  const view = { storage: key, dtype, length, offset: offset as number, shape, strides };
  const last = lastOf(view);
  if (elements > 0 && !(last < length)) {
    return fail(
      `shape [${shape.join(', ')}] with strides [${strides.join(', ')}] from element ${offset} on needs element ${last} of a storage of ${length}`,
    );
  }
  return view;
}

/** What a tensor is made of, out of the parameters and types around it: a few, of files that are no trap. */
function rebuiltBy(value: unknown): readonly unknown[] | undefined {
  for (let inner = value, depth = 0; inner instanceof Call && depth < DEEPEST; depth++) {
    const { of, args } = inner;
    if (of.startsWith('torch._utils._rebuild_tensor')) return args;
    if (of.startsWith('torch._utils._rebuild_parameter')) inner = args[0];
    else if (of === 'torch._tensor._rebuild_from_type_v2') {
      const [make, , given] = args;
      inner = make instanceof Named && Array.isArray(given) ? new Call(make.name, given) : undefined;
    } else return undefined;
  }
  return undefined;
}

export interface StorageId {
  readonly key: string;
  readonly dtype: string;
  readonly length: number;
}

/** What a reference says of a storage: `('storage', torch.FloatStorage, key, place, elements)`; of old files, a part of another storage is told behind that. */
export function storageOf(value: unknown): StorageId | undefined {
  if (!(value instanceof Persistent) || !Array.isArray(value.id)) return undefined;
  const [kind, type, key, , length, part] = value.id;
  if (kind !== 'storage' || !(type instanceof Named) || typeof key !== 'string' || !isSizes([length]) || part)
    return undefined;
  const dtype = storageDtype(type.name);
  return dtype === undefined ? undefined : { key, dtype, length };
}

/** The last element of the storage that a view has. */
function lastOf({ offset, shape, strides }: TensorView): number {
  return shape.reduce((last, size, axis) => last + (size - 1) * (strides[axis] as number), offset);
}

/** Elements `from` to `to` (exclusive) of the storage: all that a view needs. */
export function spanOf(view: TensorView): { readonly from: number; readonly to: number } {
  return count(view.shape) === 0 ? { from: 0, to: 0 } : { from: view.offset, to: lastOf(view) + 1 };
}

/** A view's elements in row-major order, out of the bytes of its {@link spanOf}. */
export function inOrder(view: TensorView, span: Uint8Array): Uint8Array {
  const { shape, strides } = view;
  if (isContiguous(view)) return span;
  const width = elementBytes(view.dtype) ?? 1;
  const out = new Uint8Array(count(shape) * width);
  const at = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < out.length; to += width) {
    for (let byte = 0; byte < width; byte++) out[to + byte] = span[from + byte] as number;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const stride = (strides[axis] as number) * width;
      from += stride;
      at[axis] = (at[axis] as number) + 1;
      if ((at[axis] as number) < (shape[axis] as number)) break;
      from -= stride * (shape[axis] as number);
      at[axis] = 0;
    }
  }
  return out;
}

/** Whether the elements follow each other in row-major order. */
export function isContiguous({ shape, strides }: TensorView): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] === 1) continue;
    if (strides[axis] !== expected) return false;
    expected *= shape[axis] as number;
  }
  return true;
}

/** Under these keys, programs save their weights beside other things; the first that is there counts. */
const weightKeys = [
  'state_dict',
  'model_state_dict',
  'model_state',
  'model',
  'teacher',
  'module',
  'network',
  'net',
  'student',
];
/** Letters of a tensor's name. */
const LONGEST_NAME = 4096;
/** Weights are not nested deeper than this: a checkpoint of checkpoints has three levels. */
const DEEPEST = 64;

export interface Contents {
  readonly tensors: ReadonlyMap<string, TensorView>;
  /** Keys that lead to the weights, where a file has more beside them: `teacher`. */
  readonly part: string;
  /** Texts and numbers beside the weights. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** The weights of a file's value, by name: of a dictionary of them, of one inside of others, or of a TorchScript module. */
export function contentsOf(root: unknown, file: string): Contents {
  const way: string[] = [];
  let weights = root;
  while (weights instanceof Map && way.length < DEEPEST && !hasTensors(weights)) {
    const found: unknown = weightKeys.find((key) => (weights as Map<unknown, unknown>).get(key) instanceof Map);
    if (found === undefined) break;
    way.push(found as string);
    weights = weights.get(found);
  }
  const tensors = new Map<string, TensorView>();
  const seen = new Set<unknown>();
  const visit = (value: unknown, name: string, depth: number): void => {
    // A long text of which many names are made fills the memory.
    if (name.length > LONGEST_NAME)
      throw new CheckpointError(
        file,
        `a name in it is longer than ${LONGEST_NAME} letters, which those of weights are not`,
      );
    const tensor = tensorOf(value, file, name);
    if (tensor) tensors.set(name, tensor);
    const inner = value instanceof Instance ? value.attributes : value;
    const isList = Array.isArray(inner);
    if (!(inner instanceof Map || isList) || seen.has(inner)) return;
    const entries: Iterable<readonly [unknown, unknown]> = isList ? inner.entries() : inner;
    if ((isList ? inner.length : inner.size) === 0) return;
    if (depth === DEEPEST)
      throw new CheckpointError(file, `it is nested deeper than ${DEEPEST} levels, which weights are not`);
    seen.add(inner);
    for (const [key, item] of entries) {
      if (typeof key === 'string' || typeof key === 'number')
        visit(item, name === '' ? `${key}` : `${name}.${key}`, depth + 1);
    }
  };
  visit(weights, '', 0);
  return { tensors, part: way.join('.'), metadata: metadataOf(root) };
}

function hasTensors(map: ReadonlyMap<unknown, unknown>): boolean {
  return [...map.values()].some((value) => value instanceof Call);
}

function metadataOf(root: unknown): Record<string, string> {
  if (!(root instanceof Map)) return {};
  const simple = [...root].filter(([, value]) => typeof value === 'string' || typeof value === 'number');
  return Object.fromEntries(simple.map(([key, value]) => [String(key), String(value)]));
}
