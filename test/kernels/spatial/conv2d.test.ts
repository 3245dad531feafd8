import { describe, expect, it } from 'vitest';
import { cast } from '../../../src/kernels/elementwise/cast.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { type ConvTranspose2dOptions, convTranspose2d } from '../../../src/kernels/spatial/conv-transpose2d.ts';
import { type Conv1dOptions, type Conv2dOptions, conv1d, conv2d } from '../../../src/kernels/spatial/conv2d.ts';
import type { Pair } from '../../../src/kernels/spatial/pairs.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { type Shape, size } from '../../../src/tensor/values/shape.ts';
import { checkOp, close, normal, type Ref, ref, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

type Four = [number, number, number, number];

const both = (pair: Pair): readonly [number, number] => (typeof pair === 'number' ? [pair, pair] : pair);

/** Straight from the definition. */
function refConv2d(x: Ref, weight: Ref, bias: Ref | undefined, options: Conv2dOptions): Ref {
  const { stride = 1, padding = 0, dilation = 1, groups = 1, channels = 'last' } = options;
  const [out, inputs, high, wide] = weight.shape as Four;
  const [strideDown, strideAcross] = both(stride);
  const [down, over] = both(dilation);
  const around = padding === 'same' ? [down * (high - 1), over * (wide - 1)] : both(padding).map((one) => 2 * one);
  const [top, left] = around.map((one) => Math.floor(one / 2)) as [number, number];
  const [batch, ...sides] = x.shape as Four;
  const [height, across] = channels === 'first' ? [sides[1], sides[2]] : [sides[0], sides[1]];
  const all = inputs * groups;
  const pixel = (b: number, i: number, j: number, c: number): number => {
    if (i < 0 || i >= height || j < 0 || j >= across) return 0;
    const at =
      channels === 'first' ? ((b * all + c) * height + i) * across + j : ((b * height + i) * across + j) * all + c;
    return x.data[at] as number;
  };
  const rows = Math.floor((height + around[0]! - down * (high - 1) - 1) / strideDown) + 1;
  const cols = Math.floor((across + around[1]! - over * (wide - 1) - 1) / strideAcross) + 1;
  const y = ref([batch, rows, cols, out], new Float64Array(batch * rows * cols * out));
  let at = 0;
  for (let b = 0; b < batch; b++)
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < cols; j++)
        for (let d = 0; d < out; d++) {
          const first = Math.floor(d / (out / groups)) * inputs;
          let sum = bias?.data[d] ?? 0;
          for (let c = 0; c < inputs; c++)
            for (let u = 0; u < high; u++)
              for (let v = 0; v < wide; v++)
                sum +=
                  (weight.data[((d * inputs + c) * high + u) * wide + v] as number) *
                  pixel(b, i * strideDown + u * down - top, j * strideAcross + v * over - left, first + c);
          y.data[at++] = options.activation === 'relu' ? Math.max(sum, 0) : sum;
        }
  return channels === 'first' ? channelsFirst(y) : y;
}

