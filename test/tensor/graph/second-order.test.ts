import { describe, expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
import { type Shape, size } from '../../../src/tensor/values/shape.ts';
import * as kernels from '../../support/all-ops.ts';
import { normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

interface Case {
  /** Shapes of what gradients are asked for. */
  readonly of: readonly Shape[];
  readonly op: (...xs: Tensor[]) => Tensor;
  /** Values, where normal ones do not do. */
  readonly values?: (random: () => number) => number;
  /** Why its second derivatives are not there. */
  readonly once?: string;
  /** Of the differences. */
  readonly tolerance?: number;
}

const u32 = (values: number[], shape: Shape = [values.length]) => tensor(device.current, values, shape, 'u32');
const f32 = (values: number[], shape: Shape = [values.length]) => tensor(device.current, values, shape);
/** Values whose order does not change between two evaluations. */
const apart = () => {
  let i = 0;
  return () => ((5 * i++) % 8) / 4;
};
const once = 'a loss of the paper, in one kernel with its gradient: nobody differentiates it twice';
const positive = (random: () => number) => 0.5 + random();
const pair = (op: (a: Tensor, b: Tensor) => Tensor): Case => ({ of: [[2, 3], [3]], op, values: positive });
const one = (op: (x: Tensor) => Tensor, values = positive): Case => ({ of: [[2, 4]], op, values });
const {
  abs,
  add,
  addScalar,
  assignNormalise,
  attention,
  batchNormEval,
  broadcastTo,
  cast,
  clamp,
  concat,
  conv2d,
  crossAttention,
  crossEntropy,
  distill,
  div,
  embedding,
  exp,
  gelu,
  groupMembers,
  gumbelSoftmax,
  interpolate,
  interpolatePositions,
  keepRows,
  l1,
  l2Normalize,
  layerNorm,
  linear,
  log,
  logSoftmax,
  matmul,
  max,
  maximum,
  mean,
  min,
  minimum,
  mlp,
  mse,
  mul,
  neg,
  patchEmbed,
  patchify,
  patchNormalize,
  permute,
  qkvAttention,
  reconstruction,
  relu,
  reshape,
  scale,
  scatterAdd,
  segmentMatch,
  shuffleMask,
  sigmoid,
  sign,
  slice,
  softmax,
  split,
  sqrt,
  square,
  straightThrough,
  sub,
  sum,
  takeRows,
  tanh,
  unpatchify,
  unshuffle,
  where,
} = kernels;
const shuffle = () => shuffleMask(f32([0.3, 0.1, 0.2, 0.4], [1, 4]), 2);

/** Every op that has a gradient, by the name of its export. */
const cases: Readonly<Record<string, Case | readonly Case[]>> = {
  celu: one((x) => kernels.celu(x, 0.7), normal),
  cosh: one((x) => kernels.cosh(x)),
  exp2: one((x) => kernels.exp2(x)),
  glu: one((x) => kernels.glu(x)),
  hardsigmoid: one((x) => kernels.hardsigmoid(x)),
  hypot: pair((a, b) => kernels.hypot(a, b)),
  lerp: {
    of: [[2, 3], [3], [1]],
    op: (a, b, c) => kernels.lerp(a, b, c),
  },
  log10: one((x) => kernels.log10(x)),
  log2: one((x) => kernels.log2(x)),
  logaddexp: pair((a, b) => kernels.logaddexp(a, b)),
  prelu: { of: [[2, 3], [3]], op: (x, w) => kernels.prelu(x, w) },
  selu: one((x) => kernels.selu(x), normal),
  sinh: one((x) => kernels.sinh(x)),
  softsign: one((x) => kernels.softsign(x)),
  acos: one(
    (x) => kernels.acos(x),
    (random) => 0.6 * random(),
  ),
  asin: one(
    (x) => kernels.asin(x),
    (random) => 0.6 * random(),
  ),
  atan: one((x) => kernels.atan(x)),
  atan2: pair((a, b) => kernels.atan2(a, b)),
  cos: one((x) => kernels.cos(x)),
  elu: one((x) => kernels.elu(x)),
  erf: one((x) => kernels.erf(x)),
  expm1: one((x) => kernels.expm1(x)),
  hardswish: one((x) => kernels.hardswish(x)),
  leakyRelu: one((x) => kernels.leakyRelu(x)),
  log1p: one((x) => kernels.log1p(x)),
  logSigmoid: one((x) => kernels.logSigmoid(x)),
  mish: one((x) => kernels.mish(x)),
  reciprocal: one((x) => kernels.reciprocal(x)),
  rsqrt: one((x) => kernels.rsqrt(x)),
  silu: one((x) => kernels.silu(x)),
  sin: one((x) => kernels.sin(x)),
  softplus: one((x) => kernels.softplus(x)),
  tan: one(
    (x) => kernels.tan(x),
    (random) => 0.5 * random(),
  ),
  logsumexp: one((x) => kernels.logsumexp(x, { axes: 1 })),
  bincount: { of: [[4]], op: (weights) => kernels.bincount(u32([1, 0, 1, 2]), 3, { weights }) },
  median: one((x) => kernels.median(x, { axes: 1 }), apart()),
  gridSample: [{}, { padding: 'reflection', alignCorners: true } as const].map((options) => ({
    of: [
      [1, 3, 4, 2],
      [1, 2, 2, 2],
    ],
    op: (x: Tensor, grid: Tensor) => kernels.gridSample(x, grid, options),
    // Inside of cells.
    values: (random: () => number) => 0.15 + 0.1 * random(),
  })),
  cdist: [2, 1, 3, 1.5, Number.POSITIVE_INFINITY].map((order) => ({
    of: [
      [2, 3],
      [3, 3],
    ],
    op: (a, b) => kernels.cdist(a, b, { order }),
  })),
  norm: [
    one((x) => kernels.norm(x, { axes: 1 })),
    one((x) => kernels.norm(x, { axes: 1, order: 3 })),
    one((x) => kernels.norm(x, { axes: 1, order: 0.5 })),
  ],
  quantile: one((x) => kernels.quantile(x, [0.3, 1], { axes: 1 }), apart()),
  std: one((x) => kernels.std(x, { axes: 1 })),
  variance: one((x) => kernels.variance(x, { axes: 1 })),
  pow: pair((a, b) => kernels.pow(a, b)),
  remainder: pair((a, b) => kernels.remainder(a, b)),
  abs: one(abs),
  add: pair(add),
  addScalar: one((x) => addScalar(x, 2)),
  assignNormalise: one((x) => assignNormalise(x)),
  attention: [
    {
      of: [
        [1, 1, 2, 4],
        [1, 1, 3, 4],
        [1, 1, 3, 4],
      ],
      op: (q, k, v) => attention(q, k, v),
    },
    {
      of: [
        [1, 2, 2, 4],
        [1, 1, 3, 4],
        [1, 1, 3, 4],
      ],
      op: (q, k, v) => attention(q, k, v, { causal: true, scale: 0.7 }),
    },
  ],
  batchNormEval: {
    of: [[2, 3], [3], [3], [3], [3]],
    op: (x, m, v, w, b) => batchNormEval(x, m, v, w, b, 0.1),
    values: positive,
  },
  broadcastTo: one((x) => broadcastTo(x, [3, 2, 4])),
  cast: [
    { of: [[2, 2]], op: (x) => cast(x, 'f32') },
    { of: [[2, 2]], op: (x) => (hasF16() ? cast(cast(x, 'f16'), 'f32') : x), tolerance: 0.01 },
  ],
  clamp: one((x) => clamp(x, 0.7, 1.2)),
  concat: {
    of: [
      [1, 2],
      [2, 2],
    ],
    op: (a, b) => concat([a, b], 0),
  },
  conv2d: {
    of: [[1, 3, 3, 2], [2, 2, 2, 2], [2]],
    op: (x, weight, bias) => conv2d(x, weight, { bias, stride: [2, 1], padding: [0, 1], dilation: [1, 2] }),
  },
  crossAttention: {
    of: [
      [1, 2, 4],
      [1, 3, 4],
      [1, 3, 4],
    ],
    op: (q, k, v) => crossAttention(q, k, v, 2),
  },
  crossEntropy: [
    { of: [[2, 3]], op: (x) => crossEntropy(x, u32([0, 2])) },
    { of: [[2, 3]], op: (x) => crossEntropy(x, u32([0, 2]), { labelSmoothing: 0.1 }) },
    { of: [[3, 3]], op: (x) => crossEntropy(x, u32([0, 2, 1]), { ignoreIndex: 2, reduction: 'none' }) },
    {
      of: [[2, 2, 3]],
      op: (x) => crossEntropy(x, u32([0, 2, 1, 0], [2, 2]), { ignoreIndex: 2, reduction: 'none' }),
    },
    {
      of: [[3, 3]],
      op: (x) => crossEntropy(x, u32([0, 2, 1]), { ignoreIndex: 2, labelSmoothing: 0.1, weights: f32([1, 2, 3]) }),
    },
  ],
  binaryCrossEntropyWithLogits: {
    of: [
      [2, 3],
      [2, 3],
    ],
    op: (x, t) => kernels.binaryCrossEntropyWithLogits(x, t),
  },
  gaussianNll: { of: [[3], [3], [3]], op: (m, t, v) => kernels.gaussianNll(m, t, v), values: positive },
  nllLoss: { of: [[3, 3]], op: (x) => kernels.nllLoss(x, u32([0, 2, 1]), { weights: f32([1, 2, 3]), ignoreIndex: 2 }) },
  tripletMarginLoss: {
    of: [
      [2, 3],
      [2, 3],
      [2, 3],
    ],
    op: (a, p, n) => kernels.tripletMarginLoss(a, p, n, { margin: 5 }),
  },
  huber: { of: [[3], [3]], op: (a, b) => kernels.huber(a, b) },
  klDivergence: { of: [[3], [3]], op: (q, p) => kernels.klDivergence(q, p), values: positive },
  cosineSimilarity: {
    of: [
      [2, 3],
      [2, 3],
    ],
    op: (a, b) => kernels.cosineSimilarity(a, b),
  },
  cosineEmbeddingLoss: {
    of: [
      [2, 3],
      [2, 3],
    ],
    op: (a, b) => kernels.cosineEmbeddingLoss(a, b, f32([1, -1])),
    values: positive,
  },
  distill: {
    of: [
      [2, 3],
      [2, 2, 3],
    ],
    op: (z, views) => distill(z, views),
    once,
  },
  div: [pair(div), one((x) => div(x, 3))],
  embedding: { of: [[3, 2]], op: (x) => embedding(x, u32([2, 0, 2])) },
  exp: one(exp),
  gelu: (['erf', 'tanh', 'quick'] as const).map((form) => one((x) => gelu(x, form), normal)),
  groupMembers: {
    of: [
      [1, 2, 4],
      [1, 4, 3],
    ],
    op: (logits, values) => groupMembers(logits, values, { hard: false }).grouped,
  },
  gumbelSoftmax: one((x) => gumbelSoftmax(x).soft),
  interpolate: { of: [[1, 1, 2, 2]], op: (x) => interpolate(x, 3, 3, { mode: 'bilinear', channels: 'first' }) },
  interpolatePositions: { of: [[1, 4, 2]], op: (x) => interpolatePositions(x, 3, 3) },
  keepRows: { of: [[1, 4, 2]], op: (x) => keepRows(x, shuffle()) },
  l1: { of: [[3], [3]], op: (a, b) => l1(a, b) },
  l2Normalize: one((x) => l2Normalize(x)),
  layerNorm: { of: [[2, 4], [4], [4]], op: (x, w, b) => layerNorm(x, w, b, 1e-3) },
  linear: [
    { of: [[2, 3], [2, 3], [2]], op: (x, w, bias) => linear(x, w, { bias }) },
    { of: [[3], [2, 3], [2], [2]], op: (x, w, bias, residual) => linear(x, w, { bias, residual }) },
    { of: [[2, 2, 3], [2, 3], [2]], op: (x, w, bias) => linear(x, w, { bias, activation: 'gelu' }) },
  ],
  log: one(log),
  logSoftmax: one((x) => logSoftmax(x)),
  matmul: [
    {
      of: [
        [2, 3],
        [3, 2],
      ],
      op: (a, b) => matmul(a, b),
    },
    {
      of: [
        [3, 2],
        [4, 3],
      ],
      op: (a, b) => matmul(a, b, { transposeA: true, transposeB: true }),
    },
    {
      of: [
        [2, 3, 2],
        [3, 4],
      ],
      op: (a, b) => matmul(a, b, { transposeA: true }),
    },
    {
      of: [
        [2, 3],
        [2, 2, 3],
      ],
      op: (a, b) => matmul(a, b, { transposeB: true }),
    },
    {
      of: [
        [2, 1, 2, 3],
        [2, 3, 2],
      ],
      op: (a, b) => matmul(a, b),
    },
  ],
  max: one((x) => max(x)),
  maximum: pair(maximum),
  mean: { ...one((x) => mean(x, { axes: [1] })) },
  min: one((x) => min(x)),
  minimum: pair(minimum),
  mlp: {
    of: [
      [2, 3],
      [4, 3],
      [2, 4],
    ],
    op: (x, weight1, weight2) => mlp(x, { weight1, weight2 }),
  },
  mse: { of: [[3], [3]], op: (a, b) => mse(a, b) },
  mul: [pair(mul), one((x) => mul(2, x))],
  neg: one(neg),
  patchEmbed: { of: [[1, 1, 2, 2], [2, 1, 2, 2], [2]], op: (x, w, b) => patchEmbed(x, w, b) },
  patchify: { of: [[1, 1, 2, 4]], op: (x) => patchify(x, 2) },
  patchNormalize: { ...one((x) => patchNormalize(x)), tolerance: 5e-3 },
  permute: one((x) => permute(x, [1, 0])),
  qkvAttention: { of: [[1, 2, 12]], op: (x) => qkvAttention(x, 2) },
  reconstruction: {
    of: [[1, 2, 4]],
    op: (pred) => reconstruction(f32([1, 2, 3, 4, 5, 6, 7, 8], [1, 1, 2, 4]), pred, f32([1, 0], [1, 2]), { patch: 2 }),
    once,
  },
  relu: one(relu, normal),
  reshape: one((x) => reshape(x, [4, 2])),
  scale: one((x) => scale(x, 3)),
  scatterAdd: { of: [[1, 3, 2]], op: (x) => scatterAdd(x, u32([1, 1, 0], [1, 3]), 2) },
  segmentMatch: {
    of: [
      [1, 2, 3],
      [1, 2, 3],
    ],
    op: (segments, views) => segmentMatch(segments, views).loss,
    once,
  },
  sigmoid: one(sigmoid),
  slice: one((x) => slice(x, 1, 1, 3)),
  softmax: one((x) => softmax(x)),
  split: one((x) => concat([...split(x, 1, [1, 3])].reverse(), 1)),
  sqrt: one(sqrt),
  square: one(square),
  straightThrough: one((x) => straightThrough(sign(x), x)),
  sub: [pair(sub), one((x) => sub(2, x))],
  sum: { ...one((x) => sum(x, { axes: [0] })) },
  takeRows: { of: [[1, 3, 2]], op: (x) => takeRows(x, u32([2, 0, 2], [1, 3])) },
  tanh: one(tanh),
  unpatchify: { of: [[1, 2, 4]], op: (x) => unpatchify(x, 2, 1, 2) },
  unshuffle: { of: [[1, 2, 2], [2]], op: (x, token) => unshuffle(x, token, shuffle().idsRestore) },
  where: {
    of: [
      [2, 2],
      [2, 2],
    ],
    op: (a, b) => where(u32([1, 0, 0, 1], [2, 2]), a, b),
  },
};
const layouts: Readonly<Record<string, Case>> = {
  adaptiveAvgPool2d: { of: [[1, 3, 3, 1]], op: (x) => kernels.adaptiveAvgPool2d(x, 2, 2) },
  unfold: { of: [[1, 3, 3, 1]], op: (x) => kernels.unfold(x, 2, { padding: 1, channels: 'first' }) },
  conv3d: {
    of: [
      [1, 2, 2, 3, 2],
      [2, 2, 2, 1, 2],
    ],
    op: (x, w) => kernels.conv3d(x, w),
  },
  maxPool3d: { of: [[1, 2, 2, 4, 1]], op: (x) => kernels.maxPool3d(x, 2) },
  avgPool3d: { of: [[1, 2, 2, 4, 1]], op: (x) => kernels.avgPool3d(x, 2) },
  fold: { of: [[1, 4, 4]], op: (x) => kernels.fold(x, 3, 2) },
  avgPool2d: { of: [[1, 4, 4, 1]], op: (x) => kernels.avgPool2d(x, 2) },
  conv1d: { of: [[1, 4, 2], [2, 2, 3], [2]], op: (x, w, bias) => kernels.conv1d(x, w, { bias }) },
  convTranspose2d: {
    of: [
      [1, 2, 2, 2],
      [2, 1, 2, 2],
    ],
    op: (x, w) => kernels.convTranspose2d(x, w, { stride: [2, 1], dilation: [1, 2] }),
  },
  dropout: one((x) => kernels.dropout(x, u32([1, 2]), 0.3)),
  cumsum: { ...one((x) => kernels.cumsum(x, 0)) },
  cummax: one((x) => kernels.cummax(x), apart()),
  cummin: one((x) => kernels.cummin(x, 0), apart()),
  chunk: { of: [[3, 4]], op: (x) => kernels.mul(...(kernels.chunk(x, 2, 1) as [Tensor, Tensor])) },
  diagonal: one((x) => kernels.diagonal(x, 1)),
  diff: one((x) => kernels.diff(x, 2)),
  unbind: { of: [[2, 4]], op: (x) => kernels.mul(...(kernels.unbind(x) as [Tensor, Tensor])) },
  cumprod: { ...one((x) => kernels.cumprod(x, -1, { reverse: true })) },
  prod: { ...one((x) => kernels.prod(x, { axes: 1 })) },
  indexAdd: {
    of: [
      [2, 3],
      [2, 4],
    ],
    op: (x, src) => kernels.indexAdd(x, u32([1, 0, 1, 7], [4]), src, 1),
  },
  scatterAddAlongAxis: {
    of: [
      [2, 3],
      [2, 2],
    ],
    op: (x, src) => kernels.scatterAddAlongAxis(x, u32([1, 1, 0, 2], [2, 2]), src),
  },
  scatterAlongAxis: {
    of: [
      [2, 3],
      [2, 2],
    ],
    op: (x, src) => kernels.scatterAlongAxis(x, u32([1, 1, 0, 2], [2, 2]), src),
  },
  adaptiveMaxPool2d: { of: [[1, 3, 3, 1]], op: (x) => kernels.adaptiveMaxPool2d(x, 2, 2) },
  avgPool1d: { of: [[1, 4, 1]], op: (x) => kernels.avgPool1d(x, 2) },
  maxPool1d: { of: [[1, 4, 1]], op: (x) => kernels.maxPool1d(x, 2) },
  rotaryEmbedding: one((x) => kernels.rotaryEmbedding(x, kernels.rotaryTable(device.current, 2, 4))),
  maxPool2d: { of: [[1, 4, 4, 1]], op: (x) => kernels.maxPool2d(x, 2, { stride: [1, 2], dilation: [2, 1] }) },
  einsum: {
    of: [
      [2, 3],
      [3, 4],
    ],
    op: (a, b) => kernels.einsum('ij,jk->ki', a, b),
  },
  flatten: one((x) => kernels.flatten(x)),
  meshgrid: { of: [[2], [3]], op: (a, b) => kernels.mul(...(kernels.meshgrid([a, b]) as [Tensor, Tensor])) },
  pixelShuffle: { of: [[1, 1, 2, 4]], op: (x) => kernels.pixelShuffle(x, 2) },
  pixelUnshuffle: { of: [[1, 2, 4, 1]], op: (x) => kernels.pixelUnshuffle(x, 2) },
  outer: { of: [[2], [3]], op: (a, b) => kernels.outer(a, b) },
  trace: one((x) => kernels.trace(x)),
  flip: one((x) => kernels.flip(x)),
  moveAxis: one((x) => kernels.moveAxis(x, 0, 1)),
  pad: one((x) => kernels.pad(x, [1, 2], { mode: 'edge' })),
  repeat: one((x) => kernels.repeat(x, 2, 0)),
  roll: one((x) => kernels.roll(x, 1, 1)),
  sort: one((x) => kernels.sort(x).values, apart()),
  squeeze: one((x) => kernels.squeeze(kernels.unsqueeze(x, 1))),
  stack: one((x) => kernels.stack([x, x], 1)),
  swapAxes: one((x) => kernels.swapAxes(x, 0, 1)),
  take: one((x) => kernels.take(x, u32([1, 0, 1], [3]), 1)),
  takeAlongAxis: one((x) => kernels.takeAlongAxis(x, kernels.argsort(x)), apart()),
  tile: one((x) => kernels.tile(x, [2, 1])),
  topK: one((x) => kernels.topK(x, 2).values, apart()),
  tril: one((x) => kernels.tril(x)),
  triu: one((x) => kernels.triu(x)),
  unsqueeze: one((x) => kernels.unsqueeze(x, 0)),
};
/** Exports without a gradient, each with its reason. */
const without: Readonly<Record<string, string>> = {
  arange: 'is made on the host',
  assign: 'documented: no gradient flows through it',
  all: 'bool',
  any: 'bool',
  ceil: 'documented: 0',
  countNonzero: 'i32',
  equal: 'bool',
  floor: 'documented: 0',
  floorDivide: 'documented: 0',
  greater: 'bool',
  greaterEqual: 'bool',
  isFinite: 'bool',
  isInf: 'bool',
  isNaN: 'bool',
  less: 'bool',
  lessEqual: 'bool',
  logicalAnd: 'bool',
  logicalNot: 'bool',
  logicalOr: 'bool',
  logicalXor: 'bool',
  notEqual: 'bool',
  round: 'documented: 0',
  trunc: 'documented: 0',
  argmax: 'u32',
  argmin: 'u32',
  argsort: 'u32',
  averageWindows: 'documented: no gradient',
  eye: 'is made on the host',
  fillLike: 'documented: a constant',
  histogram: 'u32',
  linspace: 'is made on the host',
  medoids: 'u32',
  nonzero: 'u32, read to the host',
  oneHot: 'from u32',
  onesLike: 'as fillLike',
  pamr: 'documented: no gradient',
  pamrSteps: 'documented: no gradient',
  pamrWeights: 'documented: no gradient',
  randomBernoulli: 'u32',
  randomCategorical: 'u32',
  randomGumbel: 'from a key, u32',
  randomInteger: 'u32',
  randomNormal: 'from a key, u32',
  randomPermutation: 'u32',
  randomUniform: 'from a key, u32',
  resizeCells: 'documented: no gradient',
  rotaryTable: 'is made on the host',
  searchSorted: 'u32',
  shuffleMask: 'u32, and a mask that is made of indices',
  sign: 'documented: 0',
  stopGradient: 'documented: 0',
  tune: 'no op',
  unique: 'read to the host',
  zerosLike: 'as fillLike',
};
const hasF16 = () => device.current.features.has('shader-f16');

it('every op is here', () => {
  expect([...Object.keys({ ...cases, ...layouts }), ...Object.keys(without)].sort()).toEqual(
    Object.keys(kernels).sort(),
  );
});

describe.each(
  Object.entries({ ...cases, ...layouts }).flatMap(([name, some]) =>
    [some].flat().map((one, i) => [i > 0 ? `${name} ${i + 1}` : name, one as Case] as const),
  ),
)('%s', (_, { of, op, values = normal, once: reason, tolerance = 1e-3 }) => {
  const draw = (seed: number, shapes: readonly Shape[], value: (random: () => number) => number) => {
    const random = seeded(seed);
    return shapes.map((shape) => Float64Array.from({ length: size(shape) }, () => value(random)));
  };

  it('the gradient of its gradient is right, or an error that names it', async () => {
    const at = draw(3, of, values);
    const shape = op(...at.map((x, i) => f32([...x], of[i]))).shape;
    const all = [...of, shape];
    const points = [...at, ...draw(4, [shape], normal)];
    const weights = draw(5, of, normal);
    // h = Σ weights · gradients of the op, in terms of its inputs and of the gradient that arrives.
    const h = (given: readonly Float64Array[]) => {
      const xs = given.map((x, i) => tensor(device.current, x, all[i] as Shape));
      const inputs = xs.slice(0, of.length);
      const first = gradients(op(...inputs), inputs, xs.at(-1));
      const sums = first.map((g, i) => sum(mul(g, tensor(device.current, weights[i] as Float64Array, of[i] as Shape))));
      return { xs, y: sums.reduce((a, b) => add(a, b)) };
    };
    const { xs, y } = h(points);
    let second: Tensor[];
    try {
      second = gradients(y, xs);
      expect(reason).toBeUndefined();
    } catch (error) {
      expect(String(error)).toMatch(
        /^StepError: gradients: (a gradient of '[\w -]+' has no gradient itself|'[^']+' has no gradient for '\w+')/,
      );
      expect(reason, String(error)).toBeDefined();
      return;
    }
    // Along one direction, by differences of the first gradients. Steps are powers of two, and large: f32 rounds.
    const along = draw(6, all, normal);
    const step = 2 ** -6;
    const moved = (by: number) => points.map((x, i) => x.map((v, k) => v + by * (along[i]?.[k] as number)));
    const read = await readAll([h(moved(step)).y, h(moved(-step)).y, ...second]);
    const [[up = 0] = [], [down = 0] = [], ...got] = read as Float32Array[];
    const want = (up - down) / (2 * step);
    let slope = 0;
    let scale = 1;
    for (const [i, g] of got.entries()) {
      for (const [k, v] of g.entries()) {
        const term = v * (along[i]?.[k] as number);
        slope += term;
        scale += Math.abs(term);
      }
    }
    expect(Math.abs(slope - want) / scale, `${slope}, by differences ${want}`).toBeLessThan(tolerance);
  });
});
