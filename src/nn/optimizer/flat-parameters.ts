import type { Device } from '../../gpu/index.ts';
import { BLOCK, blockWord, copyGradient } from '../../kernels/optimizer/index.ts';
import {
  access,
  checkTensors,
  currentRecording,
  emptyOn,
  isWrittenWhole,
  type Launch,
  type Memory,
  memoryOf,
  moveVariable,
  range,
  type Storage,
  Tensor,
  variable,
  writeInto,
} from '../../tensor/graph/index.ts';
import { bytesPerElement, describe, ShapeError, StepError, sameShape } from '../../tensor/values/index.ts';
import { statistics } from '../layers/index.ts';
/** Where a parameter lies: `offset` bytes from the start of a flat buffer. */
export interface FlatParameter {
  readonly name: string;
  readonly tensor: Tensor;
  readonly buffer: number;
  readonly offset: number;
  readonly decays: boolean;
  /** Index of its bucket. */
  readonly bucket: number;
}

/** Consecutive parameters of a flat buffer. */
export interface Bucket {
  readonly buffer: number;
  /** Bytes from the start of the buffer. */
  readonly offset: number;
  /** With padding. */
  readonly floats: number;
}

/** Parameters in one buffer. */
export interface FlatBuffer {
  /** f32 `[n]`, n being a multiple of 128: every parameter starts at a multiple of 512 bytes. */
  readonly parameters: Tensor;
  /** A word for each 64 floats, for the kernels that run over a whole buffer: which are values, and whether they decay. */
  readonly blocks: Tensor;
}

export interface FlatParameters {
  readonly device: Device;
  readonly parameters: readonly FlatParameter[];
  readonly buffers: readonly FlatBuffer[];
  readonly buckets: readonly Bucket[];
}

export interface FlatParametersOptions {
  /** The largest flat buffer, in bytes. Default: 128 MiB, or what the device can bind at once. */
  readonly bufferBytes?: number;
  /** The most bytes of gradients that are added to their sums at once, and that processes then sum at once. Default: 16 MiB. */
  readonly bucketBytes?: number;
  /** Which parameters weight decay applies to. Default: those with more than one axis. */
  readonly decays?: (name: string, parameter: Tensor) => boolean;
}

/**
 * No larger, even where a device binds more: gradients are written from the last parameter to the first, and each buffer
 * takes memory only from its first gradient on.
 */
const BUFFER_BYTES = 128 * 1024 * 1024;
/** Of gradients that are added to sums: a bucket takes memory from its first gradient to its last, for a launch each. */
const BUCKET_BYTES = 16 * 1024 * 1024;
/** Two blocks, so that a buffer of f16, at half the offsets, can be bound at every parameter too: WebGPU wants 256 bytes. */
const ALIGNMENT = 2 * BLOCK * 4;

/**
 * Moves parameters into few buffers, so that an optimizer runs over all of them in a launch a buffer. The tensors stay the same
 * objects with the same values; steps that were made before must not be called any more.
 *
 * @throws StepError unless they are f32 variables with memory of their own, each there once.
 */
