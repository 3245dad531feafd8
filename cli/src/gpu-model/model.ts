import type { Device, Launch, Results } from '@zeroseg/core';
import { fusedLaunchesOf, launchesOf } from '@zeroseg/core/internal';
import type { Progress, WorkOptions } from '@zeroseg/core/zeroseg';
import type { Analysis } from './analysis.ts';
import { type CountedLaunch, Counter, type Counts, type Lanes } from './counts.ts';
import { type Estimate, estimate } from './estimate.ts';
import { type Fault, faultsOf } from './faults.ts';
import { type Gpu, type GpuName, gpuNames, gpus, lanesOf } from './gpus.ts';
import { trace } from './trace.ts';

export interface GpuModelOptions extends WorkOptions<Progress & { readonly name: string }> {
  /** Default: all. */
  readonly gpus?: readonly GpuName[];
  /** Workgroups of each launch that are traced, 1 to 64, in the middle of equal parts of its grid. Default: 4. */
  readonly groups?: number;
  /** Variants that kernels take, in place of what they choose by themselves: entries as in `Device.tuned`. */
  readonly tuned?: ReadonlyMap<string, string>;
}

/** A launch as a GPU would run it. */
export interface ModelledLaunch {
  readonly kernel: string;
  readonly grid: readonly number[];
  readonly workgroups: number;
  readonly workgroupSize: readonly [number, number, number];
  /** How many of the traced body's launches are exactly this. */
  readonly times: number;
  /** Bytes of workgroup memory. */
  readonly workgroupBytes: number;
  /** An estimate. */
  readonly registers: number;
  /** Private arrays that lie in memory, and their bytes in each thread. */
  readonly scratch: Readonly<Record<string, number>>;
  readonly gpus: readonly ModelledGpu[];
}

export interface ModelledGpu extends Estimate {
  readonly gpu: GpuName;
  readonly counts: Counts;
  readonly faults: readonly Fault[];
}

/**
 * What the launches of `body` would do on GPUs that are not here: coalescing, bank conflicts, instructions, occupancy, what bounds
 * them and for how long, and what is wrong with them, in words. The body is one as `step` takes it; kernels of one's own are
 * launched by `dispatch`. Any device will do, and a software adapter is as good as another: it runs a few workgroups of each launch, in
 * a source that notes every access to memory. Equal launches are traced once.
 *
 * ```ts
 * const [launch] = await gpuModel(device, () => softmax(x), { gpus: ['h100'] });
 * for (const { words } of launch.gpus[0].faults) console.log(words);
 * ```
 *
 * @throws WgslError for WGSL that is not understood; KernelError when an instrumented kernel does not compile.
 */
export async function gpuModel(
  device: Device,
  body: () => Results,
  options: GpuModelOptions = {},
): Promise<ModelledLaunch[]> {
  const { signal, onProgress, groups } = options;
  const chosen = (options.gpus ?? gpuNames).map((name) => gpus[name]);
  const all = await launchesOfAll(device, body, chosen, options.tuned);
  const modelled: ModelledLaunch[] = [];
  for (const { launch, times, gpus: own } of all) {
    signal?.throwIfAborted();
    onProgress?.({ name: launch.kernel.name, done: modelled.length, total: all.length });
    const lanes = own.map(lanesOf);
    const different = [...new Map(lanes.map((one) => [JSON.stringify(one), one])).values()];
    const counted = await countLaunch(device, launch, different, groups);
    const { analysis, workgroups } = counted;
    modelled.push({
      ...{ kernel: launch.kernel.name, grid: launch.grid, workgroups, workgroupSize: analysis.workgroupSize },
      ...{ times, workgroupBytes: analysis.workgroupBytes, registers: analysis.registers },
      scratch: Object.fromEntries(analysis.scratch),
      gpus: own.map((gpu, i) => {
        const at = different.findIndex((one) => JSON.stringify(one) === JSON.stringify(lanes[i]));
        const counts = counted.counts[at] as Counts;
        const found = estimate(counted, counts, gpu);
        return { gpu: gpu.key, ...found, counts, faults: faultsOf(counted, counts, gpu, found) };
      }),
    });
  }
  return modelled;
}

