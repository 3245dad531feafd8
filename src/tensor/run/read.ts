import type { GPUBuffer, GPUError } from '../../gpu/index.ts';
import { type BufferRange, type Device, heard, type Outcome } from '../../gpu/index.ts';
import {
  checkTensors,
  currentRecording,
  type Launch,
  type Memory,
  memoryOf,
  type Storage,
  type Tensor,
  tensorList,
} from '../graph/index.ts';
import { arrays, bytesPerElement, formatShape, fromHalf, type HostArray, isFloat, StepError } from '../values/index.ts';
import type { Found } from './kept-reads.ts';
import { collect } from './lifetimes.ts';
import { type Laid, layOut, release } from './memory-layout.ts';
import { allocated, bind, compileAll, compiledNow, memoryIn, refusedError } from './program.ts';

/**
 * The values of a tensor, f32, or f16 that is widened. A tensor without memory is computed first: just the launches it depends on are planned
 * and run. Reading is a promise on every platform; a training loop reads seldom.
 *
 * ```ts
 * const y = softmax(matmul(a, b));
 * console.log(await read(y));
 * ```
 */
export function read(x: Tensor): Promise<Float32Array> {
  return heard(readOne(x, 'read'));
}

/** The values of a u32 tensor: indices, seeds, bits. */
export function readU32(x: Tensor): Promise<Uint32Array> {
  return heard(readOne(x, 'readU32'));
}

/** The values of an i32 tensor. */
export function readI32(x: Tensor): Promise<Int32Array> {
  return heard(readOne(x, 'readI32'));
}

/**
 * The values of a bool tensor, 1 or 0, as bytes: they count, select and go back to the GPU as they are. {@link toArray} gives true and
 * false.
 *
 * ```ts
 * await readBool(greater(tensor(device, [1, -1]), 0)); // [1, 0]
 * ```
 */
export function readBool(x: Tensor): Promise<Uint8Array> {
  return heard(readOne(x, 'readBool'));
}

/** Each dtype has a reader, which says what comes: all the floats `read`, others one by their name. */
async function readOne<A extends HostArray>(x: Tensor, op: string): Promise<A> {
  checkTensors(op, { x });
  const { dtype, shape } = x;
  const reader = isFloat(dtype) ? 'read' : `read${(dtype[0] as string).toUpperCase()}${dtype.slice(1)}`;
  if (op !== reader) throw new StepError(`${op}: this tensor is ${dtype} ${formatShape(shape)}; use ${reader}`);
  const [values] = await readThem([x]);
  return values as A;
}

/**
 * The values of several tensors, computed together: what they share runs once.
 *
 * All values are those of the moment of the call, whatever is written, called or freed before they arrive.
 */
export function readAll(xs: readonly Tensor[]): Promise<HostArray[]> {
  return heard(readList(xs));
}

async function readList(xs: readonly Tensor[]): Promise<HostArray[]> {
  return readThem(tensorList('readAll', 'xs', xs));
}

async function readThem(xs: readonly Tensor[]): Promise<HostArray[]> {
  const first = xs[0];
  if (!first) return [];
  const misuse = currentRecording()?.refuse(
    'read: a step or scan has no values while it is recorded; return the tensor from it',
  );
  if (misuse) throw misuse;
  const { device } = first;
  device.check();
  for (const x of xs) {
    if (x.device !== device) throw new StepError('readAll: the tensors are on different devices');
    if (x.storage.root.kind === 'input') {
      throw new StepError('read: an input of a step has no value; return it from the step to keep it');
    }
  }
  // What the host has is copied now: the array may be another's by the time the rest arrives.
  const onHost = xs.map((x) => x.storage.root.data?.slice().buffer);
  const onGpu = xs.filter((_, i) => !onHost[i]);
  const computed = xs.filter((x) => x.storage.root.kind === 'recorded' && x.size > 0);
  const launches = collect(computed, []);
  const outcomes = new Set<Outcome>();
  for (const { tensors } of [{ tensors: xs }, ...launches]) {
    for (const { storage } of tensors) if (storage.root.outcome) outcomes.add(storage.root.outcome);
  }
  const copying = compute(device, launches, computed, onGpu);
  const [outcome] = outcomes;
  await outcome?.demandAll(outcomes, copying);
  const copies = await copying;
  return xs.map((x, i) => hostArray(x, onHost[i] ?? (copies[onGpu.indexOf(x)] as ArrayBuffer)));
}

