import { bufferUsage, type Device } from '../../gpu/index.ts';
import {
  type Bits,
  bytesPerElement,
  checkShape,
  counted,
  type DType,
  formatShape,
  fromHost,
  type HostValues,
  isDType,
  nestedShape,
  type Shape,
  ShapeError,
  StepError,
  size,
} from '../values/index.ts';
import { checkTensors } from './arguments.ts';
import { checkDevice, checkDType, currentRecording } from './record.ts';
import { type Memory, memoryOf, Storage, Tensor } from './tensor.ts';

/**
 * A tensor from values of the host. Without `shape`, a number is a scalar, nested lists have their own shape, and a flat list
 * or typed array is one axis. Without `dtype`, an `Int32Array` is i32, a `Uint32Array` u32, true and false are bool, and all else is f32.
 * See {@link HostValues} for what is converted and what is refused.
 *
 * ```ts
 * const x = tensor(device, [[1, 2, 3], [4, 5, 6]]); // [2, 3]
 * const y = tensor(device, new Float32Array(6), [2, 3]);
 * const ids = tensor(device, [2, 0], [2], 'u32');
 * const mask = tensor(device, [true, false]);
 * ```
 *
 * The values are copied: the array may be changed afterwards.
 */
export function tensor(
  device: Device,
  values: HostValues,
  shape: Shape = ownShape(values),
  dtype: DType = defaultType(values),
): Tensor {
  checkDevice('tensor', device);
  const data = valuesFor('tensor', values, dtype, shape);
  const storage = new Storage(device, size(shape) * bytesPerElement(dtype), 'constant');
  storage.data = (data as unknown) === values ? data.slice() : data;
  return new Tensor(storage, shape, dtype);
}

/**
 * A tensor with memory of its own, for what outlives steps and is written by them: weights, optimizer state.
 * Starts from `values`, or from zeros. Freed by {@link free}, or with its device.
 *
 * ```ts
 * const w = variable(device, [2, 3]); // zeros: the shape comes first, and numbers alone are one
 * const b = variable(device, [3], [1, 2, 3]);
 * const ids = variable(device, [2], undefined, 'u32');
 * ```
 */
export function variable(device: Device, shape: Shape, values?: HostValues, dtype?: DType): Tensor {
  return newVariable('variable', device, shape, values, dtype);
}

/** What {@link variable} does, for `op`. */
export function newVariable(
  op: string,
  device: Device,
  shape: Shape,
  values?: HostValues,
  dtype: DType = defaultType(values),
): Tensor {
  checkDevice(op, device);
  checkDType(op, dtype);
  checkShape(op, shape);
  if (isDType(values)) {
    throw new ShapeError(op, `a dtype is the fourth argument: variable(device, shape, undefined, '${values}')`);
  }
  const data = values === undefined ? undefined : valuesFor(op, values, dtype, shape);
  const storage = new Storage(device, size(shape) * bytesPerElement(dtype), 'variable');
  const buffer = device.buffer(storage.bytes, `variable ${formatShape(shape)}`, bufferUsage.storage);
  storage.memory = { buffer, offset: 0 };
  if (data) upload(device, storage.memory, data);
  return new Tensor(storage, shape, dtype);
}

/** Overwrites a variable from the host: see {@link HostValues} for what is converted and what is refused. */
export function write(target: Tensor, values: HostValues): void {
  checkTensors('write', { target });
  if (currentRecording()) {
    throw new StepError(
      'write: the body of a step only records, and this would be written while it does; write before the call, or pass the values as an input',
    );
  }
  target.device.check();
  if (target.storage.root.kind !== 'variable') {
    throw new ShapeError('write', 'only a variable can be written; make it with variable() or parameter()', {
      target: target.shape,
    });
  }
  const memory = memoryOf(target.storage);
  if (!memory) throw new StepError(`write: the memory of this tensor ${formatShape(target.shape)} was freed`);
  upload(target.device, memory, valuesFor('write', values, target.dtype, target.shape));
}

/** Copies elements to the GPU, in pieces: Dawn stages each write in memory of its own. */
function upload(device: Device, { buffer, offset }: Memory, data: Bits): void {
  device.check();
  const piece = 16 * 1024 * 1024;
  for (let at = 0; at < data.length; at += piece) {
    const part = data.subarray(at, Math.min(data.length, at + piece));
    device.writeBuffer(buffer, offset + at * data.BYTES_PER_ELEMENT, part);
  }
}

/** Values of the host as the elements of a tensor, or the error that says what was wrong with them. */
function valuesFor(op: string, values: unknown, dtype: DType, shape: Shape): Bits {
  checkDType(op, dtype);
  checkShape(op, shape);
  if (values instanceof Tensor) {
    throw new ShapeError(op, 'values come from the host, not from a tensor; read it first, or copy it in a step', {
      values: values.shape,
    });
  }
  const refuse = (found: string) =>
    new ShapeError(op, `the values must fill ${dtype} ${formatShape(shape)} (${counted(size(shape))}); got ${found}`);
  return fromHost(values, dtype, shape, refuse);
}

/** The shape of values that come without one: none of a number, that of nested lists, one axis of a flat list or a typed array. */
export function ownShape(values: unknown): Shape {
  const length = (values as { length?: unknown } | undefined)?.length;
  return nestedShape(values) ?? (typeof length === 'number' ? [length] : []);
}

/** The dtype of values that come without one: by the first of them, or the array it is in. A list may hold itself. */
export function defaultType(values: unknown): DType {
  let first = values;
  for (let depth = 0; Array.isArray(first) && depth < 64; depth++) first = first[0];
  const types: Record<string, DType> = { Boolean: 'bool', Int32Array: 'i32', Uint32Array: 'u32' };
  return types[Object.prototype.toString.call(first).slice(8, -1)] ?? 'f32';
}

/**
 * Frees the memory of a variable before its device is disposed. Steps that use it must be gone. What has no memory of its own stays as
 * it is: constants, what ops return, and results of steps, whose memory their next call writes.
 */
export function free(target: Tensor): void {
  checkTensors('free', { target });
  const { root } = target.storage;
  if (root.kind !== 'variable' || !root.memory) return;
  // What evaluate() copied from a step has its own memory.
  if (!collected.unregister(root) && root.origin) return;
  target.device.destroyBuffer(root.memory.buffer);
  root.memory = undefined;
}

const collected = /*#__PURE__*/ new FinalizationRegistry<() => void>((destroy) => destroy());

/** Frees a variable some time after nobody holds it any more, unless it was freed before. */
export function freeWhenCollected({ device, storage }: Tensor): void {
  const { buffer } = storage.memory as Memory;
  collected.register(storage, () => device.destroyBuffer(buffer), storage);
}