/** Launches that are the same on some GPUs, and how often they are there. */
interface Equal {
  readonly launch: Launch;
  times: number;
  readonly gpus: Gpu[];
}

/** The different launches of a body on all of these GPUs, in order: those of different vendors may take different variants. */
async function launchesOfAll(
  device: Device,
  body: () => Results,
  chosen: readonly Gpu[],
  tuned: ReadonlyMap<string, string> | undefined,
): Promise<Equal[]> {
  const all = new Map<string, Equal>();
  for (const vendor of new Set(chosen.map((gpu) => gpu.vendor))) {
    const own = new Map<string, Equal>();
    for (const launch of await onGpu(device, vendor, tuned, () => fusedLaunchesOf(device, body))) {
      const { kernel } = launch;
      // Kernels that differ in their text alone, by vendor, are told apart by it.
      if (typeof kernel.wgsl !== 'string' && !kernel.code) kernel.code = await kernel.wgsl();
      const key = keyOf(launch);
      const equal = own.get(key);
      if (equal) equal.times++;
      else own.set(key, { launch, times: 1, gpus: chosen.filter((gpu) => gpu.vendor === vendor) });
    }
    for (const [key, one] of own) {
      const equal = all.get(`${one.times} ${key}`);
      if (equal) equal.gpus.push(...one.gpus);
      else all.set(`${one.times} ${key}`, one);
    }
  }
  return [...all.values()];
}

/** Launches with the same key touch memory in the same way. */
export function keyOf({ kernel, element, params, constants, grid, tensors }: Launch): string {
  const sizes = tensors.map(({ storage }) => storage.bytes);
  return JSON.stringify([kernel.name, element, kernel.code, params, constants, grid, sizes]);
}

/** Workgroups of a launch that are traced, if not told otherwise. */
const GROUPS = 4;

/** Traces some workgroups of a launch, and counts what all of them cost on each kind of lanes. */
export async function countLaunch(
  device: Device,
  launch: Launch,
  lanes: readonly Lanes[],
  groups: number = GROUPS,
): Promise<CountedLaunch> {
  let counters: Counter[] | undefined;
  const count = (analysis: Analysis) => (counters ??= lanes.map((one) => new Counter(analysis, one)));
  const workgroups = launch.grid[0] * launch.grid[1] * launch.grid[2];
  const weight = workgroups / Math.min(groups, workgroups);
  const traced = await trace(device, launch, groups, (group, analysis) => {
    for (const counter of count(analysis)) counter.add(group, weight);
  });
  return { ...traced, counts: count(traced.analysis).map((counter) => counter.counts()) };
}

/**
 * The launches of a body as they are on NVIDIA's GPUs, whatever the device: its kernels choose their variants by its profile and its
 * vendor, which are another's while the body records.
 */
export function launchesOnGpu(device: Device, body: () => Results, variants?: ReadonlyMap<string, string>): Launch[] {
  return onGpu(device, 'nvidia', variants, () => launchesOf(device, body));
}

/** Records as on a GPU of that vendor, whatever the device. */
export function onGpu<R>(
  device: Device,
  vendor: Gpu['vendor'],
  variants: ReadonlyMap<string, string> | undefined,
  record: () => R,
): R {
  const profile = { kind: 'gpu', workgroupsWanted: 2048, sharedThreads: 8, subgroupSize: 32 } as const;
  const { adapter, tuned } = device;
  const restored = (value: unknown) => ({ value, configurable: true, enumerable: true });
  // What was tuned on this device does not hold for another.
  Object.defineProperties(device, {
    profile: { value: profile, configurable: true },
    adapter: restored({ vendor, architecture: '', device: '', description: '', isFallbackAdapter: false }),
    tuned: restored(variants ?? new Map<string, string>()),
  });
  try {
    return record();
  } finally {
    Reflect.deleteProperty(device, 'profile');
    Object.defineProperties(device, { adapter: restored(adapter), tuned: restored(tuned) });
  }
}
