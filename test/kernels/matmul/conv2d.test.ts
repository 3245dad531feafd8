import { describe, expect, it } from 'vitest';
import { cast } from '../../../src/kernels/elementwise/cast.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { type Conv2dOptions, conv2d } from '../../../src/kernels/matmul/conv2d.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { type Shape, size } from '../../../src/tensor/values/shape.ts';
import { checkOp, close, normal, type Ref, ref, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

type Four = [number, number, number, number];

/** Straight from the definition. */
function refConv2d(x: Ref, weight: Ref, bias: Ref | undefined, options: Conv2dOptions): Ref {
  const { stride = 1, padding = 0, channels = 'last' } = options;
  const [out, inputs, high, wide] = weight.shape as Four;
  const [batch, ...sides] = x.shape as Four;
  const [height, across] = channels === 'first' ? [sides[1], sides[2]] : [sides[0], sides[1]];
  const pixel = (b: number, i: number, j: number, c: number): number => {
    if (i < 0 || i >= height || j < 0 || j >= across) return 0;
    const at =
      channels === 'first'
        ? ((b * inputs + c) * height + i) * across + j
        : ((b * height + i) * across + j) * inputs + c;
    return x.data[at] as number;
  };
  const rows = Math.floor((height + 2 * padding - high) / stride) + 1;
  const cols = Math.floor((across + 2 * padding - wide) / stride) + 1;
  const y = ref([batch, rows, cols, out], new Float64Array(batch * rows * cols * out));
  let at = 0;
  for (let b = 0; b < batch; b++)
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < cols; j++)
        for (let d = 0; d < out; d++) {
          let sum = bias?.data[d] ?? 0;
          for (let c = 0; c < inputs; c++)
            for (let u = 0; u < high; u++)
              for (let v = 0; v < wide; v++)
                sum +=
                  (weight.data[((d * inputs + c) * high + u) * wide + v] as number) *
                  pixel(b, i * stride + u - padding, j * stride + v - padding, c);
          y.data[at++] = sum;
        }
  return y;
}

const check = (name: string, options: Conv2dOptions, cases: readonly (readonly Shape[])[]) =>
  checkOp(
    `conv2d ${name}`,
    (x, weight, bias) => conv2d(x as Tensor, weight as Tensor, { ...options, ...(bias && { bias }) }),
    {
      reference: ([x, weight, bias]) => refConv2d(x as Ref, weight as Ref, bias, options),
      cases,
      tolerance: { forward: 2e-6, gradient: 2e-5 },
    },
  );

check('1 × 1', {}, [
  [[1, 1, 1, 1], [1, 1, 1, 1], [1]],
  [[2, 5, 3, 16], [7, 16, 1, 1], [7]],
]);
check('1 × 1, every other pixel', { stride: 2 }, [[[2, 5, 4, 5], [8, 5, 1, 1], [8]]]);
check('3 × 3', {}, [
  [
    [1, 3, 3, 1],
    [1, 1, 3, 3],
  ],
  [[2, 7, 5, 3], [4, 3, 3, 3], [4]],
  [
    [0, 5, 5, 4],
    [4, 4, 3, 3],
  ],
]);
check('3 × 3, padded', { padding: 1 }, [
  [[1, 1, 1, 5], [3, 5, 3, 3], [3]],
  [[2, 6, 9, 16], [5, 16, 3, 3], [5]],
  [[1, 2, 40, 36], [9, 36, 3, 3], [9]],
]);
check('3 × 3, stride 2, padded', { stride: 2, padding: 1 }, [
  [[2, 8, 8, 16], [24, 16, 3, 3], [24]],
  [[2, 7, 6, 5], [8, 5, 3, 3], [8]],
  [[3, 1, 2, 4], [4, 4, 3, 3], [4]],
]);
check('5 × 5, stride 2', { stride: 2 }, [[[1, 9, 12, 4], [3, 4, 5, 5], [3]]]);
check('5 × 5, stride 3, padded', { stride: 3, padding: 2 }, [[[2, 8, 7, 3], [6, 3, 5, 5], [6]]]);
check('windows that leave pixels out', { stride: 3 }, [[[2, 8, 9, 4], [4, 4, 2, 2], [4]]]);
check('windows that are not square', { stride: 2, padding: 1 }, [[[2, 6, 9, 8], [4, 8, 1, 5], [4]]]);
check('channels first', { stride: 2, padding: 1, channels: 'first' }, [
  [[2, 3, 16, 16], [16, 3, 3, 3], [16]],
  [[2, 3, 7, 10], [5, 3, 3, 3], [5]],
  [
    [1, 16, 5, 8],
    [4, 16, 3, 3],
  ],
]);
check('1 × 1, channels first', { channels: 'first' }, [[[2, 5, 4, 3], [8, 5, 1, 1], [8]]]);

