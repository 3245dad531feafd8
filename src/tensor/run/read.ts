import type { GPUBuffer, GPUError } from '../../gpu/index.ts';
import { type BufferRange, type Device, heard } from '../../gpu/index.ts';
import { currentRecording, type Launch, Tensor } from '../graph/index.ts';
import {
  type Bits,
  bytesPerElement,
  describe,
  formatShape,
  fromHalf,
  type HostArray,
  StepError,
} from '../values/index.ts';
import { collect } from './lifetimes.ts';
import { type Laid, layOut, release } from './memory-layout.ts';
import { compileAll, compiledNow, memoryIn, Program, refusedError } from './program.ts';

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
  return heard(readFloats(x));
}

async function readFloats(x: Tensor): Promise<Float32Array> {
  checkTensor('read', x);
  if (x.dtype === 'u32') throw new StepError(`read: this tensor is u32 ${formatShape(x.shape)}; use readU32`);
  const [values] = await readThem([x]);
  return values as Float32Array;
}

/** The values of a u32 tensor: indices, seeds, bits. */
export function readU32(x: Tensor): Promise<Uint32Array> {
  return heard(readWords(x));
}

async function readWords(x: Tensor): Promise<Uint32Array> {
  checkTensor('readU32', x);
  if (x.dtype !== 'u32') throw new StepError(`readU32: this tensor is ${x.dtype} ${formatShape(x.shape)}; use read`);
  const [values] = await readThem([x]);
  return values as Uint32Array;
}

/**
 * The values of several tensors, computed together: what they share runs once.
 *
 * All values are those of the moment of the call, whatever is written, called or freed before they arrive.
 */
export function readAll(xs: readonly Tensor[]): Promise<HostArray[]> {
  return heard(readThem(xs));
}

async function readThem(xs: readonly Tensor[]): Promise<HostArray[]> {
  const given: unknown = xs;
  if (!Array.isArray(given)) throw new StepError(`readAll: give a list of tensors; got ${describe(given)}`);
  for (const x of xs) checkTensor('readAll', x);
  const first = xs[0];
  if (!first) return [];
  const misuse = currentRecording()?.refuse(
    'read: a step has no values while it is recorded; return the tensor from it',
  );
  if (misuse) throw misuse;
  const { device } = first;
  device.check();
  for (const x of xs) {
    if (x.device !== device) throw new StepError('readAll: the tensors are on different devices');
    if (x.storage.root.kind === 'input') {
      throw new StepError(
        'read: this tensor is an input of a step and has no value; return it from the step to keep it',
      );
    }
  }
  const onGpu = xs.filter((x) => x.storage.root.kind !== 'constant');
  // What the host has is copied now: the array may be another's by the time the rest arrives.
  const onHost = new Map(xs.map((x) => [x, valuesOf(x, x.storage.root.data?.slice())]));
  const computed = xs.filter((x) => x.storage.root.kind === 'recorded' && x.size > 0);
  const launches = collect(computed, []);
  const outcomes = new Set([...xs, ...launches.flatMap(({ tensors }) => tensors)].map((t) => t.storage.root.outcome));
  const demands = Promise.allSettled([...outcomes].map((outcome) => outcome?.demand()));
  const [copied] = await Promise.allSettled([
    launches.length > 0 ? compute(device, launches, computed, onGpu) : copyOut(device, rangesOf(onGpu)),
  ]);
  for (const demand of await demands) if (demand.status === 'rejected') throw demand.reason;
  if (copied.status === 'rejected') throw copied.reason;
  return xs.map((x) => {
    const data = onHost.get(x);
    if (data) return data;
    const bytes = copied.value[onGpu.indexOf(x)] as ArrayBuffer;
    const kind = { f32: Float32Array, f16: Uint16Array, u32: Uint32Array }[x.dtype];
    return valuesOf(x, new kind(bytes)) as HostArray;
  });
}

function checkTensor(op: string, x: unknown): void {
  if (!(x instanceof Tensor)) throw new StepError(`${op}: only a tensor can be read; got ${describe(x)}`);
}

/** f16 is widened; of an odd number of elements one more lies in memory. */
function valuesOf(x: Tensor, data: Bits | undefined): HostArray | undefined {
  return data instanceof Uint16Array ? fromHalf(data.subarray(0, x.size)) : data;
}

async function copyOut(device: Device, ranges: readonly BufferRange[]): Promise<ArrayBuffer[]> {
  return device.readBack(device.gpu.createCommandEncoder({ label: 'read' }), ranges);
}

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
    ranges = rangesOf(wanted, laid);
    return laid;
  };
  try {
    if (!known) scoped(lay);
    const compiled = known ?? (await compileAll(device, launches));
    device.alive();
    const { program, reading } = scoped(() => {
      const program = new Program(device, laid ?? lay(), compiled);
      const encoder = device.gpu.createCommandEncoder({ label: 'read' });
      const pass = encoder.beginComputePass({ label: 'read' });
      program.encode(pass);
      pass.end();
      return { program, reading: device.readBack(encoder, ranges, true) };
    });
    const [copied] = await Promise.allSettled([reading]);
    device.alive();
    await program.allocated();
    for (const refused of await Promise.all(refusals)) if (refused) throw refusedError(launches, refused);
    if (copied.status === 'rejected') throw copied.reason;
    return copied.value;
  } finally {
    if (laid) release(device, laid);
  }
}

function rangesOf(xs: readonly Tensor[], laid: Pick<Laid, 'memories'> = { memories: new Map() }): BufferRange[] {
  return xs.map(({ storage, size, dtype }) => {
    const memory = memoryIn(laid, storage);
    if (size === 0) return { buffer: undefined as unknown as GPUBuffer, offset: 0, bytes: 0 };
    if (!memory) throw new StepError('read: the memory of this tensor was freed');
    return { ...memory, bytes: size * bytesPerElement(dtype) };
  });
}
