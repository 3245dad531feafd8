import { describe, expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { type GridSampleOptions, gridSample } from '../../../src/kernels/spatial/index.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { checkOp, normal, type Ref, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

/** A place in pixels, of an axis of n: inside of the image, or where padding puts it. */
function placed(g: number, n: number, { padding = 'zeros', alignCorners = false }: GridSampleOptions): number {
  let at = alignCorners ? ((g + 1) / 2) * (n - 1) : ((g + 1) * n - 1) / 2;
  if (padding === 'zeros') return at;
  if (padding === 'reflection') {
    const [low, high] = alignCorners ? [0, n - 1] : [-0.5, n - 0.5];
    for (let k = 0; k < 99 && high > low && (at < low || at > high); k++) at = at < low ? 2 * low - at : 2 * high - at;
  }
  return Math.min(Math.max(at, 0), n - 1);
}

function reference([x, grid]: readonly Ref[], options: GridSampleOptions): Ref {
  const [B, H, W, C] = x!.shape as [number, number, number, number];
  const [, h, w] = grid!.shape as [number, number, number];
  const pixel = (b: number, i: number, j: number, c: number) =>
    i < 0 || j < 0 || i >= H || j >= W ? 0 : x!.data[((b * H + i) * W + j) * C + c]!;
  const data: number[] = [];
  for (let k = 0; k < B * h * w; k++) {
    const b = Math.floor(k / (h * w));
    const [across, down] = [placed(grid!.data[2 * k]!, W, options), placed(grid!.data[2 * k + 1]!, H, options)];
    for (let c = 0; c < C; c++) {
      if (options.mode === 'nearest') {
        data.push(pixel(b, Math.round(down), Math.round(across), c));
        continue;
      }
      let sum = 0;
      for (const i of [Math.floor(down), Math.floor(down) + 1])
        for (const j of [Math.floor(across), Math.floor(across) + 1])
          sum += (1 - Math.abs(down - i)) * (1 - Math.abs(across - j)) * pixel(b, i, j, c);
      data.push(sum);
    }
  }
  return ref([B, h, w, C], data);
}

/** Places that lie in the cells of an image, or around it, and not on their lines, where there is a corner. */
const apart =
  (shape: readonly number[], alignCorners: boolean) =>
  (input: number, i: number, random: () => number): number => {
    if (input === 0) return normal(random);
    const n = shape[i % 2 === 0 ? 2 : 1]!;
    const at = Math.floor(random() * (3 * n + 2)) - n - 1 + 0.1 + 0.3 * random();
    return alignCorners ? (2 * at) / Math.max(n - 1, 1) - 1 : (2 * at + 1) / n - 1;
  };

const image = [2, 5, 7, 3];
const cases: readonly (readonly [x: readonly number[], grid: readonly number[]])[] = [
  [
    [1, 1, 1, 1],
    [1, 1, 1, 2],
  ],
  [image, [2, 9, 8, 2]],
  [
    [2, 3, 4, 8],
    [2, 1, 5, 2],
  ],
  [
    [2, 3, 4, 8],
    [2, 0, 5, 2],
  ],
];
for (const mode of ['bilinear', 'nearest'] as const) {
  for (const padding of ['zeros', 'border', 'reflection'] as const) {
    for (const alignCorners of [false, true]) {
      const options = { mode, padding, alignCorners };
      checkOp(`gridSample ${mode} ${padding} ${alignCorners}`, (x, grid) => gridSample(x, grid, options), {
        reference: (inputs) => reference(inputs, options),
        cases: cases.map((shapes) => ({ shapes, values: apart(shapes[0], alignCorners) })),
        // Places are found in f32: of some 10 pixels.
        tolerance: { forward: 1e-5, gradient: 1e-4 },
        constant: mode === 'nearest' ? [1] : [],
      });
    }
  }
}

describe('gridSample', () => {
  const device = useDevice();
  const f32 = (values: number[], shape = [values.length]) => tensor(device.current, values, shape);
  const pixels = () => f32([1, 2, 3, 4], [1, 2, 2, 1]);
  const at = (...places: number[]) => f32(places, [1, 1, places.length / 2, 2]);
  const of = async (...xs: Parameters<typeof gridSample>) => [...(await read(gridSample(...xs)))];

  it('has the pixels at their centres, and of two equally near ones the even one', async () => {
    const grid = at(-0.5, -0.5, 0.5, -0.5, -0.5, 0.5, 0.5, 0.5, 0, 0);
    expect(await of(pixels(), grid)).toEqual([1, 2, 3, 4, 2.5]);
    expect(await of(pixels(), grid, { mode: 'nearest' })).toEqual([1, 2, 3, 4, 1]);
    const corners = at(-1, -1, 1, 1);
    expect(await of(pixels(), corners, { alignCorners: true })).toEqual([1, 4]);
    expect(await of(pixels(), corners)).toEqual([0.25, 1]);
    expect(await of(pixels(), corners, { padding: 'border' })).toEqual([1, 4]);
  });

  it('takes channels first', async () => {
    const x = f32([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 2, 2]);
    const y = gridSample(x, at(-0.5, -0.5, 0, 0), { channels: 'first' });
    expect(y.shape).toEqual([1, 2, 1, 2]);
    expect([...(await read(y))]).toEqual([1, 2.5, 5, 6.5]);
  });

  it('adds up what arrives at one pixel from many places, in any number', async () => {
    const x = f32([1, 2], [1, 1, 2, 1]);
    const count = 3000;
    const grid = f32(new Array(2 * count).fill(0), [1, 1, count, 2]);
    const y = gridSample(x, grid);
    const dy = f32(new Array(count).fill(1), [1, 1, count, 1]);
    const [dx, dgrid] = await readAll(gradients(y, [x, grid], dy));
    expect([...(dx as Float32Array)]).toEqual([1500, 1500]);
    expect([...(dgrid as Float32Array)].slice(0, 2)).toEqual([1, -0.75]);
  });

  it('knows places that are infinite, far out, or none; what has no weight may hold anything', async () => {
    const inf = Number.POSITIVE_INFINITY;
    const grid = at(inf, 0, 0, -inf, 1e30, 0, Number.NaN, 0, 0, Number.NaN);
    const none = Number.NaN;
    expect(await of(pixels(), grid)).toEqual([0, 0, 0, none, none]);
    expect(await of(pixels(), grid, { padding: 'border' })).toEqual([3, 1.5, 3, none, none]);
    expect(await of(pixels(), grid, { mode: 'nearest' })).toEqual([0, 0, 0, 0, 0]);
    expect(await of(pixels(), at(inf, 0.5), { mode: 'nearest', padding: 'border' })).toEqual([4]);
    const holds = f32([1, none, inf, 4], [1, 2, 2, 1]);
    expect(await of(holds, at(-0.5, -0.5, 0.5, -0.5, -0.5, 0.5, 0.5, 0.5))).toEqual([1, none, inf, 4]);
    const x = pixels();
    const y = gridSample(x, grid);
    const [dx, dgrid] = await readAll(gradients(y, [x, grid], f32([1, 1, 1, 0, 0], [1, 1, 5, 1])));
    expect([...(dx as Float32Array)].slice(1)).toEqual([none, none, none]);
    expect([...(dgrid as Float32Array)].slice(0, 6)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('gives the grid no gradient where it is nearest', async () => {
    const [x, grid] = [pixels(), at(0.3, 0.2)];
    const y = gridSample(x, grid, { mode: 'nearest' });
    const [dx, dgrid] = await readAll(gradients(y, [x, grid]));
    expect([[...(dx as Float32Array)], [...(dgrid as Float32Array)]]).toEqual([
      [0, 0, 0, 1],
      [0, 0],
    ]);
  });

  it('takes images of f16 at places of f32', async ({ skip }) => {
    skip(!device.current.features.has('shader-f16'), 'the adapter has no f16');
    const x = tensor(device.current, [1, 2, 3, 4], [1, 2, 2, 1], 'f16');
    const grid = at(0.25, 0);
    const y = gridSample(x, grid);
    expect(y.dtype).toBe('f16');
    expect([...(await read(y))]).toEqual([2.75]);
    const all: readonly Tensor[] = gradients(y, [x, grid], tensor(device.current, [1], [1, 1, 1, 1], 'f16'));
    expect(all.map(({ dtype }) => dtype)).toEqual(['f16', 'f32']);
    expect((await readAll([...all])).map((one) => [...one])).toEqual([
      [0.125, 0.375, 0.125, 0.375],
      [1, 2],
    ]);
  });

  it('says what is wrong', () => {
    const x = pixels();
    expect(() => gridSample(f32([1, 2]), at(0, 0))).toThrow(
      'gridSample: x must be [B, H, W, C], with pixels; got x [2], grid [1, 1, 1, 2]',
    );
    expect(() => gridSample(f32([], [1, 0, 2, 1]), at(0, 0), { channels: 'last' })).toThrow(/with pixels/);
    expect(() => gridSample(x, f32([0, 0, 0], [1, 1, 1, 3]))).toThrow(
      'gridSample: the grid must be [B, h, w, 2] with the B of x; got x [1, 2, 2, 1], grid [1, 1, 1, 3]',
    );
    expect(() => gridSample(x, f32([0, 0, 0, 0], [2, 1, 1, 2]))).toThrow(/with the B of x/);
    expect(() => gridSample(x, at(0, 0), { mode: 'bicubic' as never })).toThrow(
      "gridSample: mode must be 'bilinear' or 'nearest'; it is",
    );
    expect(() => gridSample(x, at(0, 0), { padding: 'circular' as never })).toThrow(
      "gridSample: padding must be 'zeros' or 'border' or 'reflection'; it is",
    );
  });
});
