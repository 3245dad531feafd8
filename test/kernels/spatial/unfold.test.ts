import { describe, expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { linear } from '../../../src/kernels/matmul/index.ts';
import { conv2d, fold, type UnfoldOptions, unfold } from '../../../src/kernels/spatial/index.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { checkOp, type Ref, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

type Two = readonly [number, number];
interface Geometry {
  readonly window: Two;
  readonly stride: Two;
  readonly padding: Two;
  readonly dilation: Two;
}

/** Every pixel of every window: its place in the rows, and in the image or nowhere. Both channels last. */
function places([B, H, W, C]: readonly number[], { window, stride, padding, dilation }: Geometry) {
  const count = (axis: 0 | 1, n: number) =>
    Math.floor((n + 2 * padding[axis] - dilation[axis] * (window[axis] - 1) - 1) / stride[axis]) + 1;
  const [h, w] = [count(0, H!), count(1, W!)];
  const all: { row: number; pixel: number }[] = [];
  for (let b = 0; b < B!; b++)
    for (let i = 0; i < h; i++)
      for (let j = 0; j < w; j++)
        for (let u = 0; u < window[0]; u++)
          for (let v = 0; v < window[1]; v++)
            for (let c = 0; c < C!; c++) {
              const [y, x] = [
                i * stride[0] + u * dilation[0] - padding[0],
                j * stride[1] + v * dilation[1] - padding[1],
              ];
              const isIn = y >= 0 && y < H! && x >= 0 && x < W!;
              all.push({ row: all.length, pixel: isIn ? ((b * H! + y) * W! + x) * C! + c : -1 });
            }
  return { all, shape: [B!, h * w, window[0] * window[1] * C!] };
}

const geometries: readonly (readonly [Geometry, image: readonly number[]])[] = [
  [{ window: [1, 1], stride: [1, 1], padding: [0, 0], dilation: [1, 1] }, [1, 1, 1, 1]],
  [{ window: [2, 3], stride: [1, 2], padding: [1, 0], dilation: [1, 1] }, [2, 5, 7, 3]],
  [{ window: [3, 2], stride: [2, 1], padding: [0, 1], dilation: [1, 2] }, [1, 6, 5, 4]],
  [{ window: [2, 2], stride: [3, 3], padding: [2, 2], dilation: [1, 1] }, [2, 4, 9, 1]],
];
for (const [geometry, image] of geometries) {
  const { window, ...options } = geometry;
  const { all, shape } = places(image, geometry);
  const what = `${window} of ${image}`;
  checkOp(`unfold: ${what}`, (x) => unfold(x, window, options), {
    reference: ([x]) =>
      ref(
        shape,
        all.map(({ pixel }) => (pixel < 0 ? 0 : (x as Ref).data[pixel]!)),
      ),
    cases: [[image]],
  });
  checkOp(`fold: ${what}`, (x) => fold(x, [image[1]!, image[2]!], window, options), {
    reference: ([x]) => {
      const y = new Float64Array(image.reduce((a, b) => a * b));
      for (const { row, pixel } of all) if (pixel >= 0) y[pixel]! += (x as Ref).data[row]!;
      return ref(image, y);
    },
    cases: [[shape]],
  });
}

describe('unfold and fold', () => {
  const device = useDevice();
  const f32 = (values: number[], shape = [values.length]) => tensor(device.current, values, shape);
  const counted = (shape: number[]) =>
    f32(
      Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i + 1),
      shape,
    );

  it('with channels first list the pixels of a channel together, as PyTorch', async () => {
    const x = counted([1, 2, 2, 3]);
    const options: UnfoldOptions = { channels: 'first' };
    const y = unfold(x, 2, options);
    expect(y.shape).toEqual([1, 8, 2]);
    expect([...(await read(y))]).toEqual([1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11, 12]);
    expect([...(await read(fold(y, [2, 3], 2, options)))]).toEqual([1, 4, 3, 4, 10, 6, 7, 16, 9, 10, 22, 12]);
    const dy = counted([1, 8, 2]);
    const [dx, back] = await readAll([gradients(y, [x], dy)[0], fold(dy, [2, 3], 2, options)]);
    expect([...(dx as Float32Array)]).toEqual([...(back as Float32Array)]);
  });

  it('are what a convolution is made of', async () => {
    const x = counted([2, 5, 4, 3]);
    const weight = counted([4, 3, 2, 2]);
    const rows = unfold(x, 2, { padding: 1 });
    const byRow = f32(
      Array.from({ length: 48 }, (_, i) => 12 * Math.floor(i / 12) + 4 * (i % 3) + Math.floor((i % 12) / 3) + 1),
      [4, 12],
    );
    expect([...(await read(linear(rows, byRow)))]).toEqual([...(await read(conv2d(x, weight, { padding: 1 })))]);
  });

  it('of nothing is nothing', async () => {
    expect(unfold(f32([], [0, 3, 3, 2]), 2).shape).toEqual([0, 4, 8]);
    expect(unfold(f32([], [1, 3, 3, 0]), 2, { channels: 'last' }).shape).toEqual([1, 4, 0]);
    expect(unfold(f32([], [1, 0, 3, 3]), 2, { channels: 'first' }).shape).toEqual([1, 0, 4]);
    expect([...(await read(unfold(f32([], [1, 0, 1, 1]), 1, { padding: [1, 0] })))]).toEqual([0, 0]);
    expect(fold(f32([], [0, 4, 8]), 3, 2).shape).toEqual([0, 3, 3, 2]);
    expect(fold(f32([], [1, 4, 0]), 3, 2).shape).toEqual([1, 3, 3, 0]);
  });

  it('say what is wrong', () => {
    const x = counted([1, 3, 4, 2]);
    expect(() => unfold(counted([3, 4]), 2)).toThrow('unfold: x must be [B, H, W, C]; got x [3, 4]');
    expect(() => unfold(x, [4, 1])).toThrow(
      'unfold: a window of 4 × 1 does not fit, with padding 0; got x [1, 3, 4, 2]',
    );
    expect(() => unfold(x, 2, { dilation: 3 })).toThrow(
      'unfold: a window of 2 × 2, dilated by 3 does not fit, with padding 0; got x [1, 3, 4, 2]',
    );
    expect(() => unfold(x, 0)).toThrow('unfold: the window must be a whole number above 0 (0); got x [1, 3, 4, 2]');
    expect(() => unfold(x, 1, { padding: -1 })).toThrow(/^unfold: the padding must be a whole number, 0 or more/);
    expect(() => fold(x, 3, 2)).toThrow('fold: x must be [B, L, kh · kw · C]; got x [1, 3, 4, 2]');
    expect(() => fold(counted([1, 5, 8]), 3, 2)).toThrow(
      'fold: an image of 3 × 3 has 2 × 2 windows, and L must be 4 (5); got x [1, 5, 8]',
    );
    expect(() => fold(counted([1, 4, 7]), 3, 2)).toThrow(
      'fold: 7 is no multiple of the 2 × 2 pixels of a window; got x [1, 4, 7]',
    );
    expect(() => fold(counted([1, 8, 4]), 3, 2, { channels: 'first', stride: 2 })).toThrow(
      'fold: an image of 3 × 3 has 1 × 1 windows, and L must be 1 (4); got x [1, 8, 4]',
    );
    expect(() => fold(counted([1, 4, 8]), 0, 2)).toThrow(/^fold: the size must be a whole number above 0/);
  });
});