export function flattenParameters(
  device: Device,
  named: Iterable<readonly [string, Tensor]>,
  {
    bufferBytes,
    bucketBytes = BUCKET_BYTES,
    decays = (_, parameter) => parameter.shape.length > 1,
  }: FlatParametersOptions = {},
): FlatParameters {
  const parameters: FlatParameter[] = [];
  const sizes: number[] = [];
  const buckets: { buffer: number; offset: number; floats: number }[] = [];
  const seen = new Map<Storage, string>();
  const refuse = (found: unknown) =>
    new StepError(`optimizer: give parameters(model), or such pairs; got ${describe(found)}`);
  if (typeof (named as { [Symbol.iterator]?: unknown } | undefined)?.[Symbol.iterator] !== 'function')
    throw refuse(named);
  const max = bufferBytes ?? Math.min(BUFFER_BYTES, device.limits.maxStorageBufferBindingSize);
  for (const pair of named as Iterable<unknown>) {
    const [name, tensor] = (Array.isArray(pair) ? pair : []) as unknown[];
    if (typeof name !== 'string' || !(tensor instanceof Tensor)) throw refuse(pair);
    checkParameter(device, name, tensor, seen);
    const bytes = Math.max(1, Math.ceil(tensor.storage.bytes / ALIGNMENT)) * ALIGNMENT;
    if (sizes.length === 0 || (sizes.at(-1) as number) + bytes > max) sizes.push(0);
    const buffer = sizes.length - 1;
    const offset = sizes[buffer] as number;
    const last = buckets.at(-1);
    if (last?.buffer !== buffer || last.floats * 4 + bytes > bucketBytes)
      buckets.push({ buffer, offset, floats: bytes / 4 });
    else last.floats += bytes / 4;
    parameters.push({ name, tensor, buffer, offset, decays: decays(name, tensor), bucket: buckets.length - 1 });
    sizes[buffer] = offset + bytes;
  }
  if (parameters.length === 0) {
    throw new StepError('optimizer: there are no parameters to update; give parameters(model)');
  }
  const words = sizes.map((bytes) => new Uint32Array(bytes / (BLOCK * 4)));
  for (const { tensor, buffer, offset, decays } of parameters) {
    for (let at = 0, block = offset / (BLOCK * 4); at < tensor.size; at += BLOCK, block++) {
      (words[buffer] as Uint32Array)[block] = blockWord(Math.min(BLOCK, tensor.size - at), decays);
    }
  }
  const buffers = words.map((blocks) => ({
    parameters: variable(device, [blocks.length * BLOCK]),
    blocks: variable(device, [blocks.length], blocks),
  }));
  move(device, parameters, buffers);
  return { device, parameters, buffers, buckets };
}

function checkParameter(device: Device, name: string, tensor: Tensor, seen: Map<Storage, string>): void {
  const { storage } = tensor;
  const before = seen.get(storage);
  if (before !== undefined)
    throw new StepError(`optimizer: '${name}' and '${before}' are the same parameter; give it once`);
  seen.set(storage, name);
  if (storage.kind !== 'variable' || tensor.dtype !== 'f32') {
    throw new StepError(`optimizer: '${name}' is no parameter; make it with parameter()`);
  }
  if (statistics.has(tensor)) {
    throw new StepError(`optimizer: '${name}' is a running statistic; give trainable(model)`);
  }
  if (storage.parent) throw new StepError(`optimizer: '${name}' has an optimizer already`);
  if (!storage.memory) throw new StepError(`optimizer: the memory of '${name}' was freed`);
  if (tensor.device !== device) throw new StepError(`optimizer: '${name}' is on another device`);
}

/** Copies values to the flat buffers and makes the parameters' storages ranges of them. */
function move(device: Device, parameters: readonly FlatParameter[], buffers: readonly FlatBuffer[]): void {
  const encoder = device.gpu.createCommandEncoder({ label: 'flatten parameters' });
  for (const { tensor, buffer, offset } of parameters) {
    // Both have memory: the one was checked, the other has just been made.
    const from = memoryOf(tensor.storage) as Memory;
    const to = memoryOf((buffers[buffer] as FlatBuffer).parameters.storage) as Memory;
    if (tensor.size > 0) {
      encoder.copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset + offset, tensor.storage.bytes);
    }
  }
  device.gpu.queue.submit([encoder.finish()]);
  for (const { tensor, buffer, offset } of parameters) {
    moveVariable(tensor, (buffers[buffer] as FlatBuffer).parameters, offset);
  }
}

/**
 * Lays the gradients of all parameters, in their order, into buffers like those of the parameters, or into buckets of them, inside
 * the body of a step.
 *
 * A gradient costs nothing here: as no recorded tensor has memory before the step is planned, the launches that write it are
 * made to write into the flat buffer. Only where that cannot be (see {@link placeable}), or where two parameters have the same
 * gradient, it is copied. Padding is not written.
 */
