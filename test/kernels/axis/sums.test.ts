import { describe, expect, it } from 'vitest';
import { mean, sum, sumRows } from '../../../src/kernels/axis/reduce.ts';
import { add, mul } from '../../../src/kernels/elementwise/binary.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { exp } from '../../../src/kernels/elementwise/unary.ts';
import { embedding, scatterAdd } from '../../../src/kernels/layout/gather.ts';
import { broadcastTo } from '../../../src/kernels/layout/layout.ts';
import { linear, matmul } from '../../../src/kernels/matmul/matmul.ts';
import { mlp } from '../../../src/kernels/matmul/mlp.ts';
import { patchEmbed } from '../../../src/kernels/matmul/patchify.ts';
import { crossEntropy } from '../../../src/kernels/row-ops/cross-entropy.ts';
import { l2Normalize } from '../../../src/kernels/row-ops/l2-normalize.ts';
import { layerNorm } from '../../../src/kernels/row-ops/layer-norm.ts';
import { l1, mse } from '../../../src/kernels/row-ops/losses.ts';
import { logSoftmax, softmax } from '../../../src/kernels/row-ops/softmax.ts';
import { conv2d } from '../../../src/kernels/spatial/conv2d.ts';
import { assignNormalise, gumbelSoftmax } from '../../../src/kernels/zeroseg/grouping.ts';
import { unshuffle } from '../../../src/kernels/zeroseg/masking.ts';
import { reconstruction } from '../../../src/kernels/zeroseg/reconstruction.ts';
import { distill, segmentMatch } from '../../../src/kernels/zeroseg/segment-match.ts';
import { AdamW } from '../../../src/nn/optimizer/adamw.ts';
import { fill } from '../../../src/tensor/graph/fill.ts';
import { tensor, variable } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { run } from '../../../src/tensor/run/step.ts';
import type { Shape } from '../../../src/tensor/values/shape.ts';
import { useDevice } from '../../support/device.ts';

// Many equal numbers, added one after the other, are all rounded to the same side: n of them are off by up to n · 2⁻²⁶ of the sum,
// 130,000 by a thousandth. Every op that adds up, with more numbers than that can be hidden from.

const device = useDevice();
/** Their sums' bits are not all zeros, and one after the other they err by much. */
const values = [0.1, 0.57];
const f32 = Math.fround;
const filled = (shape: Shape, value: number): Tensor => fill(device.current, shape, value);
const ids = (n: number, id = 0): Tensor => tensor(device.current, new Uint32Array(n).fill(id), [n]);

interface Sum {
  /** The op for a value; all elements of its result are the same. */
  readonly op: (value: number) => Tensor | Promise<Tensor>;
  /** What they are, for the value as f32. */
  readonly want: (value: number) => number;
}
/** The sum of `n` copies of the value, and their mean. */
const total = (n: number, op: Sum['op']): Sum => ({ op, want: (v) => n * v });
const average = (op: Sum['op']): Sum => ({ op, want: (v) => v });

const LAYOUTS: readonly (readonly [Shape, number | number[]])[] = [
  [[2_000_000], 0],
  [[1, 1_000_003], 1],
  [[3, 400_001], 1],
  [[64, 20_000], 1],
  [[130_000, 8], 0],
  [[70_000, 32], 0],
  [[200_000, 5], 0],
  [[1_000_001, 1], 0],
  [[2, 70_001, 5], 1],
  [[3, 70_000, 4], 1],
  [
    [300, 8, 600],
    [0, 2],
  ],
  [
    [70, 3, 50, 2, 70],
    [0, 2, 4],
  ],
];

/** The gradient of input `which` of an op, where `value` arrives everywhere. */
function gradient(value: number, which: number, inputs: readonly Tensor[], op: (...xs: Tensor[]) => Tensor): Tensor {
  const y = op(...inputs);
  return gradients(y, inputs, filled(y.shape, value))[which] as Tensor;
}

