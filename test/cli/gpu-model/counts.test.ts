import { expect, test } from 'vitest';
import type { SiteCounts } from '../../../cli/src/gpu-model/counts.ts';
import { countLaunch, launchesOnGpu } from '../../../cli/src/gpu-model/model.ts';
import { matmul } from '../../../src/kernels/matmul/matmul.ts';
import { free, variable } from '../../../src/tensor/graph/host-tensors.ts';
import { useDevice } from '../../support/device.ts';
import { apply, naiveMatmul, naiveTranspose, raggedSums, tiledTranspose } from './hand-known.ts';

const device = useDevice();
const nvidia = { lanes: 32, sector: 32, line: 128, banks: 32 };

async function counted(matrix: Parameters<typeof apply>[0], groups = 64) {
  const x = variable(device.current, [64, 64]);
  try {
    const [launch] = launchesOnGpu(device.current, () => apply(matrix, x));
    const { counts, ...traced } = await countLaunch(device.current, launch!, [nvidia], groups);
    return { ...counts[0]!, ...traced };
  } finally {
    free(x);
  }
}

const memory = ({ site, requests, accesses, bytes, sectorBytes, turns, fewestTurns, ways }: SiteCounts) => ({
  what: `${site.action} ${site.variable}`,
  ...{ requests, accesses, bytes, sectorBytes, turns, fewestTurns, ways },
});

test('a naive transpose reads whole rows, and writes 4 of every 32 bytes', async () => {
  const { sites, converged, workgroups, cut } = await counted(naiveTranspose);
  expect({ converged, workgroups, cut }).toEqual({ converged: 1, workgroups: 16, cut: false });
  // 4096 elements are 128 warps. A warp reads 128 bytes in a row, which is a line; and writes 32 elements 256 bytes apart.
  const all = { requests: 128, accesses: 4096, bytes: 16384, ways: 0 };
  expect(sites.map(memory)).toEqual([
    { what: 'load x', ...all, sectorBytes: 16384, turns: 128, fewestTurns: 128 },
    { what: 'store y', ...all, sectorBytes: 8 * 16384, turns: 128 * 32, fewestTurns: 128 },
  ]);
});

test('a transpose by tiles is coalesced; 32 threads meet in one bank unless rows are padded', async () => {
  for (const [stride, ways] of [
    [32, 32],
    [33, 1],
    [34, 2],
  ] as const) {
    const { sites, ops, analysis } = await counted(tiledTranspose(stride));
    const all = { requests: 128, accesses: 4096, bytes: 16384, sectorBytes: 16384, fewestTurns: 128 };
    expect(sites.map(memory)).toEqual([
      { what: 'load x', ...all, turns: 128, ways: 0 },
      { what: 'store tile', ...all, turns: 128, ways: 1 },
      { what: 'load tile', ...all, turns: 128 * ways, ways },
      { what: 'store y', ...all, turns: 128, ways: 0 },
    ]);
    expect(ops.barriers).toBe(4 * 256);
    expect(analysis.workgroupBytes).toBe(32 * stride * 4);
  }
});

test('a naive matmul: a multiply-add for two loads, of which one is the same for 16 threads', async () => {
  const { sites, ops, instructions } = await counted(naiveMatmul);
  expect(ops.multiplyAdds).toBe(64 ** 3);
  // A warp is two rows of 16 threads. For each of 64 k it reads an element of either row, and 16 of one row.
  const requests = 128 * 64;
  const all = { requests, accesses: 64 ** 3, ways: 0 };
  expect(sites.map(memory)).toEqual([
    {
      what: 'load x',
      ...all,
      bytes: requests * 8,
      sectorBytes: requests * 64,
      turns: requests * 2,
      fewestTurns: requests,
    },
    {
      what: 'load x',
      ...all,
      bytes: requests * 64,
      sectorBytes: requests * 64,
      turns: requests,
      fewestTurns: requests,
    },
    {
      what: 'store y',
      requests: 128,
      accesses: 4096,
      bytes: 16384,
      sectorBytes: 16384,
      turns: 256,
      fewestTurns: 128,
      ways: 0,
    },
  ]);
  // Of one turn: two loads, three multiply-adds of addresses with them, the product, and the loop's step and test.
  expect(instructions / requests).toBeGreaterThan(5);
});

test('lanes in loops of other lengths meet in the same turns, not in the n-th of each', async () => {
  const { sites } = await counted(raggedSums);
  // In turn (r, k) of a warp those lanes load whose length is more than k.
  let [requests, accesses, sectorBytes] = [0, 0, 0];
  for (let first = 0; first < 4096; first += 32) {
    for (let r = 0; r < 4; r++) {
      for (let k = 0; k < 7; k++) {
        const lanes = Array.from({ length: 32 }, (_, lane) => lane).filter((lane) => k < ((lane % 64) + r) % 8);
        if (lanes.length > 0) requests++;
        accesses += lanes.length;
        sectorBytes += 32 * new Set(lanes.map((lane) => Math.floor(((first + lane + 64 * k) % 4096) / 8))).size;
      }
    }
  }
  expect(memory(sites[0]!)).toMatchObject({ what: 'load x', requests, accesses, sectorBytes });
});

test('a few workgroups stand for all', async () => {
  const few = await counted(naiveMatmul, 2);
  expect([few.traced, few.workgroups, few.ops.multiplyAdds]).toEqual([2, 16, 64 ** 3]);
});

/** The kernels of this library: [workgroup variable, most words of a bank at once] of each site that touches it. */
const waysOf = (sites: readonly SiteCounts[]) =>
  sites.flatMap(({ site, ways }) => (site.space === 'workgroup' ? [`${site.action} ${site.variable} ${ways}`] : []));

test("the library's matmul for GPUs computes every product once", async () => {
  const [a, b] = [variable(device.current, [64, 96]), variable(device.current, [96, 64])];
  try {
    const launches = launchesOnGpu(device.current, () => matmul(a, b));
    expect(launches.map(({ kernel }) => kernel.name)).toEqual(['matmul']);
    const { counts, workgroups } = await countLaunch(device.current, launches[0]!, [nvidia], 64);
    expect(workgroups).toBe(4);
    expect(counts[0]!.ops.multiplyAdds).toBe(64 * 96 * 64);
    // Tiles of 32 × 16 come from memory once for each of two tiles across, and lie side by side there.
    const read = (name: string) =>
      counts[0]!.sites.reduce((sum, { site, bytes }) => sum + (site.variable === name ? bytes : 0), 0);
    expect([read('a'), read('b')]).toEqual([2 * 64 * 96 * 4, 2 * 64 * 96 * 4]);
    expect(waysOf(counts[0]!.sites)).toMatchInlineSnapshot(`
      [
        "store aTile 1",
        "store aTile 1",
        "store aTile 1",
        "store aTile 1",
        "store bTile 1",
        "store bTile 1",
        "store bTile 1",
        "store bTile 1",
        "load aTile 1",
        "load bTile 1",
      ]
    `);
  } finally {
    for (const t of [a, b]) free(t);
  }
});