describe('conv2d', () => {
  const zeros = (...shape: number[]) => tensor(device.current, new Float32Array(size(shape)), shape);

  it('does not compute the gradient of an image that needs none', async () => {
    const [x, weight] = [zeros(1, 3, 8, 8), zeros(4, 3, 3, 3)];
    using made = await step(device.current, {}, () => {
      const y = conv2d(x, weight, { stride: 2, padding: 1, channels: 'first' });
      return gradients(y, [weight], y);
    });
    expect(made.launches.map(({ kernel }) => kernel.name).includes('fold')).toBe(false);
  });

  it('computes in f16', async ({ skip }) => {
    skip(!device.current.features.has('shader-f16'), 'this device has no f16');
    const random = seeded(3);
    const some = (...shape: number[]) =>
      tensor(
        device.current,
        Float32Array.from({ length: size(shape) }, () => Math.round(normal(random) * 64) / 64),
        shape,
      );
    for (const channels of [4, 3]) {
      const inputs = [some(2, 8, 6, channels), some(8, channels, 3, 3), some(8)];
      const seed = some(2, 4, 3, 8);
      const all = ([x, weight, bias]: readonly Tensor[], dy: Tensor) => {
        const y = conv2d(x as Tensor, weight as Tensor, { bias, stride: 2, padding: 1 });
        return [y, ...gradients(y, [x as Tensor, weight as Tensor, bias as Tensor], dy)];
      };
      const want = await readAll(all(inputs, seed));
      const half = all(
        inputs.map((x) => cast(x, 'f16')),
        cast(seed, 'f16'),
      );
      const got = await readAll(half.map((x) => cast(x, 'f32')));
      want.forEach((one, i) => {
        close(got[i] as Float32Array, one, 6e-3, `result ${i}`);
      });
    }
  });

  it('says what does not fit', () => {
    expect(() => conv2d(zeros(8, 8, 3), zeros(4, 3, 3, 3))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: conv2d: x must be [B, H, W, C] with the C of the weight; got x [8, 8, 3], weight [4, 3, 3, 3]]`,
    );
    expect(() => conv2d(zeros(1, 3, 8, 8), zeros(4, 3, 3, 3))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: conv2d: x must be [B, H, W, C] with the C of the weight; got x [1, 3, 8, 8], weight [4, 3, 3, 3]]`,
    );
    expect(() =>
      conv2d(zeros(1, 8, 8, 3), zeros(4, 3, 3, 3), { channels: 'first' }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: conv2d: x must be [B, C, H, W] with the C of the weight; got x [1, 8, 8, 3], weight [4, 3, 3, 3]]`,
    );
    expect(() => conv2d(zeros(1, 8, 8, 3), zeros(4, 27))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: conv2d: the weight must be [D, C, kh, kw], with inputs; got x [1, 8, 8, 3], weight [4, 27]]`,
    );
    expect(() => conv2d(zeros(1, 8, 8, 3), zeros(4, 3, 3, 3), { bias: zeros(3) })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: conv2d: the bias must be [D]; got x [1, 8, 8, 3], weight [4, 3, 3, 3], bias [3]]`,
    );
    expect(() => conv2d(zeros(1, 8, 8, 3), zeros(4, 3, 3, 3), { stride: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: conv2d: the stride must be a whole number above 0 (0); got x [1, 8, 8, 3], weight [4, 3, 3, 3]]`,
    );
    expect(() => conv2d(zeros(1, 8, 8, 3), zeros(4, 3, 3, 3), { padding: -1 })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: conv2d: the padding must be a whole number, 0 or more (-1); got x [1, 8, 8, 3], weight [4, 3, 3, 3]]`,
    );
    expect(() => conv2d(zeros(1, 2, 8, 3), zeros(4, 3, 5, 5), { padding: 1 })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: conv2d: a window of 5 × 5 does not fit, with padding 1; got x [1, 2, 8, 3], weight [4, 3, 5, 5]]`,
    );
  });
});
