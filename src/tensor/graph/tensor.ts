import { bufferUsage, type Device, type Outcome } from '../../gpu/index.ts';
import {
  type Bits,
  bytesPerElement,
  checkShape,
  counted,
  type DType,
  describe,
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
import type { GradientNode } from './grad.ts';
import { currentRecording, type Launch } from './record.ts';

/** Where bytes lie on the GPU. */
export interface Memory {
  readonly buffer: GPUBuffer;
  readonly offset: number;
}

/**
 * The bytes behind one or more tensors.
 *
 * - `recorded`: written by launches; has memory only inside a step's plan.
 * - `constant`: data of the host, uploaded where a step or a read needs it.
 * - `variable`: a buffer of its own (weights, optimizer state).
 * - `input`: what a step is called with.
 */
export class Storage {
  readonly device: Device;
  readonly bytes: number;
  readonly kind: 'recorded' | 'constant' | 'variable' | 'input';
  /** Launches that write here, in order; for `recorded` ones, all of them. */
  readonly writers: Launch[] = [];
  memory: Memory | undefined;
  data: Bits | undefined;
  /** How the call of a step in check mode went that wrote here. */
  outcome: Outcome | undefined;
  /** The storage of which this is a range: packed parameters and their gradients. */
  parent: Storage | undefined;
  offset = 0;
  /** The recorded tensor whose values a step has left here. */
  origin: Tensor | undefined;
  /** What the last call of a step brought for this input, where that was a tensor. */
  fed: Tensor | undefined;

  constructor(device: Device, bytes: number, kind: Storage['kind']) {
    this.device = device;
    this.bytes = bytes;
    this.kind = kind;
  }

  get root(): Storage {
    return this.parent?.root ?? this;
  }

  /** Offset inside the root. */
  get rootOffset(): number {
    return this.parent ? this.parent.rootOffset + this.offset : 0;
  }
}

/**
 * A shape over some bytes. Ops are functions on tensors; `read(x)` brings the values to the host.
 *
 * A tensor that an op returns has no memory of its own: it is the promise of a value, computed when it is read or, inside
 * a step, at every call of the step. So nothing needs to be freed.
 */
export class Tensor {
  readonly device: Device;
  readonly shape: Shape;
  readonly dtype: DType;
  /** @internal */
  readonly storage: Storage;
  /** @internal How it was made, for gradients. */
  node: GradientNode | undefined;
  /** @internal Whether it is a constant to gradients, whatever it was computed from. */
  cut = false;

  /** @internal Use {@link tensor}, {@link variable} or an op. */
  constructor(storage: Storage, shape: Shape, dtype: DType) {
    this.device = storage.device;
    this.storage = storage;
    // A list that somebody changes afterwards must not change the tensor.
    this.shape = Object.isFrozen(shape) ? shape : Object.freeze([...shape]);
    this.dtype = dtype;
  }

  get size(): number {
    return size(this.shape);
  }

  toString(): string {
    return `Tensor ${this.dtype} ${formatShape(this.shape)}`;
  }

  /** `x + 1`, `x > 0` and `+x` have no value that JavaScript could compute. Text has: `${x}`. */
  [Symbol.toPrimitive](hint: string): string {
    if (hint === 'string') return this.toString();
    throw new StepError(
      `${this}: operators of JavaScript do not compute with tensors; use ops, such as add(a, b), addScalar(x, 1) and ` +
        'where(condition, a, b), or decide by values of the host: (await read(x))[0]',
    );
  }
}

/**
 * A tensor from values of the host. Without `shape`, a number is a scalar, nested lists have their own shape, and a flat list
 * or typed array is one axis. Without `dtype`, a `Uint32Array` is u32 and all else is f32. See {@link HostValues} for what is
 * converted and what is refused.
 *
 * ```ts
 * const x = tensor(device, [[1, 2, 3], [4, 5, 6]]); // [2, 3]
 * const y = tensor(device, new Float32Array(6), [2, 3]);
 * const ids = tensor(device, [2, 0], [2], 'u32');
 * ```
 *
 * The values are copied: the array may be changed afterwards.
 */
export function tensor(device: Device, values: HostValues, shape?: Shape, dtype?: DType): Tensor {
  const type = dtype ?? defaultType(values);
  const length = (values as { length?: unknown } | undefined)?.length;
  const own = () => nestedShape(values) ?? (typeof length === 'number' ? [length] : []);
  const full = shape === undefined ? own() : shape;
  const data = valuesFor('tensor', values, type, full);
  const storage = new Storage(device, size(full) * bytesPerElement(type), 'constant');
  storage.data = (data as unknown) === values ? data.slice() : data;
  return new Tensor(storage, full, type);
}

/**
 * A tensor with memory of its own, for what outlives steps and is written by them: weights, optimizer state.
 * Starts from `values`, or from zeros. Freed by {@link free}, or with its device.
 */
export function variable(device: Device, shape: Shape, values?: HostValues, dtype?: DType): Tensor {
  const type = dtype ?? defaultType(values);
  checkType('variable', type);
  checkShape('variable', shape);
  const data = values === undefined ? undefined : valuesFor('variable', values, type, shape);
  const storage = new Storage(device, size(shape) * bytesPerElement(type), 'variable');
  const buffer = device.buffer(storage.bytes, `variable ${formatShape(shape)}`, bufferUsage.storage);
  storage.memory = { buffer, offset: 0 };
  if (data) upload(device, storage.memory, data);
  return new Tensor(storage, shape, type);
}

/** A tensor over a range of a variable, `offset` bytes from its start (a multiple of 256: WebGPU's alignment). */
export function range(of: Tensor, offset: number, shape: Shape): Tensor {
  const bytes = size(shape) * bytesPerElement(of.dtype);
  if (offset % 256 !== 0 || offset + bytes > of.storage.bytes) {
    throw new Error(`internal: range of ${bytes} bytes at ${offset} in a storage of ${of.storage.bytes}`);
  }
  const storage = new Storage(of.device, bytes, of.storage.kind);
  storage.parent = of.storage;
  storage.offset = offset;
  return new Tensor(storage, shape, of.dtype);
}

/** Overwrites a variable from the host: see {@link HostValues} for what is converted and what is refused. */
export function write(target: Tensor, values: HostValues): void {
  if (!(target instanceof Tensor))
    throw new ShapeError('write', `the target must be a tensor; it is ${describe(target)}`);
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
  checkType(op, dtype);
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

function checkType(op: string, dtype: unknown): void {
  if (!isDType(dtype)) throw new ShapeError(op, `the dtype must be 'f32', 'f16' or 'u32'; got ${describe(dtype)}`);
}

function defaultType(values: unknown): DType {
  return Object.prototype.toString.call(values) === '[object Uint32Array]' ? 'u32' : 'f32';
}

/** Frees the memory of a variable before its device is disposed. Steps that use it must be gone. */
export function free(target: Tensor): void {
  const root = target.storage.root;
  if (root.kind !== 'variable' || !root.memory) return;
  target.device.destroyBuffer(root.memory.buffer);
  root.memory = undefined;
}

/** @internal The memory of a storage that has some now. */
export function memoryOf(storage: Storage): Memory | undefined {
  const { memory } = storage.root;
  return memory && { buffer: memory.buffer, offset: memory.offset + storage.rootOffset };
}