/** What the bytes of a tensor say: f16 is widened, of whose odd numbers of elements one more lies in memory; bool becomes bytes. */
export function hostArray({ dtype, size }: Tensor, bytes: ArrayBuffer): HostArray {
  const data = new arrays[dtype](bytes);
  if (data instanceof Uint16Array) return fromHalf(data.subarray(0, size));
  return dtype === 'bool' ? Uint8Array.from(data) : data;
}

/** Finds the program of an earlier read that launched the same, where a page has what keeps them: `KeptReads`. */
export const earlier: {
  find?: (device: Device, launches: readonly Launch[], wanted: readonly Tensor[]) => Found | undefined;
} = {};

/**
 * Runs launches and copies out. Where all kernels were compiled before, everything is submitted before the first pause;
 * otherwise what the launches read is copied before it.
 */
async function compute(
  device: Device,
  launches: readonly Launch[],
  computed: readonly Tensor[],
  wanted: readonly Tensor[],
): Promise<ArrayBuffer[]> {
  if (launches.length === 0) {
    return device.readBack(device.gpu.createCommandEncoder({ label: 'read' }), rangesOf(wanted));
  }
  const found = earlier.find?.(device, launches, wanted);
  const replayed = found?.replay();
  if (replayed) return replayed;
  const known = compiledNow(device, launches);
  const liveOut = new Set(computed.map((x) => x.storage.root));
  const refusals: Promise<GPUError | null>[] = [];
  const scoped = <T>(body: () => T): T => {
    const { value, refusal } = device.scoped(body);
    refusals.push(refusal);
    return value;
  };
  let laid: Laid | undefined;
  let ranges: BufferRange[] = [];
  const lay = (): Laid => {
    laid = layOut(device, launches, { liveOut, asOfNow: known ? undefined : wanted });
    ranges = rangesOf(wanted, (storage) => memoryIn(laid as Laid, storage));
    return laid;
  };
  try {
    if (!known) scoped(lay);
    const compiled = known ?? (await compileAll(device, launches));
    device.alive();
    const { program, reading } = scoped(() => {
      const program = bind(device, laid ?? lay(), compiled);
      const encoder = device.gpu.createCommandEncoder({ label: 'read' });
      const pass = encoder.beginComputePass({ label: 'read' });
      program.replay.encode(pass, program.order);
      pass.end();
      return { program, reading: device.readBack(encoder, ranges, true) };
    });
    const [copied] = await Promise.allSettled([reading]);
    device.alive();
    await allocated(device, laid as unknown as Laid);
    for (const refused of await Promise.all(refusals)) if (refused) throw refusedError(launches, refused);
    if (copied.status === 'rejected') throw copied.reason;
    if (known && found?.keep(laid as unknown as Laid, program.replay)) laid = undefined;
    return copied.value;
  } finally {
    if (laid) release(device, laid);
  }
}

/** Where the values of tensors lie, by where their storages do. */
export function rangesOf(
  xs: readonly Tensor[],
  place: (storage: Storage) => Memory | undefined = memoryOf,
): BufferRange[] {
  return xs.map(({ storage, size, dtype }) => {
    if (size === 0) return { buffer: undefined as unknown as GPUBuffer, offset: 0, bytes: 0 };
    const memory = place(storage);
    if (!memory) throw new StepError(`read: the memory of this tensor ${storage.root.lost}`);
    return { ...memory, bytes: size * bytesPerElement(dtype) };
  });
}