const N = 130_000;
const sums: Readonly<Record<string, Sum>> = {
  ...Object.fromEntries(
    LAYOUTS.map(([shape, axes]) => [
      `mean of [${shape}] over ${axes}`,
      average((v) => mean(filled(shape, v), { axes })),
    ]),
  ),
  'sum of everything': total(N * 8, (v) => sum(filled([N, 8], v))),
  'sum of rows': total(N, (v) => sumRows(filled([N, 12], v))),
  l1: average((v) => l1(filled([N, 16], v), filled([N, 16], 0))),
  mse: { op: (v) => mse(filled([N, 16], v), filled([N, 16], 0)), want: (v) => v * v },
  // With logits of 0 and log(1 / p - 1) the loss is that of the class p, for every row.
  crossEntropy: average((v) => {
    const logits = broadcastTo(tensor(device.current, [0, Math.log(Math.expm1(v))], [1, 2]), [N, 2]);
    return crossEntropy(logits, ids(N));
  }),
  'crossEntropy over many classes': average((v) => {
    const row = filled([1, N], v);
    return mul(exp(crossEntropy(row, ids(1))), filled([], v / N));
  }),
  reconstruction: {
    op: (v) =>
      reconstruction(filled([1, 1, 200, 200], v), filled([1, 40_000, 1], 0), filled([1, 40_000], 1), { patch: 1 }),
    want: (v) => v * v,
  },
  'reconstruction of one large patch': {
    op: (v) =>
      reconstruction(filled([1, 1, 700, 700], v), filled([1, 1, 490_000], 0), filled([1, 1], 1), { patch: 700 }),
    want: (v) => v * v,
  },
  distill: average((v) => distill(filled([2, 4], 0), filled([2, N, 4], v))),
  'segmentMatch over segments': average(
    (v) => segmentMatch(filled([1, N, 4], 0), filled([1, 2, 4], v), { segments: 'mean' }).loss,
  ),
  'segmentMatch over features': average(
    (v) => segmentMatch(filled([1, 2, N], 0), filled([1, 2, N], v), { segments: 'mean' }).loss,
  ),
  // Rows 1, -1, 1, -1: their own statistics are 0 and 1.
  'gamma of layerNorm': total(N, (v) => {
    const x = broadcastTo(tensor(device.current, [1, 1, 1, 1, -1, -1, -1, -1], [1, 8]), [N, 8]);
    const dy = broadcastTo(tensor(device.current, [v, v, v, v, -v, -v, -v, -v], [1, 8]), [N, 8]);
    return gradients(layerNorm(x, w8(), b8(), 0), [w8()], dy)[0] as Tensor;
  }),
  'beta of layerNorm': total(N, (v) =>
    gradient(v, 2, [filled([N, 8], 1), w8(), b8()], (x, w, b) => layerNorm(x!, w!, b!, 1)),
  ),
  'beta of layerNorm, ragged': total(N, (v) =>
    gradient(v, 2, [filled([N, 3], 1), filled([3], 1), filled([3], 0)], (x, w, b) => layerNorm(x!, w!, b!, 1)),
  ),
  l2Normalize: { op: (v) => l2Normalize(filled([2, 500_000], v)), want: () => 1 / Math.sqrt(500_000) },
  'l2Normalize, ragged': { op: (v) => l2Normalize(filled([1, 500_001], v)), want: () => 1 / Math.sqrt(500_001) },
  // One element of 0 and others below it: what they have in common is 1 / (1 + n · e^-v).
  softmax: {
    op: (v) => lastOf(softmax(stepUp(v))),
    want: (v) => 1 / (1 + (N - 1) * Math.exp(-v)),
  },
  logSoftmax: {
    op: (v) => exp(lastOf(logSoftmax(stepUp(v)))),
    want: (v) => 1 / (1 + (N - 1) * Math.exp(-v)),
  },
  gumbelSoftmax: {
    op: (v) => lastOf(gumbelSoftmax(stepUp(v)).soft),
    want: (v) => 1 / (1 + (N - 1) * Math.exp(-v)),
  },
  assignNormalise: { op: (v) => assignNormalise(filled([2, N], v)), want: (v) => v / (N * v + 1) },
  'bias of linear': total(N, (v) =>
    gradient(v, 2, [filled([N, 8], 0), filled([16, 8], 0), filled([16], 0)], (x, w, b) => linear(x!, w!, { bias: b })),
  ),
  'weight of linear': total(N, (v) =>
    gradient(v, 1, [filled([N, 8], 1), filled([16, 8], 0), filled([16], 0)], (x, w, b) => linear(x!, w!, { bias: b })),
  ),
  'weight of linear, ragged': total(N + 1, (v) =>
    gradient(v, 1, [filled([N + 1, 3], 1), filled([5, 3], 0)], (x, w) => linear(x!, w!)),
  ),
  'bias of linear over a batch': total(N, (v) =>
    gradient(v, 2, [filled([10, N / 10, 4], 0), filled([4, 4], 0), filled([4], 1)], (x, w, b) =>
      linear(x!, w!, { bias: b, activation: 'relu' }),
    ),
  ),
  'biases of mlp': {
    op: (v) =>
      gradient(
        v,
        4,
        [filled([N, 4], 1), filled([4, 4], 1), filled([4, 4], 1), filled([4], 1), filled([4], 1)],
        (x, weight1, weight2, bias1, bias2) =>
          mlp(x!, { weight1: weight1!, weight2: weight2!, bias1, bias2 }, { activation: 'relu' }),
      ),
    want: (v) => N * v,
  },
  'matmul over a long inner axis': total(1_000_000, (v) =>
    matmul(filled([2, 1_000_000], v), filled([1_000_000, 4], 1)),
  ),
  'matmul over 3072': total(3072, (v) => matmul(filled([16, 3072], v), filled([3072, 16], 1))),
  'matmul over 777': total(777, (v) => matmul(filled([16, 777], v), filled([777, 15], 1))),
  'matmul whose operand a batch shares': total(N, (v) =>
    gradient(v, 1, [filled([N / 4, 4, 4], 1), filled([1, 4, 4], 1)], (a, b) => matmul(a!, b!)),
  ),
  'bias of conv2d': total(2 * 200 * 200, (v) =>
    gradient(v, 2, [filled([2, 200, 200, 4], 0), filled([8, 4, 1, 1], 0), filled([8], 0)], (x, weight, bias) =>
      conv2d(x!, weight!, { bias }),
    ),
  ),
  'weight of conv2d': total(2 * 200 * 200, (v) =>
    gradient(v, 1, [filled([2, 202, 202, 1], 1), filled([8, 1, 3, 3], 0)], (x, weight) => conv2d(x!, weight!)),
  ),
  'bias of patchEmbed': total(200 * 200, (v) =>
    gradient(v, 2, [filled([1, 1, 400, 400], 0), filled([4, 1, 2, 2], 0), filled([4], 0)], (x, weight, bias) =>
      patchEmbed(x!, weight!, bias),
    ),
  ),
  'a row that add stretches': total(N, (v) =>
    gradient(v, 1, [filled([N, 5], 1), filled([5], 1)], (a, b) => add(a!, b!)),
  ),
  'a column that mul stretches': total(N, (v) =>
    gradient(v, 1, [filled([3, N], 1), filled([3, 1], 1)], (a, b) => mul(a!, b!)),
  ),
  'a number that mul stretches': total(N * 4, (v) =>
    gradient(v, 1, [filled([N, 4], 1), filled([], 1)], (a, b) => mul(a!, b!)),
  ),
  'what broadcastTo stretches': total(N * 2, (v) =>
    gradient(v, 0, [filled([1, 6, 1], 1)], (x) => broadcastTo(x!, [N, 6, 2])),
  ),
  'a row of a table': total(N, (v) => gradient(v, 0, [filled([1, 4], 1)], (table) => embedding(table!, ids(N)))),
  scatterAdd: total(N, (v) => scatterAdd(filled([1, N, 5], v), tensor(device.current, new Uint32Array(N), [1, N]), 1)),
  'the token of unshuffle': total(N, (v) =>
    gradient(v, 1, [filled([1, 0, 6], 1), filled([1, 1, 6], 1)], (visible, token) =>
      unshuffle(
        visible!,
        token!,
        tensor(
          device.current,
          Uint32Array.from({ length: N }, (_, i) => i),
          [1, N],
        ),
      ),
    ),
  ),
  'the norm that clips': {
    op: async (v) => {
      const parameter = variable(device.current, [1000, 1500]);
      const optimizer = new AdamW(device.current, [['p', parameter]], { maxNorm: 1 });
      const hyper = tensor(device.current, optimizer.hyperparameters(1, 0));
      const norm = await run(device.current, () => optimizer.update([filled([1000, 1500], v)], hyper).norm);
      return tensor(device.current, norm, []);
    },
    want: (v) => v * Math.sqrt(1_500_000),
  },
};

