import { describe, expect, it } from 'vitest';
import { kernel } from '../../../src/gpu/kernel.ts';
import { threefry } from '../../../src/gpu/prelude.ts';
import { randomGumbel, randomNormal, randomUniform } from '../../../src/kernels/elementwise/random.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { dispatch, empty } from '../../../src/tensor/graph/record.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll, readU32 } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

const N = 200_000;
const all = { uniform: randomUniform, normal: randomNormal, gumbel: randomGumbel };

const seed = (a: number, b = 0) => tensor(device.current, new Uint32Array([a, b]));

/** Mean, variance, skewness, excess kurtosis. */
function moments(x: Float32Array): number[] {
  const mean = x.reduce((a, b) => a + b, 0) / x.length;
  const central = (power: number) => x.reduce((a, b) => a + (b - mean) ** power, 0) / x.length;
  const variance = central(2);
  return [mean, variance, central(3) / variance ** 1.5, central(4) / variance ** 2 - 3];
}

function correlation(x: Float32Array, y: Float32Array): number {
  const [mx = 0, vx = 0] = moments(x);
  const [my = 0, vy = 0] = moments(y);
  return x.reduce((sum, a, i) => sum + (a - mx) * ((y[i] as number) - my), 0) / x.length / Math.sqrt(vx * vy);
}

/** Kolmogorov and Smirnov's statistic: the largest distance between the empirical distribution and `below(x)`. */
function distance(x: Float32Array, below: (x: number) => number): number {
  return x.sort().reduce((worst, value, i) => {
    const p = below(value);
    return Math.max(worst, Math.abs(p - i / x.length), Math.abs(p - (i + 1) / x.length));
  }, 0);
}

describe('threefry', () => {
  it('gives the answers of Random123', async () => {
    const known = [
      [0, 0, 0, 0, 0x6b200159, 0x99ba4efe],
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x1cb996fc, 0xbb002be7],
      [0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3, 0xc4923a9c, 0x483df7a0],
    ];
    const x = tensor(device.current, Uint32Array.from(known.flatMap((row) => row.slice(0, 4))));
    const y = empty(x, [known.length, 2]);
    dispatch(threefryOf, { x, y }, { n: known.length });
    expect([...(await readU32(y))]).toEqual(known.flatMap((row) => row.slice(4)));
  });
});

const threefryOf = kernel({
  name: 'threefry-of',
  bind: { x: 'read u32', y: 'write u32' },
  params: { n: 'u32' },
  use: [threefry],
  grid: ({ n }) => [n],
  wgsl: `
@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) g: vec3u) {
  let v = threefry(vec2u(x[4 * g.x], x[4 * g.x + 1]), vec2u(x[4 * g.x + 2], x[4 * g.x + 3]));
  y[2 * g.x] = v.x;
  y[2 * g.x + 1] = v.y;
}`,
});

