import type { Device, Launch, Results } from '@zeroseg/core';
import { launchesOf } from '@zeroseg/core/internal';
import type { Analysis } from './analysis.ts';
import { Counter, type Counts, type Lanes } from './counts.ts';
import { type Traced, trace } from './trace.ts';

/** What GPUs with such lanes do in a launch. */
export interface CountedLaunch extends Traced {
  readonly launch: Launch;
  /** In the order of the lanes that were asked for. */
  readonly counts: readonly Counts[];
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
  return { launch, ...traced, counts: count(traced.analysis).map((counter) => counter.counts()) };
}

/**
 * The launches of a body as they are on a GPU with subgroups of 32, whatever the device: its kernels choose their variants by its
 * profile, which is another's while the body records.
 */
export function launchesOnGpu(device: Device, body: () => Results): Launch[] {
  const profile = { kind: 'gpu', workgroupsWanted: 2048, sharedThreads: 8, subgroupSize: 32 } as const;
  const { tuned } = device;
  // What was tuned on this device does not hold for another.
  Object.defineProperties(device, {
    profile: { value: profile, configurable: true },
    tuned: { value: new Map<string, string>(), configurable: true },
  });
  try {
    return launchesOf(device, body);
  } finally {
    Reflect.deleteProperty(device, 'profile');
    Object.defineProperty(device, 'tuned', { value: tuned, configurable: true, enumerable: true });
  }
}
