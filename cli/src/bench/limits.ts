import { dispatch, empty, free, type Kernel, kernel, step, type Tensor, variable } from '@zeroseg/core';
import { elementGrid, elementLoop, elementOverride, elementParams, median, memoryOf } from '@zeroseg/core/internal';
import type { Meter, Times } from './meter.ts';

/** What a device can do at most, as simple kernels measure it. */
export interface Limits {
  /** Multiply-adds count two. By the wall clock or GPU timestamps. */
  readonly flopsPerSecond: number;
  /** The loop that reached it: type, independent chains × times the loop body is unrolled. */
  readonly flopsVariant: string;
  /** Bytes read and written by a kernel that copies a large buffer, and by `copyBufferToBuffer`. */
  readonly bytesPerSecond: number;
  readonly commandBytesPerSecond: number;
  /** Microseconds of an empty dispatch: among others in one pass, and with a submit of its own. */
  readonly dispatchUs: number;
  readonly submitUs: number;
  /** Microseconds of host time for each launch of a step that is replayed. */
  readonly hostUs: number;
  /** FLOP and bytes in a millisecond of the meter's clock: what shares are taken of. */
  readonly perMs: { readonly flops: number; readonly bytes: number };
}

/** The two limits that shares are taken of, measured again: FLOP and bytes a second. */
export interface Probe {
  readonly flops: number;
  readonly bytes: number;
}

/** Measures the limits, which takes a few seconds; `probe` measures those again that shares are taken of, which takes less than one. */
export async function measureLimits(
  meter: Meter,
  quick: boolean,
): Promise<{ readonly limits: Limits; readonly probe: () => Promise<Probe> }> {
  const fma = await searchFma(meter, quick);
  const vec4s = copiedVec4s(meter, quick);
  const { copy, each, command } = await copySpeeds(meter, vec4s);
  const launches = await launchCosts(meter);
  const limits = {
    flopsPerSecond: (fma.flops / wallOf(fma)) * 1e3,
    flopsVariant: formatFma(fma.variant),
    bytesPerSecond: (copy.bytes / wallOf(copy)) * 1e3,
    commandBytesPerSecond: (command.bytes / wallOf(command)) * 1e3,
    ...launches,
    perMs: { flops: fma.flops / meter.cost(fma), bytes: copy.bytes / meter.cost(copy) },
  };
  const probe = async () => {
    const computed = await measureFma(meter, fma.variant);
    const copied = await copying(meter, vec4s, ({ x, y }) => kernelCopy(meter, { x, y }, vec4s, each));
    return { flops: (computed.flops / wallOf(computed)) * 1e3, bytes: ((32 * vec4s) / wallOf(copied)) * 1e3 };
  };
  return { limits, probe };
}

/** How far the limits went apart while everything else was measured: the range over the median, of the one that moved most. */
export function wobbleOf(probes: readonly Probe[]): number {
  const range = (values: readonly number[]) => (Math.max(...values) - Math.min(...values)) / median(values);
  return probes.length < 2
    ? 0
    : Math.max(range(probes.map(({ flops }) => flops)), range(probes.map(({ bytes }) => bytes)));
}

/** Milliseconds that rates are told by: of the GPU where it has a clock, else as a user waits. */
export function wallOf({ ms, gpuMs }: Times): number {
  return gpuMs ?? ms;
}

interface FmaVariant {
  readonly type: 'f32' | 'vec4f';
  readonly chains: number;
  readonly unroll: number;
}

type Fma = Times & { readonly flops: number; readonly variant: FmaVariant };

/**
 * The loop of multiply-adds that is fastest here. A multiply-add waits for the one before it in its chain, so several chains
 * hide that; a long loop body hides the loop. Which number of each is best depends on the device, so all are tried.
 */
async function searchFma(meter: Meter, quick: boolean): Promise<Fma> {
  let best: Fma | undefined;
  for (const type of ['f32', 'vec4f'] as const) {
    for (const chains of quick ? [12] : [8, 10, 12]) {
      for (const unroll of quick ? [64] : [16, 64]) {
        const fma = await measureFma(meter, { type, chains, unroll });
        const speed = ({ flops, ...times }: Fma) => flops / meter.cost(times);
        if (!best || speed(fma) > speed(best)) best = fma;
      }
    }
  }
  return best as Fma;
}

function formatFma({ type, chains, unroll }: FmaVariant): string {
  return `${type}, ${chains} chains × ${unroll}`;
}

const FMA_GROUP = 64;
/** A run of the loop takes at least so long. */
const FMA_MS = 15;

async function measureFma(meter: Meter, variant: FmaVariant): Promise<Fma> {
  const { device } = meter;
  const { type, chains, unroll } = variant;
  // Enough to keep every core of a GPU busy; a processor needs few, of which each takes longer.
  const invocations = FMA_GROUP * (device.isSoftware ? 256 : 8192);
  const loop = fmaKernelOf(variant);
  const like = variable(device, [1]);
  try {
    using run = await step(device, { rounds: { shape: [1], dtype: 'u32' } }, ({ rounds }) => {
      const y = empty(like, [invocations]);
      dispatch(loop, { rounds, y }, { n: invocations });
      return y;
    });
    let rounds = 1;
    const submit = () => void run({ rounds });
    submit();
    await device.finished();
    for (; rounds < 2 ** 24; rounds *= 2) {
      const began = performance.now();
      submit();
      await device.finished();
      if (performance.now() - began > FMA_MS) break;
    }
    const times = await meter.time(submit);
    const flops = 2 * (type === 'vec4f' ? 4 : 1) * chains * unroll * rounds * invocations;
    return { ...times, flops, variant };
  } finally {
    free(like);
  }
}