describe('random numbers', () => {
  it('are the same everywhere', async () => {
    expect([...(await read(randomUniform(seed(1, 2), [2, 3], 4)))]).toMatchInlineSnapshot(`
      [
        0.9774506688117981,
        0.8232752680778503,
        0.015470683574676514,
        0.9606888890266418,
        0.7445090413093567,
        0.6855716109275818,
      ]
    `);
    expect([...(await read(randomNormal(seed(1, 2), [2, 3], 4)))].map((v) => v.toFixed(5))).toMatchInlineSnapshot(`
      [
        "1.66627",
        "1.03286",
        "-0.75268",
        "0.13342",
        "0.67991",
        "-0.99815",
      ]
    `);
    expect([...(await read(randomGumbel(seed(1, 2), [2, 3], 4)))].map((v) => v.toFixed(5))).toMatchInlineSnapshot(`
      [
        "2.84898",
        "1.86427",
        "0.37678",
        "2.12285",
        "0.09657",
        "-0.83864",
      ]
    `);
  });

  it('fill any shape', async () => {
    for (const random of Object.values(all)) {
      for (const shape of [[], [0], [1], [2], [3], [17], [257, 3]]) {
        using made = await step(device.current, {}, () => random(seed(1), shape), { check: true });
        const y = made({});
        expect(y.shape).toEqual(shape);
        const values = await read(y);
        expect(new Set(values).size).toBe(values.length);
      }
    }
  });

  it('are uniform', async () => {
    const x = await read(randomUniform(seed(3), [N]));
    expect(x.every((v) => v > 0 && v < 1)).toBe(true);
    const [mean = 0, variance = 0] = moments(x);
    expect(Math.abs(mean - 1 / 2)).toBeLessThan(4 * Math.sqrt(1 / 12 / N));
    expect(Math.abs(variance - 1 / 12)).toBeLessThan(4 * Math.sqrt(1 / 180 / N));
    expect(distance(x, (v) => v)).toBeLessThan(1.95 / Math.sqrt(N));
  });

  it('are normal', async () => {
    const x = await read(randomNormal(seed(4), [N]));
    const [mean = 0, variance = 0, skewness = 0, kurtosis = 0] = moments(x);
    expect(Math.abs(mean)).toBeLessThan(4 * Math.sqrt(1 / N));
    expect(Math.abs(variance - 1)).toBeLessThan(4 * Math.sqrt(2 / N));
    expect(Math.abs(skewness)).toBeLessThan(4 * Math.sqrt(6 / N));
    expect(Math.abs(kurtosis)).toBeLessThan(4 * Math.sqrt(24 / N));
    // Beyond two: 4.55 %.
    expect(Math.abs(x.filter((v) => Math.abs(v) > 2).length / N - 0.0455003)).toBeLessThan(4 * Math.sqrt(0.0434 / N));
    // Cosines and sines are not related, and all directions are equally likely.
    const cosines = x.filter((_, i) => i % 2 === 0);
    const sines = x.filter((_, i) => i % 2 === 1);
    expect(Math.abs(correlation(cosines, sines))).toBeLessThan(4 / Math.sqrt(N / 2));
    const turns = cosines.map((c, i) => Math.atan2(sines[i] as number, c) / (2 * Math.PI) + 0.5);
    expect(distance(turns, (v) => v)).toBeLessThan(1.95 / Math.sqrt(N / 2));
  });

  it('are Gumbel', async () => {
    const x = await read(randomGumbel(seed(5), [N]));
    expect(x.every((v) => v > -3.2 && v < 22.3)).toBe(true);
    const [mean = 0, variance = 0] = moments(x);
    expect(Math.abs(mean - 0.5772157)).toBeLessThan(4 * Math.sqrt(1.6449 / N));
    expect(Math.abs(variance - Math.PI ** 2 / 6)).toBeLessThan(4 * Math.sqrt((4.4 * 1.6449 ** 2) / N));
    expect(distance(x, (v) => Math.exp(-Math.exp(-v)))).toBeLessThan(1.95 / Math.sqrt(N));
  });

  it('are others for another key, stream, shape or distribution', async () => {
    const n = 50_000;
    const tensors: Tensor[] = [
      randomUniform(seed(7), [n]),
      randomUniform(seed(8), [n]),
      randomUniform(seed(7, 1), [n]),
      randomUniform(seed(7), [n], 1),
      randomUniform(seed(7), [1, n]),
      randomUniform(seed(7), [n + 1]),
      randomUniform(seed(7), [n], 0xffffffff),
      randomNormal(seed(7), [n]),
      randomGumbel(seed(7), [n]),
    ];
    const values = (await readAll(tensors)).map((x) => (x as Float32Array).subarray(0, n));
    for (const [i, x] of values.entries()) {
      for (const y of values.slice(0, i)) expect(Math.abs(correlation(x, y))).toBeLessThan(4.5 / Math.sqrt(n));
      expect(Math.abs(correlation(x.subarray(1), x.subarray(0, -1)))).toBeLessThan(4.5 / Math.sqrt(n));
    }
  });

  it('follow the key of a step', async () => {
    using made = await step(device.current, { key: { shape: [2], dtype: 'u32' } }, ({ key }) => randomNormal(key, [5]));
    const first = await read(made({ key: [1, 1] }));
    const second = await read(made({ key: [1, 2] }));
    expect(second).not.toEqual(first);
    expect(await read(made({ key: [1, 1] }))).toEqual(first);
  });

  it('refuse keys and streams that are none', () => {
    expect(() => randomUniform(tensor(device.current, [1, 2]), [3])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: randomUniform: the key must be a tensor of two u32, the seed of the step; it is f32; got key [2]]`,
    );
    expect(() => randomNormal(tensor(device.current, new Uint32Array(3)), [3])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: randomNormal: the key must be a tensor of two u32, the seed of the step; it is u32; got key [3]]`,
    );
    expect(() => randomUniform([3] as never, undefined as never)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: randomUniform: key must be a tensor; it is a list; the key comes first, two numbers of u32]`,
    );
    expect(() => randomGumbel(seed(1), [3], -1)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: randomGumbel: -1 is no stream: 0 to 2³² − 1]`,
    );
    expect(() => randomGumbel(seed(1), [3.5])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: randomGumbel: axes must be whole numbers, 0 or more; got shape [3.5]]`,
    );
  });
});