const w8 = () => (weights ??= variable(device.current, [8], new Float32Array(8).fill(1)));
const b8 = () => (biases ??= variable(device.current, [8]));
let weights: Tensor | undefined;
let biases: Tensor | undefined;

/** `-v` everywhere but at the end, `[N]`. */
const stepUp = (v: number) =>
  tensor(
    device.current,
    Float32Array.from({ length: N }, (_, i) => (i === N - 1 ? 0 : -v)),
  );
/** The last element of a vector. */
const lastOf = (x: Tensor) =>
  matmul(
    reshaped(x),
    reshaped(
      tensor(
        device.current,
        Float32Array.from({ length: N }, (_, i) => Number(i === N - 1)),
      ),
    ),
    { transposeB: true },
  );
const reshaped = (x: Tensor) => broadcastTo(x, [1, N]);

async function worstOf({ op, want }: Sum): Promise<string> {
  let worst = 0;
  for (const value of values) {
    const wanted = want(f32(value));
    for (const got of await read(await op(f32(value))))
      worst = Math.max(worst, Math.abs(got / wanted - 1) || Number(got !== wanted));
  }
  return worst <= 1e-6 ? '1e-6' : worst.toExponential(1);
}

describe('many equal numbers', () => {
  for (const [name, one] of Object.entries(sums)) {
    it(name, async () => {
      expect(await worstOf(one)).toBe('1e-6');
    });
  }
});
