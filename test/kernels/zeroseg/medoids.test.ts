import { describe, expect, it } from 'vitest';
import { medoids } from '../../../src/kernels/zeroseg/medoids.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { readU32 } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';
import { referenceMedoids } from '../../support/medoids.ts';

const device = useDevice();

/** Cosines of random rows in a few bundles, `[members, members]`. */
function cosines(members: number, seed: number): Float32Array {
  const random = seeded(seed);
  const bundles = Array.from({ length: 4 }, () => Array.from({ length: 6 }, () => normal(random)));
  const rows = Array.from({ length: members }, (_, i) => {
    const row = (bundles[i % 7 < 4 ? 0 : (i % 3) + 1] as number[]).map((value) => value + 0.5 * normal(random));
    return row.map((value) => value / Math.hypot(...row));
  });
  return Float32Array.from(rows.flatMap((a) => rows.map((b) => a.reduce((sum, value, c) => sum + value * b[c]!, 0))));
}

describe('medoids', () => {
  for (const [batch, members, count] of [
    [1, 1, 1],
    [1, 5, 3],
    [3, 38, 8],
    [2, 64, 16],
    [2, 154, 16],
    [1, 300, 5],
  ] as const) {
    it(`are those of the definition, ${count} of [${batch}, ${members}, ${members}]`, async () => {
      const images = Array.from({ length: batch }, (_, b) => cosines(members, 31 * members + b));
      const all = Float32Array.from(images.flatMap((image) => [...image]));
      const found = await readU32(medoids(tensor(device.current, all, [batch, members, members]), count));
      expect([...found]).toEqual(images.flatMap((image) => referenceMedoids(image, count)));
    });
  }

  it('reads columns as candidates where similarity is not symmetric', async () => {
    // Both members are like member 1.
    expect([...(await readU32(medoids(tensor(device.current, [0, 3, 0, 2], [1, 2, 2]), 1)))]).toEqual([1]);
  });

  it('leaves a stray member for later than a bundle', async () => {
    // Four alike, three alike, and one that is farthest from all.
    const of = [0, 0, 0, 0, 1, 1, 1, 2];
    const values = of.flatMap((a) => of.map((b) => (a === b ? 1 : Math.max(a, b) === 2 ? -1 : 0)));
    const found = await readU32(medoids(tensor(device.current, values, [1, 8, 8]), 4));
    expect([...found]).toEqual([0, 4, 7, 0]);
  });

  it('is the same each time that a step runs', async () => {
    const values = cosines(40, 5);
    using run = await step(device.current, { s: [1, 40, 40] }, ({ s }) => medoids(s, 6));
    for (let i = 0; i < 3; i++) expect([...(await readU32(run({ s: values })))]).toEqual(referenceMedoids(values, 6));
  });

  it('says which shapes do not fit', () => {
    const of = (...shape: number[]) => tensor(device.current, new Float32Array(shape.reduce((a, b) => a * b)), shape);
    expect(() => medoids(of(1, 2, 3), 1)).toThrow(/medoids.*\[B, N, N\]/s);
    expect(() => medoids(of(2, 2), 1)).toThrow(/medoids/);
    expect(() => medoids(of(1, 2, 2), 0)).toThrow(/0 is no number of medoids/);
  });
});