/** `[B, h, w, D]` → `[B, D, h, w]`. */
function channelsFirst({ shape, data }: Ref): Ref {
  const [batch, rows, cols, out] = shape as Four;
  const turned = ref([batch, out, rows, cols], new Float64Array(data.length));
  data.forEach((value, at) => {
    const [place, d] = [Math.floor(at / out), at % out];
    const [b, within] = [Math.floor(place / (rows * cols)), place % (rows * cols)];
    turned.data[(b * out + d) * rows * cols + within] = value;
  });
  return turned;
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
check('dilated', { dilation: 2, padding: 2 }, [
  [[2, 7, 6, 3], [4, 3, 3, 3], [4]],
  [[1, 9, 8, 4], [5, 4, 3, 3], [5]],
]);
check('dilated, stride 2, another padding across', { dilation: 3, stride: 2, padding: [2, 0] }, [
  [[2, 7, 9, 3], [4, 3, 3, 2], [4]],
]);
check('of another stride, padding and dilation across', { stride: [2, 1], padding: [1, 2], dilation: [1, 2] }, [
  [[2, 7, 6, 3], [4, 3, 3, 2], [4]],
  [[1, 5, 9, 4], [5, 4, 2, 3], [5]],
]);
check('of another stride and dilation down', { stride: [1, 3], dilation: [3, 1], padding: 1 }, [
  [[2, 6, 7, 4], [4, 4, 2, 3], [4]],
]);
check('of the same size', { padding: 'same' }, [
  [[2, 4, 5, 3], [4, 3, 2, 4], [4]],
  [[1, 3, 2, 4], [2, 4, 3, 5], [2]],
]);
check('of the same size, dilated, in groups', { padding: 'same', dilation: [1, 3], groups: 2 }, [
  [[1, 4, 5, 4], [4, 2, 3, 2], [4]],
]);
check('padded across only', { padding: [0, 2] }, [[[1, 3, 4, 5], [3, 5, 2, 3], [3]]]);
check('in groups', { groups: 2, padding: 1 }, [
  [[0, 5, 5, 6], [4, 3, 3, 3], [4]],
  [[2, 5, 4, 6], [4, 3, 3, 3], [4]],
  [
    [1, 6, 7, 8],
    [6, 4, 3, 3],
  ],
]);
check('depthwise, and an activation', { groups: 4, activation: 'relu' }, [[[1, 4, 4, 4], [4, 1, 3, 3], [4]]]);
check('depthwise', { groups: 5, stride: 2, padding: 1 }, [
  [[0, 6, 7, 5], [5, 1, 3, 3], [5]],
  [[2, 6, 7, 5], [5, 1, 3, 3], [5]],
  [[2, 5, 4, 5], [10, 1, 3, 3], [10]],
]);
check('1 × 1, in groups, channels first', { groups: 3, channels: 'first' }, [[[2, 6, 4, 3], [9, 2, 1, 1], [9]]]);
check('1 × 1, channels first', { channels: 'first' }, [[[2, 5, 4, 3], [8, 5, 1, 1], [8]]]);

for (const [name, options, ...shapes] of [
  ['plain', {}, [2, 9, 3], [4, 3, 3], [4]],
  ['padded, stride 2', { padding: 1, stride: 2 }, [2, 17, 4], [5, 4, 3], [5]],
  ['dilated, in groups', { dilation: 2, padding: 3, groups: 2 }, [1, 9, 4], [6, 2, 4]],
  ['channels first', { channels: 'first', padding: 1 }, [2, 3, 9], [4, 3, 3], [4]],
  ['of the same size', { padding: 'same', dilation: 2 }, [2, 5, 3], [4, 3, 2]],
  ['one pixel', {}, [2, 5, 3], [4, 3, 1]],
  ['of no images', {}, [0, 5, 3], [4, 3, 2]],
] as readonly (readonly [string, Conv1dOptions, ...Shape[]])[]) {
  checkOp(`conv1d ${name}`, (x, weight, bias) => conv1d(x!, weight!, { ...options, ...(bias && { bias }) }), {
    reference: ([x, weight, bias]) => {
      const image = ref(x!.shape.toSpliced(options.channels === 'first' ? 2 : 1, 0, 1), x!.data);
      const tall = ref(weight!.shape.toSpliced(2, 0, 1), weight!.data);
      const y = refConv2d(image, tall, bias, {
        ...options,
        stride: [1, options.stride ?? 1],
        dilation: [1, options.dilation ?? 1],
        padding: options.padding === 'same' ? 'same' : [0, options.padding ?? 0],
      });
      return ref(y.shape.toSpliced(options.channels === 'first' ? 2 : 1, 1), y.data);
    },
    cases: [shapes],
    tolerance: { forward: 2e-6, gradient: 2e-5 },
  });
}

/** Every pixel adds its multiple of the weight to a window. */
function refTranspose(x: Ref, weight: Ref, bias: Ref | undefined, options: ConvTranspose2dOptions): Ref {
  const [stride, padding, more, dilation] = [
    both(options.stride ?? 1),
    both(options.padding ?? 0),
    both(options.outputPadding ?? 0),
    both(options.dilation ?? 1),
  ];
  const { groups = 1 } = options;
  const [inputs, each, high, wide] = weight.shape as Four;
  const out = each * groups;
  const isFirst = options.channels === 'first';
  const [batch, rows, cols] = (isFirst ? [x.shape[0], x.shape[2], x.shape[3]] : x.shape) as Four;
  const side = (axis: 0 | 1, n: number, k: number) =>
    (n - 1) * stride[axis] - 2 * padding[axis] + dilation[axis] * (k - 1) + 1 + more[axis];
  const [height, across] =
    options.outputSize === undefined ? [side(0, rows, high), side(1, cols, wide)] : both(options.outputSize);
  const y = ref(
    [batch, height, across, out],
    Float64Array.from({ length: batch * height * across * out }, (_, i) => bias?.data[i % out] ?? 0),
  );
  for (let b = 0; b < batch; b++)
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < cols; j++)
        for (let c = 0; c < inputs; c++)
          for (let e = 0; e < each; e++)
            for (let u = 0; u < high; u++)
              for (let v = 0; v < wide; v++) {
                const d = Math.floor(c / (inputs / groups)) * each + e;
                const row = i * stride[0] + u * dilation[0] - padding[0];
                const col = j * stride[1] + v * dilation[1] - padding[1];
                if (row < 0 || row >= height || col < 0 || col >= across) continue;
                const at = isFirst
                  ? ((b * inputs + c) * rows + i) * cols + j
                  : ((b * rows + i) * cols + j) * inputs + c;
                y.data[((b * height + row) * across + col) * out + d]! +=
                  x.data[at]! * weight.data[((c * each + e) * high + u) * wide + v]!;
              }
  return isFirst ? channelsFirst(y) : y;
}