export function placeGradients(
  flat: FlatParameters,
  gradients: readonly Tensor[],
  into: 'buffers' | 'buckets' = 'buffers',
): Tensor[] {
  const { device, parameters, buffers } = flat;
  const recording = currentRecording();
  if (!recording) throw new StepError('optimizer: gradients are placed inside step() or run()');
  if (gradients?.length !== parameters.length) {
    throw new StepError(
      `optimizer: got ${gradients?.length ?? describe(gradients)} for the gradients of ${parameters.length} parameters`,
    );
  }
  gradients.forEach((gradient, i) => {
    const { name, tensor } = parameters[i] as FlatParameter;
    checkTensors('optimizer', { [`the gradient of '${name}'`]: gradient });
    if (!sameShape(gradient.shape, tensor.shape)) {
      throw new ShapeError('optimizer', `the gradient of '${name}' must have its shape`, {
        parameter: tensor.shape,
        gradient: gradient.shape,
      });
    }
  });

  const dtype = gradients[0]?.dtype ?? 'f32';
  const other = gradients.findIndex((gradient) => gradient.dtype !== dtype);
  if (other >= 0) {
    throw new StepError(
      `optimizer: the gradient of '${parameters[other]?.name}' is ${gradients[other]?.dtype}, others are ${dtype}; give all in one dtype`,
    );
  }
  const sizes =
    into === 'buffers' ? buffers.map((buffer) => buffer.parameters.size) : flat.buckets.map(({ floats }) => floats);
  const placed = sizes.map((floats) => emptyOn(device, [floats], dtype));
  const placeOf = (i: number): { to: number; offset: number } => {
    const { buffer, offset, bucket } = parameters[i] as FlatParameter;
    const start = into === 'buffers' ? 0 : (flat.buckets[bucket] as Bucket).offset;
    return { to: into === 'buffers' ? buffer : bucket, offset: ((offset - start) / 4) * bytesPerElement(dtype) };
  };
  const uses = usesOf(recording.launches);
  const inside = new Set(recording.launches);
  const owners = new Map<Storage, number>();
  for (const { storage } of gradients) owners.set(storage.root, (owners.get(storage.root) ?? 0) + 1);
  // The largest first: where two cannot both be placed, the smaller is copied.
  const bytes = (i: number) => (gradients[i] as Tensor).storage.bytes;
  const order = [...gradients.keys()].sort((a, b) => bytes(b) - bytes(a) || a - b);
  const accesses = placed.map(() => new Map<Launch, Writes>());
  const copies: number[] = [];
  for (const i of order) {
    const gradient = gradients[i] as Tensor;
    if (gradient.size === 0) continue;
    const { to, offset } = placeOf(i);
    const before = accesses[to] as Map<Launch, Writes>;
    const used = uses.get(gradient.storage) ?? [];
    if (owners.get(gradient.storage.root) !== 1 || !placeable(gradient, used, inside, before)) {
      copies.push(i);
      continue;
    }
    for (const [launch, writes] of used) before.set(launch, writes);
    writeInto(gradient, placed[to] as Tensor, offset);
  }
  for (const i of copies.sort((a, b) => a - b)) {
    const { to, offset } = placeOf(i);
    const { shape } = (parameters[i] as FlatParameter).tensor;
    copyGradient(gradients[i] as Tensor, range(placed[to] as Tensor, offset, shape));
  }
  return placed;
}

/** Whether a launch writes what it uses. */
type Writes = boolean;

/**
 * Whether the launches that write a gradient can write into a flat buffer instead. Not if
 *
 * - it is not made by launches of this recording: a constant, an input, a range of something else, made before the step, or
 *   placed by another optimizer;
 * - its storage holds more than it;
 * - a launch would then read one part of the buffer and write another, as happens where the gradient of a bias is handed on
 *   as it is: WebGPU tracks the use of whole buffers and rejects that.
 */
function placeable(
  gradient: Tensor,
  used: readonly (readonly [Launch, Writes])[],
  inside: ReadonlySet<Launch>,
  before: ReadonlyMap<Launch, Writes>,
): boolean {
  return (
    isWrittenWhole(gradient, inside) && used.every(([launch, writes]) => (before.get(launch) ?? writes) === writes)
  );
}

/** Which launches read and write each storage (with its ranges). */
function usesOf(launches: readonly Launch[]): Map<Storage, [Launch, Writes][]> {
  const uses = new Map<Storage, [Launch, Writes][]>();
  for (const launch of launches) {
    launch.tensors.forEach((t, i) => {
      const { root } = t.storage;
      const list = uses.get(root) ?? [];
      uses.set(root, list);
      list.push([launch, access(launch, i) !== 'read']);
    });
  }
  return uses;
}
