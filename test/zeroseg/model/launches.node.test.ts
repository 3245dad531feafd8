import { expect, it, vi } from 'vitest';
import { stepWorkloads, trainingBody } from '../../../cli/src/bench/steps.ts';
import { lending } from '../../../cli/src/bench/workloads.ts';
import { fusedLaunchesOf } from '../../../src/tensor/run/launches.ts';
import { tinyConfig } from '../../../src/zeroseg/model/config.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

/** As on a GPU with subgroups of 32. */
const gpuProfile = { kind: 'gpu', workgroupsWanted: 2048, sharedThreads: 8, subgroupSize: 32 } as const;

// Every launch takes a GPU some microseconds, whatever it does: that of a small model's step is mostly that. More of them is a
// change that must be meant.
it.each([
  ['this adapter', 26, 472],
  ['a GPU', 25, 364],
] as const)('training steps on %s: a ViT block in %i launches, ZeroSeg tiny in %i', async (form, block, tiny) => {
  if (form === 'a GPU') vi.spyOn(device.current, 'profile', 'get').mockReturnValue(gpuProfile);
  try {
    const [, blockTraining] = stepWorkloads(false, false);
    const count = (body: (lend: Parameters<typeof trainingBody>[0]) => Parameters<typeof fusedLaunchesOf>[1]) =>
      lending(device.current, async (lend) => (await fusedLaunchesOf(device.current, body(lend))).length);
    expect(await count((lend) => blockTraining?.prepare(lend) ?? (() => undefined))).toBe(block);
    expect(await count((lend) => trainingBody(lend, tinyConfig, 8))).toBe(tiny);
  } finally {
    vi.restoreAllMocks();
  }
});