for (const [name, options, ...shapes] of [
  ['plain', {}, [2, 3, 4, 3], [3, 2, 3, 3], [2]],
  ['stride 2', { stride: 2 }, [2, 4, 3, 4], [4, 4, 2, 2], [4]],
  ['stride 2, padded', { stride: 2, padding: 1, outputPadding: 1 }, [1, 4, 5, 3], [3, 4, 3, 3]],
  ['stride 3, with gaps', { stride: 3 }, [1, 3, 2, 3], [3, 5, 2, 1], [5]],
  ['dilated', { dilation: 2, padding: 1 }, [2, 4, 3, 2], [2, 3, 3, 2], [3]],
  [
    'another way down',
    { stride: [3, 1], padding: [0, 1], outputPadding: [2, 0], dilation: [1, 2] },
    [2, 3, 4, 2],
    [2, 3, 2, 3],
    [3],
  ],
  ['channels first', { stride: 2, channels: 'first' }, [2, 3, 4, 5], [3, 2, 2, 2], [2]],
  ['of no images', { stride: 2 }, [0, 4, 3, 4], [4, 4, 2, 2]],
  ['to a size', { stride: 2, padding: 1, outputSize: [8, 7] }, [1, 4, 4, 3], [3, 2, 3, 3]],
  ['in groups', { groups: 2, stride: 2 }, [2, 3, 2, 4], [4, 3, 2, 2], [6]],
  ['depthwise', { groups: 3, stride: 2, padding: 1 }, [1, 4, 3, 3], [3, 2, 3, 3], [6]],
  ['in groups, channels first', { groups: 2, channels: 'first' }, [2, 4, 3, 2], [4, 1, 2, 2]],
] as readonly (readonly [string, ConvTranspose2dOptions, ...Shape[]])[]) {
  checkOp(
    `convTranspose2d ${name}`,
    (x, weight, bias) => convTranspose2d(x!, weight!, { ...options, ...(bias && { bias }) }),
    {
      reference: ([x, weight, bias]) => refTranspose(x!, weight!, bias, options),
      cases: [shapes],
      tolerance: { forward: 2e-6, gradient: 2e-5 },
    },
  );
}

