import { bufferUsage, type Device } from '../gpu/device.ts';
import type { Outcome } from '../gpu/outcome.ts';
import { bytesPerElement, type DType, type HostArray } from './dtype.ts';
import { StepError } from './errors.ts';
import type { GradientNode } from './grad.ts';
import type { Launch } from './record.ts';
import { checkShape, formatShape, type Shape, ShapeError, size } from './shape.ts';

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
 * - `lasting`: a buffer of its own (weights, optimizer state).
 * - `input`: what a step is called with.
 */
export class Storage {
  readonly device: Device;
  readonly bytes: number;
  readonly kind: 'recorded' | 'constant' | 'lasting' | 'input';
  /** Launches that write here, in order; for `recorded` ones, all of them. */
  readonly writers: Launch[] = [];
  memory: Memory | undefined;
  data: HostArray | undefined;
  /** How the call of a step in check mode went that wrote here. */
  outcome: Outcome | undefined;
  /** The storage of which this is a range: packed parameters and their gradients. */
  parent: Storage | undefined;
  offset = 0;

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

  /** @internal Use {@link tensor}, {@link lasting} or an op. */
  constructor(storage: Storage, shape: Shape, dtype: DType) {
    this.device = storage.device;
    this.storage = storage;
    this.shape = shape;
    this.dtype = dtype;
  }

  get size(): number {
    return size(this.shape);
  }

  toString(): string {
    return `Tensor ${this.dtype} ${formatShape(this.shape)}`;
  }
}

/**
 * A tensor from values of the host. Without `shape`, a list is one axis and a number is a scalar.
 *
 * ```ts
 * const x = tensor(device, [1, 2, 3, 4, 5, 6], [2, 3]);
 * const ids = tensor(device, new Uint32Array([2, 0]));
 * ```
 *
 * f32 from numbers and `Float32Array`, u32 from `Uint32Array`. The array must not be changed afterwards: it is copied to
 * the GPU where it is first needed.
 */
export function tensor(device: Device, values: number | readonly number[] | HostArray, shape?: Shape): Tensor {
  const data = toHostArray(values);
  const full = shape ?? (typeof values === 'number' ? [] : [data.length]);
  checkShape('tensor', full);
  if (size(full) !== data.length) {
    throw new ShapeError('tensor', `${data.length} values do not fill the shape (${size(full)} elements)`, {
      shape: full,
    });
  }
  const storage = new Storage(device, data.byteLength, 'constant');
  storage.data = data;
  return new Tensor(storage, full, data instanceof Uint32Array ? 'u32' : 'f32');
}

/**
 * A tensor with memory of its own, for what outlives steps and is written by them: weights, optimizer state.
 * Starts from `values`, or from zeros. Freed by {@link free}, or with its device.
 */
export function lasting(device: Device, shape: Shape, values?: HostArray, dtype?: DType): Tensor {
  checkShape('lasting', shape);
  const type = dtype ?? (values instanceof Uint32Array ? 'u32' : 'f32');
  const bytes = size(shape) * bytesPerElement(type);
  if (values && values.byteLength !== bytes) {
    throw new ShapeError('lasting', `${values.length} values do not fill the shape (${size(shape)} elements)`, {
      shape,
    });
  }
  const storage = new Storage(device, bytes, 'lasting');
  const buffer = device.buffer(bytes, `lasting ${formatShape(shape)}`, bufferUsage.storage);
  storage.memory = { buffer, offset: 0 };
  const result = new Tensor(storage, shape, type);
  if (values) write(result, values);
  return result;
}

/** A tensor over a range of a lasting one, `offset` bytes from its start (a multiple of 256: WebGPU's alignment). */
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

/** Overwrites a lasting tensor from the host. */
export function write(target: Tensor, values: HostArray): void {
  const { kind } = target.storage.root;
  target.device.check();
  const memory = memoryOf(target.storage);
  if (kind === 'lasting' && !memory && target.size > 0) {
    throw new StepError(`write: the memory of this tensor ${formatShape(target.shape)} was freed`);
  }
  if (kind !== 'lasting' || !memory) {
    throw new ShapeError('write', 'only a lasting tensor can be written; make it with lasting() or parameter()', {
      target: target.shape,
    });
  }
  if (values.length !== target.size) {
    throw new ShapeError('write', `${values.length} values do not fill the tensor`, { target: target.shape });
  }
  // In pieces: Dawn stages each write in memory of its own.
  const piece = 16 * 1024 * 1024;
  for (let at = 0; at < values.length; at += piece) {
    const part = values.subarray(at, Math.min(values.length, at + piece));
    target.device.writeBuffer(memory.buffer, memory.offset + at * 4, part);
  }
}

/** Frees the memory of a lasting tensor before its device is disposed. Steps that use it must be gone. */
export function free(target: Tensor): void {
  const root = target.storage.root;
  if (root.kind !== 'lasting' || !root.memory) return;
  target.device.destroyBuffer(root.memory.buffer);
  root.memory = undefined;
}

/** @internal The memory of a storage that has some now. */
export function memoryOf(storage: Storage): Memory | undefined {
  const { memory } = storage.root;
  return memory && { buffer: memory.buffer, offset: memory.offset + storage.rootOffset };
}

function toHostArray(values: number | readonly number[] | HostArray): HostArray {
  if (values instanceof Float32Array || values instanceof Uint32Array) return values;
  return typeof values === 'number' ? new Float32Array([values]) : new Float32Array(values);
}