// An invocation runs its chains side by side. Each takes its neighbour in: of chains that know nothing of each other Mesa's
// compiler computes one after the other, which waits (lavapipe: 8 × 64 at 23 GFLOP/s, linked 62). The numbers overflow, which
// costs nothing.
function fmaKernel({ type, chains, unroll }: FmaVariant): Kernel<FmaBindings, { n: 'u32' }, Record<never, number>> {
  const each = (code: (c: number) => string, separator: string) =>
    Array.from({ length: chains }, (_, c) => code(c)).join(separator);
  const body = `${each((c) => `s${c} = fma(s${(c + 1) % chains}, ${type}(0.5), s${c});`, ' ')}\n`.repeat(unroll);
  const total = each((c) => `s${c}`, ' + ');
  return kernel({
    name: `fma ${type} ${chains} ${unroll}`,
    bind: { rounds: 'read u32', y: 'write f32' },
    params: { n: 'u32' },
    grid: ({ n }) => [n / FMA_GROUP],
    wgsl: `
@compute @workgroup_size(${FMA_GROUP})
fn main(@builtin(global_invocation_id) id: vec3u) {
  ${each((c) => `var s${c} = ${type}(f32(id.x + ${c}u));`, '\n  ')}
  let count = rounds[0];
  for (var round = 0u; round < count; round++) {
${body}  }
  y[id.x] = ${type === 'vec4f' ? `dot(${total}, vec4f(1.0))` : total};
}`,
  });
}

type FmaBindings = { rounds: 'read u32'; y: 'write f32' };

const fmaKernels = new Map<string, ReturnType<typeof fmaKernel>>();

/** The same kernel for the same loop, so that a device compiles it once. */
function fmaKernelOf(variant: FmaVariant): ReturnType<typeof fmaKernel> {
  const name = formatFma(variant);
  const known = fmaKernels.get(name) ?? fmaKernel(variant);
  fmaKernels.set(name, known);
  return known;
}

const copyKernel = kernel({
  name: 'copy bandwidth',
  bind: { x: 'read vec4<f32>', y: 'write vec4<f32>' },
  params: elementParams,
  override: elementOverride,
  grid: elementGrid,
  wgsl: elementLoop('y[i] = x[i];'),
});

type Copy = Times & { readonly bytes: number };

/** How many `vec4f` are copied: of so many bytes, or of what a binding may hold. */
function copiedVec4s({ device }: Meter, quick: boolean): number {
  return Math.floor(Math.min(quick ? 2 ** 24 : 2 ** 26, device.limits.maxStorageBufferBindingSize) / 16);
}

/** The fastest kernel that copies a large buffer, and the device's own command for that. */
function copySpeeds(meter: Meter, vec4s: number): Promise<{ copy: Copy; each: number; command: Copy }> {
  return copying(meter, vec4s, async ({ x, y }) => {
    const { device } = meter;
    const bytes = 32 * vec4s;
    let best: { copy: Copy; each: number } | undefined;
    for (const each of [1, 4, 16, 64]) {
      const times = await kernelCopy(meter, { x, y }, vec4s, each);
      if (!best || meter.cost(times) < meter.cost(best.copy)) best = { copy: { ...times, bytes }, each };
    }
    const [from, to] = [x, y].map((t) => memoryOf(t.storage)?.buffer) as [GPUBuffer, GPUBuffer];
    const command = await meter.time(() => {
      const encoder = device.gpu.createCommandEncoder();
      encoder.copyBufferToBuffer(from, 0, to, 0, bytes / 2);
      device.gpu.queue.submit([encoder.finish()]);
    });
    return { ...(best as { copy: Copy; each: number }), command: { ...command, bytes } };
  });
}

/** Lends two buffers of so many `vec4f`. */
async function copying<R>(
  { device }: Meter,
  vec4s: number,
  work: (buffers: { readonly x: Tensor; readonly y: Tensor }) => Promise<R>,
): Promise<R> {
  const [x, y] = [variable(device, [vec4s * 4]), variable(device, [vec4s * 4])];
  try {
    return await work({ x, y });
  } finally {
    free(x);
    free(y);
  }
}

async function kernelCopy(
  meter: Meter,
  buffers: { x: Tensor; y: Tensor },
  vec4s: number,
  each: number,
): Promise<Times> {
  using run = await step(meter.device, {}, () => {
    dispatch(copyKernel, buffers, { vec4s, perThread: each });
    return undefined;
  });
  return await meter.time(() => void run({}));
}

const emptyKernel = kernel({
  name: 'empty dispatch',
  bind: { y: 'update f32' },
  grid: () => [1],
  wgsl: '@compute @workgroup_size(1) fn main() { y[0] = 1.0; }',
});

const LAUNCHES = 400;

async function launchCosts(meter: Meter): Promise<Pick<Limits, 'dispatchUs' | 'submitUs' | 'hostUs'>> {
  const { device } = meter;
  const y: Tensor = variable(device, [1]);
  const body = (launches: number) => () => {
    for (let i = 0; i < launches; i++) dispatch(emptyKernel, { y }, {});
    return undefined;
  };
  try {
    using count = await step(device, {}, body(LAUNCHES));
    using one = await step(device, {}, body(1));
    const { ms } = await meter.time(() => count({}));
    const single = await meter.time(() => one({}));
    const host = await meter.hostTime(() => count({}));
    return { dispatchUs: (ms / LAUNCHES) * 1e3, submitUs: single.ms * 1e3, hostUs: (host / LAUNCHES) * 1e3 };
  } finally {
    free(y);
  }
}
