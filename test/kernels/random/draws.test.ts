import { describe, expect, it } from 'vitest';
import {
  randomBernoulli,
  randomCategorical,
  randomInteger,
  randomPermutation,
} from '../../../src/kernels/random/index.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { readBool, readU32 } from '../../../src/tensor/run/read.ts';
import { useDevice } from '../../support/device.ts';

describe('random draws', () => {
  const device = useDevice();
  const key = (a = 5, b = 6) => tensor(device.current, new Uint32Array([a, b]));
  const share = (values: ArrayLike<number>, of: number) =>
    Array.from(values).filter((v) => v === of).length / values.length;

  it('whole numbers lie in their range, all equally often', async () => {
    const y = randomInteger(key(), [6001], 3, 8);
    const values = await readU32(y);
    expect([y.dtype, y.shape]).toEqual(['u32', [6001]]);
    for (const v of [3, 4, 5, 6, 7]) expect(Math.abs(share(values, v) - 0.2)).toBeLessThan(0.02);
    expect(values.every((v) => v >= 3 && v < 8)).toBe(true);
    // Of all 2³², and of a range whose products need both halves.
    const bits = await readU32(randomInteger(key(), [4000], 0, 2 ** 32));
    const upper = await readU32(randomInteger(key(), [4000], 5, 3_000_000_005));
    upper.forEach((v, i) => void expect(v).toBe(5 + Math.floor(((bits[i] as number) * 3_000_000_000) / 2 ** 32)));
    expect(new Set(bits).size).toBeGreaterThan(3995);
    expect(Math.abs(bits.reduce((a, b) => a + b, 0) / 4000 / 2 ** 31 - 1)).toBeLessThan(0.05);
  });

  it('the same key, stream and shape draw the same; others do not', async () => {
    const of = async (...args: Parameters<typeof randomInteger>) => [...(await readU32(randomInteger(...args)))].join();
    const first = await of(key(), [50], 0, 100);
    expect(await of(key(), [50], 0, 100)).toBe(first);
    expect(await of(key(5, 7), [50], 0, 100)).not.toBe(first);
    expect(await of(key(), [50], 0, 100, 1)).not.toBe(first);
    expect(await of(key(), [5, 10], 0, 100)).not.toBe(first);
  });

  it('a mask is 1 as often as asked, for each place where p is a tensor', async () => {
    const y = randomBernoulli(key(), [5000], 0.3);
    expect(y.dtype).toBe('bool');
    expect(Math.abs(share(await readBool(y), 1) - 0.3)).toBeLessThan(0.02);
    const p = tensor(device.current, [0, 1, 0.5]);
    const each = await readBool(randomBernoulli(key(), [2000, 3], p));
    const column = (c: number) => each.filter((_, i) => i % 3 === c);
    expect([share(column(0), 1), share(column(1), 1)]).toEqual([0, 1]);
    expect(Math.abs(share(column(2), 1) - 0.5)).toBeLessThan(0.04);
    expect(() => randomBernoulli(key(), [3], tensor(device.current, [0.5, 0.5], [2, 1]))).toThrow(
      'randomBernoulli: p must broadcast to the shape; got p [2, 1], shape [3]',
    );
  });

  it('a permutation has every number once, and every place is equally likely', async () => {
    const order = [...(await readU32(randomPermutation(key(), 1000)))];
    expect([...order].sort((a, b) => a - b)).toEqual(order.map((_, i) => i));
    expect(order.filter((v, i) => v === i).length).toBeLessThan(8);
    expect((await readU32(randomPermutation(key(), 0))).length).toBe(0);
    expect(() => randomPermutation(key(), 2.5)).toThrow(/axes must be whole numbers/);
  });

  it('classes are drawn with their softmax, and never one of -∞', async () => {
    const row = [Math.log(1), Math.log(3), Number.NEGATIVE_INFINITY, Math.log(6)];
    const logits = tensor(
      device.current,
      Float32Array.from({ length: 4 * 5000 }, (_, i) => row[i % 4] as number),
      [5000, 4],
    );
    const y = randomCategorical(key(), logits);
    expect([y.dtype, y.shape]).toEqual(['u32', [5000]]);
    const values = await readU32(y);
    [0.1, 0.3, 0, 0.6].forEach(
      (p, c) => void expect(Math.abs(share(values, c) - p)).toBeLessThan(p === 0 ? 1e-9 : 0.02),
    );
    expect(() => randomCategorical(key(), tensor(device.current, [], [2, 0]))).toThrow(
      'randomCategorical: logits must be […, C], with classes; got logits [2, 0]',
    );
  });

  it('refuses numbers that are none of theirs', () => {
    for (const [low, high] of [
      [3, 3],
      [-1, 2],
      [0, 2 ** 32 + 1],
      [0.5, 2],
    ] as const) {
      expect(() => randomInteger(key(), [2], low, high)).toThrow(
        `randomInteger: low and high must be whole, 0 ≤ low < high ≤ 2³²; got ${low}, ${high}`,
      );
    }
    expect(() => randomInteger(tensor(device.current, [1, 2]), [2], 0, 2)).toThrow(/^randomInteger: /);
  });
});
