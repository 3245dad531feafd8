import { describe, expect, it } from 'vitest';
import { bincount, histogram, searchSorted } from '../../../src/kernels/indexing/index.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readU32 } from '../../../src/tensor/run/read.ts';
import { checkOp, ref, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const { NaN: none, POSITIVE_INFINITY: infinite } = Number;
const f32 = (values: number[], shape = [values.length]) => tensor(device.current, values, shape);
const u32 = (values: number[], shape = [values.length]) => tensor(device.current, values, shape, 'u32');

checkOp(
  'bincount of weights',
  (weights) => bincount(tensor(weights.device, [3, 0, 3, 9, 1], [5], 'u32'), 4, { weights }),
  {
    reference: ([w]) => ref([4], [w!.data[1]!, w!.data[4]!, 0, w!.data[0]! + w!.data[2]!]),
    cases: [[[5]]],
  },
);

describe('counts', () => {
  it('are as many as there are, in several workgroups; other numbers are left out', async () => {
    const random = seeded(3);
    const ids = Array.from({ length: 1000 }, () => Math.floor(12 * random()));
    const want = Array.from({ length: 9 }, (_, n) => ids.filter((id) => id === n).length);
    expect([...(await readU32(bincount(u32(ids, [10, 100]), 9)))]).toEqual(want);
    expect([...(await readU32(bincount(tensor(device.current, new Int32Array([-1, 1, 1])), 2)))]).toEqual([0, 2]);
    expect([...(await readU32(bincount(u32([], [0]), 2)))]).toEqual([0, 0]);
    expect(bincount(u32([1]), 0).shape).toEqual([0]);
  });

  it('of intervals leave out what lies outside and NaN, and have the end in the last', async () => {
    const x = f32([0, 0.49, 0.5, 1, 1.01, -0.01, none, infinite, -infinite]);
    const { counts, edges } = histogram(x, 2, { range: [0, 1] });
    expect([...(await readU32(counts))]).toEqual([2, 2]);
    expect([...(await read(edges))]).toEqual([0, 0.5, 1]);
    const own = histogram(f32([1, 5, 3, 2]), 4);
    expect([...(await readU32(own.counts))]).toEqual([1, 1, 1, 1]);
    expect([...(await read(own.edges))]).toEqual([1, 2, 3, 4, 5]);
    const one = histogram(f32([2, 2]), 2);
    expect([...(await readU32(one.counts))]).toEqual([0, 2]);
    expect([...(await read(one.edges))]).toEqual([1.5, 2, 2.5]);
  });

  it('of intervals go by the edges that are returned, and none is lost', async () => {
    const counted = async (x: Tensor, bins: number, range?: [number, number]) => {
      const { counts, edges } = histogram(x, bins, range && { range });
      return [[...(await readU32(counts))], [...(await read(edges))]] as const;
    };
    for (const [low, high, bins] of [
      [0.1, 0.9, 8],
      [0.3, 0.7, 5],
      [0, 100, 100],
    ] as const) {
      const [, edges] = await counted(f32([0]), bins, [low, high]);
      const [counts] = await counted(f32([...edges]), bins, [low, high]);
      expect(counts).toEqual([...Array.from({ length: bins - 1 }, () => 1), 2]);
    }
    const random = seeded(7);
    for (let turn = 0; turn < 20; turn++) {
      const values = Array.from({ length: 50 }, () => 3 * random() - 1.7 * random());
      const [counts] = await counted(f32(values), 7);
      expect(counts.reduce((sum, count) => sum + count)).toBe(50);
    }
    expect(await counted(f32([-1, 1e-8]), 2)).toEqual([
      [1, 1],
      [-1, expect.closeTo(-0.5, 6), Math.fround(1e-8)],
    ]);
    expect(await counted(f32([none, infinite, 1, 2, 3]), 2)).toEqual([
      [1, 2],
      [1, 2, 3],
    ]);
    const [counts, edges] = await counted(f32([-2e38, 2e38]), 2);
    expect([counts, edges.every(Number.isFinite)]).toEqual([[1, 1], true]);
  });

  it('say what is wrong', () => {
    expect(() => bincount(f32([1]), 2)).toThrow('bincount: ids must be u32 or i32, not f32; got ids [1]');
    expect(() => bincount(u32([1]), 2, { weights: f32([1, 2]) })).toThrow(
      'bincount: weights must be floats of the shape of the ids; got ids [1], weights [2]',
    );
    expect(() => bincount(u32([1]), -1)).toThrow(/^bincount: /);
    expect(() => histogram(f32([1]), 2, { range: [1, 1] })).toThrow(
      /^histogram: range must be two finite numbers that rise in f32, \[low, high\]; it is .* got x \[1\]$/,
    );
    for (const range of [1, ['0', '9'], [0, 1, 2], [1, 1 + 1e-12], [0, infinite]]) {
      expect(() => histogram(f32([1]), 2, { range: range as never })).toThrow(
        /^histogram: range must be two finite numbers/,
      );
    }
    expect(() => histogram(f32([1]), 0)).toThrow('histogram: bins must be a whole number from 1; it is the number 0');
    expect(() => bincount(u32([1]), 2.5)).toThrow(
      'bincount: length must be a whole number from 0; it is the number 2.5',
    );
    expect(() => histogram(f32([], [0]), 2)).toThrow(
      'histogram: of no numbers there is no range; give one: { range: [low, high] }; got x [0]',
    );
  });
});

describe('places in lines', () => {
  it('are the first not below a value, or above it; NaN is the largest', async () => {
    const sorted = f32([-1, 0, 0, 2, infinite, none]);
    const values = f32([-2, -1, -0, 1, 2, infinite, none], [7]);
    expect([...(await readU32(searchSorted(sorted, values)))]).toEqual([0, 0, 1, 3, 3, 4, 5]);
    expect([...(await readU32(searchSorted(sorted, values, { right: true })))]).toEqual([0, 1, 3, 3, 4, 5, 6]);
  });

  it('are those of each line, of any dtype, also of none', async () => {
    const lines = u32([1, 3, 5, 0, 0, 4000000000], [2, 3]);
    expect([...(await readU32(searchSorted(lines, u32([3, 9, 0, 4000000000], [2, 2]))))]).toEqual([1, 3, 0, 2]);
    const whole = tensor(device.current, new Int32Array([-5, 0, 5]));
    expect([...(await readU32(searchSorted(whole, f32([-6, 0.5]))))]).toEqual([0, 2]);
    expect([...(await readU32(searchSorted(f32([], [0]), f32([1]))))]).toEqual([0]);
    expect(searchSorted(whole, f32([], [0, 3])).shape).toEqual([0, 3]);
    expect(searchSorted(f32([1]), f32([1], [])).shape).toEqual([]);
  });

  it('say what is wrong', () => {
    expect(() => searchSorted(f32([1, 2], [2, 1]), f32([1, 2, 3], [3, 1]))).toThrow(
      'searchSorted: sorted must be [N], or […, N] with the axes of the values […, M]; got sorted [2, 1], values [3, 1]',
    );
    expect(() => searchSorted(f32([1], []), f32([1]))).toThrow(/^searchSorted: sorted must be/);
  });
});