describe('errors of conv1d and convTranspose2d', () => {
  const zeros = (...shape: number[]) => tensor(device.current, new Float32Array(size(shape)), shape);

  it('say what does not fit', () => {
    expect(() => conv1d(zeros(2, 3), zeros(4, 3, 3))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: conv1d: x must be [B, L, C]; got x [2, 3], weight [4, 3, 3]]`,
    );
    expect(() => conv1d(zeros(2, 9, 4), zeros(4, 3, 3))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: conv1d: x must be [B, L, C] with the C of the weight; got x [2, 9, 4], weight [4, 3, 3]]`,
    );
    expect(() => conv1d(zeros(2, 9, 3), zeros(4, 3))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: conv1d: the weight must be [D, C, k], with inputs; got x [2, 9, 3], weight [4, 3]]`,
    );
    expect(() => conv2d(zeros(1, 8, 8, 4), zeros(6, 2, 3, 3), { groups: 4 })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: conv2d: the groups must be a whole number that divides D (4 and 6); got x [1, 8, 8, 4], weight [6, 2, 3, 3]]`,
    );
    expect(() => conv2d(zeros(1, 8, 8, 4), zeros(8, 2, 3, 3), { groups: 4 })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: conv2d: x must be [B, H, W, C] with 4 times the C of the weight (8); got x [1, 8, 8, 4], weight [8, 2, 3, 3]]`,
    );
    expect(() => conv2d(zeros(1, 8, 8, 4), zeros(8, 4, 5, 5), { dilation: 2 })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: conv2d: a window of 5 × 5, dilated by 2 does not fit, with padding 0; got x [1, 8, 8, 4], weight [8, 4, 5, 5]]`,
    );
    expect(() => conv2d(zeros(1, 8, 8, 4), zeros(8, 4, 5, 5), { dilation: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: conv2d: the dilation must be a whole number above 0 (0); got x [1, 8, 8, 4], weight [8, 4, 5, 5]]`,
    );
    expect(() => conv2d(zeros(1, 8, 8, 4), zeros(8, 4, 5, 5), { dilation: [1, 2, 1] as never })).toThrow(
      'conv2d: the dilation must be a whole number above 0, or two of them, [down, across] ([1, 2, 1]); got x [1, 8, 8, 4]',
    );
    expect(() => conv2d(zeros(1, 8, 8, 4), zeros(8, 4, 5, 5), { stride: [1, 0] })).toThrow(
      'conv2d: the stride must be a whole number above 0, or two of them, [down, across] ([1, 0]); got x [1, 8, 8, 4]',
    );
    expect(() => conv2d(zeros(1, 8, 8, 4), zeros(8, 4, 3, 3), { stride: [1, 2], padding: 'same' })).toThrow(
      "conv2d: the padding 'same' needs a stride of 1 (1 and 2); got x [1, 8, 8, 4], weight [8, 4, 3, 3]",
    );
    expect(() => conv2d(zeros(1, 8, 8, 4), zeros(8, 4, 3, 3), { padding: 'full' as never })).toThrow(
      "conv2d: the padding must be a whole number, 0 or more (the string 'full'); got x [1, 8, 8, 4], weight [8, 4, 3, 3]",
    );
    expect(() => conv1d(zeros(2, 9, 3), zeros(4, 3, 3), { stride: [1, 2] as never })).toThrow(
      'conv1d: the stride must be a whole number above 0 (a list); got x [2, 9, 3], weight [4, 3, 3]',
    );
    const x = zeros(1, 3, 3, 4);
    expect(() => convTranspose2d(x, zeros(4, 2, 2, 2), { padding: [0, 0.5] })).toThrow(
      'convTranspose2d: the padding must be a whole number, 0 or more, or two of them, [down, across] ([0, 0.5]); got x',
    );
    expect(() => convTranspose2d(x, zeros(4, 2, 2, 2), { stride: [2, 1], outputPadding: 1 })).toThrow(
      'convTranspose2d: the outputPadding must be below the stride or the dilation (1); got x [1, 3, 3, 4]',
    );
    expect(() => convTranspose2d(x, zeros(3, 4, 2, 2))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: convTranspose2d: x must be [B, H, W, C] with the C of the weight; got x [1, 3, 3, 4], weight [3, 4, 2, 2]]`,
    );
    expect(() => convTranspose2d(x, zeros(4, 2))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: convTranspose2d: the weight must be [C, D / groups, kh, kw], with inputs and outputs; got x [1, 3, 3, 4], weight [4, 2]]`,
    );
    expect(() => convTranspose2d(x, zeros(4, 2, 1, 1), { padding: 2 })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: convTranspose2d: nothing is left of 3 × 3 windows, with padding 2; got x [1, 3, 3, 4], weight [4, 2, 1, 1]]`,
    );
    expect(() => convTranspose2d(x, zeros(4, 2, 2, 2), { outputPadding: 1 })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: convTranspose2d: the outputPadding must be below the stride or the dilation (1); got x [1, 3, 3, 4], weight [4, 2, 2, 2]]`,
    );
    expect(() => convTranspose2d(x, zeros(4, 2, 2, 2), { groups: 3 })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: convTranspose2d: the groups must be a whole number that divides C (3 and 4); got x [1, 3, 3, 4], weight [4, 2, 2, 2]]`,
    );
    expect(() =>
      convTranspose2d(x, zeros(4, 2, 2, 2), { stride: 2, outputSize: [7, 8] }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: convTranspose2d: the outputSize must be from [6, 6] to [7, 7]; got x [1, 3, 3, 4], weight [4, 2, 2, 2]]`,
    );
    expect(() => convTranspose2d(x, zeros(4, 2, 2, 2), { stride: 2, outputSize: 5 })).toThrow(
      'convTranspose2d: the outputSize must be from [6, 6] to [7, 7]; got x',
    );
    expect(() => convTranspose2d(x, zeros(4, 2, 2, 2), { outputPadding: 0, outputSize: 4 })).toThrow(
      'convTranspose2d: outputPadding and outputSize exclude each other; got x',
    );
    expect(() => convTranspose2d(x, zeros(4, 2, 2, 2), { bias: zeros(3) })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: convTranspose2d: the bias must be [D]; got x [1, 3, 3, 4], weight [4, 2, 2, 2], bias [3]]`,
    );
  });
});

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
