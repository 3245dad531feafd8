import { describe, expect, it } from 'vitest';
import { openDevice } from '../../src/gpu/index.ts';
import { tensor, variable } from '../../src/tensor/graph/index.ts';
import type { DType, Shape } from '../../src/tensor/values/index.ts';
import * as ops from '../support/all-ops.ts';
import { useDevice } from '../support/device.ts';
import { b, dev, f, faultsOf, i, made, Thing } from '../support/wrong-calls.ts';

const device = useDevice();
const notTensors = [null, 'left', { nonsense: 0 }, Promise.resolve(1), () => 1, true, 5, [2]];
const aVariable = new Thing('a variable', (device) => variable(device, [2, 3]), [...notTensors, f(2)]);
const mlpWeights = new Thing(
  'weights',
  (device) => ({ weight1: made(device, f(4, 3)), weight2: made(device, f(2, 4)) }),
  [...notTensors, f(2)],
);
const x = f(2, 3);
const key = i(2);
const options = {};

/** A call of every op that is right: its arguments, options as `{}`. */
const calls: Readonly<Record<string, readonly unknown[]>> = {
  ...Object.fromEntries(
    (
      'abs acos asin atan ceil cos erf exp expm1 floor gelu hardswish isFinite isInf isNaN log log1p logSigmoid mish neg reciprocal relu ' +
      'round rsqrt sigmoid sign silu sin softplus log2 log10 exp2 sinh cosh trunc selu softsign hardsigmoid sqrt square ' +
      'stopGradient tan tanh zerosLike onesLike nonzero unique'
    )
      .split(' ')
      .map((name) => [name, [x]]),
  ),
  ...Object.fromEntries(
    'add sub mul div maximum minimum pow remainder floorDivide logaddexp hypot atan2 equal notEqual less lessEqual greater greaterEqual'
      .split(' ')
      .map((name) => [name, [x, x]]),
  ),
  ...Object.fromEntries('logicalAnd logicalOr logicalXor'.split(' ').map((name) => [name, [b(2), b(2)]])),
  logicalNot: [b(2)],
  ...Object.fromEntries(
    'sum mean max min any all prod logsumexp norm variance std argsort sort'
      .split(' ')
      .map((name) => [name, [x, options]]),
  ),
  ...Object.fromEntries('argmax argmin softmax logSoftmax'.split(' ').map((name) => [name, [x, 0]])),
  cumsum: [x, 0, options],
  cumprod: [x, 0, options],
  topK: [x, 1, options],
  chunk: [x, 2, 1],
  unbind: [x, 1],
  diff: [x, 1, 1],
  diagonal: [x, 0, 0, 1],
  meshgrid: [[f(2), f(3)], options],
  outer: [f(2), f(3)],
  trace: [x],
  pixelShuffle: [f(1, 2, 2, 4), 2, options],
  pixelUnshuffle: [f(1, 2, 2, 4), 2, options],
  nllLoss: [x, i(2), options],
  gaussianNll: [x, x, x, options],
  tripletMarginLoss: [x, x, x, options],
  cdist: [x, f(4, 3), options],
  quantile: [x, 0.5, options],
  median: [x, options],
  countNonzero: [x, options],
  cummax: [x, 0, options],
  cummin: [x, 0, options],
  bincount: [i(2), 3, options],
  histogram: [x, 3, options],
  searchSorted: [f(3), x, options],
  elu: [x, 1],
  celu: [x, 1],
  prelu: [x, f(3)],
  glu: [f(2, 4), -1],
  lerp: [x, x, 0.5],
  leakyRelu: [x, 0.1],
  addScalar: [x, 1],
  scale: [x, 2],
  clamp: [x, 0, 1],
  cast: [x, 'f32'],
  dropout: [x, key, 0.5, 1],
  fillLike: [x, 1],
  where: [b(2, 3), x, x],
  straightThrough: [x, x],
  assign: [aVariable, x],
  randomUniform: [key, [2], 1],
  randomNormal: [key, [2], 1],
  randomGumbel: [key, [2], 1],
  randomBernoulli: [key, [2], 0.5, 1],
  randomInteger: [key, [2], 0, 5, 1],
  randomPermutation: [key, 5, 1],
  randomCategorical: [key, x, 1],
  attention: [f(1, 2, 3, 4), f(1, 2, 3, 4), f(1, 2, 3, 4), options],
  crossAttention: [f(1, 3, 4), f(1, 3, 4), f(1, 3, 4), 2, options],
  qkvAttention: [f(1, 3, 12), 2, options],
  rotaryTable: [dev, 4, 4, 100],
  rotaryEmbedding: [f(1, 2, 3, 4), f(3, 4), options],
  indexAdd: [x, i(2), f(2, 3), 0],
  scatterAlongAxis: [x, i(2, 2), f(2, 2), 1],
  scatterAddAlongAxis: [x, i(2, 2), f(2, 2), 1],
  arange: [dev, 0, 5, 1, 'f32'],
  linspace: [dev, 0, 1, 5],
  eye: [dev, 3, 3, 0],
  broadcastTo: [x, [2, 2, 3]],
  concat: [[x, x], 0],
  stack: [[x, x], 0],
  embedding: [x, i(2)],
  flatten: [x, 0, 1],
  flip: [x, [0]],
  interpolate: [f(1, 4, 4, 3), 8, 8, { mode: 'nearest' }],
  interpolatePositions: [f(1, 4, 3), 3, 3, 'size'],
  moveAxis: [x, 0, 1],
  oneHot: [i(2), 3],
  pad: [
    x,
    [
      [1, 1],
      [0, 0],
    ],
    options,
  ],
  permute: [x, [1, 0]],
  repeat: [x, 2, 0],
  reshape: [x, [3, 2]],
  roll: [x, 1, 0],
  scatterAdd: [f(1, 2, 3), i(1, 2), 3],
  slice: [x, 0, 0, 1, 1],
  split: [x, 1, [1, 2]],
  squeeze: [f(1, 3), 0],
  unsqueeze: [x, 0],
  swapAxes: [x, 0, 1],
  take: [x, i(2), 0],
  takeAlongAxis: [x, i(2, 1), 1],
  takeRows: [f(1, 2, 3), i(1, 2)],
  tile: [x, [2, 1]],
  tril: [x, 0],
  triu: [x, 0],
  einsum: ['ij,jk->ik', x, f(3, 2)],
  linear: [x, f(4, 3), options],
  matmul: [x, f(3, 4), options],
  mlp: [x, mlpWeights, options],
  patchEmbed: [f(1, 3, 4, 4), f(5, 3, 2, 2), f(5)],
  patchify: [f(1, 3, 4, 4), 2],
  unpatchify: [f(1, 4, 12), 2, 2, 2],
  batchNormEval: [x, f(3), f(3), f(3), f(3), 1e-5],
  binaryCrossEntropyWithLogits: [x, x, options],
  cosineEmbeddingLoss: [x, x, f(2), options],
  cosineSimilarity: [x, x, options],
  crossEntropy: [x, i(2), options],
  huber: [x, x, options],
  klDivergence: [x, x, options],
  l1: [x, x, 'mean'],
  mse: [x, x, 'mean'],
  l2Normalize: [x, 1e-6],
  layerNorm: [x, f(3), f(3), 1e-5],
  patchNormalize: [x, 1e-6],
  adaptiveAvgPool2d: [f(1, 4, 4, 3), 2, 2, options],
  adaptiveMaxPool2d: [f(1, 4, 4, 3), 2, 2, options],
  conv3d: [f(1, 3, 3, 3, 2), f(2, 2, 2, 2, 2), options],
  avgPool3d: [f(1, 4, 4, 4, 2), 2, options],
  maxPool3d: [f(1, 4, 4, 4, 2), 2, options],
  gridSample: [f(1, 4, 4, 3), f(1, 2, 2, 2), options],
  unfold: [f(1, 4, 4, 3), 2, options],
  fold: [f(1, 9, 12), 4, 2, options],
  avgPool1d: [f(1, 4, 3), 2, options],
  maxPool1d: [f(1, 4, 3), 2, options],
  avgPool2d: [f(1, 4, 4, 3), 2, options],
  maxPool2d: [f(1, 4, 4, 3), 2, options],
  conv1d: [f(1, 4, 3), f(2, 3, 2), options],
  conv2d: [f(1, 4, 4, 3), f(2, 3, 2, 2), options],
  convTranspose2d: [f(1, 4, 4, 3), f(3, 2, 2, 2), options],
};

/** The paper's own, and what is no op. */
const without = (
  'averageWindows assignNormalise distill groupMembers gumbelSoftmax keepRows medoids pamr pamrSteps pamrWeights reconstruction ' +
  'resizeCells segmentMatch shuffleMask tune unshuffle'
).split(' ');

/** Taken on purpose. */
const taken: Readonly<Record<string, readonly string[]>> = {
  quantile: ['1 [0]'],
  lerp: ['2 f32 [2]'],
  patchEmbed: ['2 null'],
  randomBernoulli: ['2 f32 [2]'],
  squeeze: ['1 [0]'],
};

it('every op is here', () => {
  expect([...Object.keys(calls), ...without].sort()).toEqual(Object.keys(ops).sort());
});

describe('an op that is given something else says so by its name', () => {
  it.each(Object.entries(calls))('%s', async (name, args) => {
    const op = (ops as unknown as Record<string, (...xs: never[]) => unknown>)[name] as () => unknown;
    const faults = await faultsOf(device.current, op, args, {
      says: new RegExp(`^${name}: `),
      taken: taken[name],
      // Which writes, and so not here.
      isSafe: name !== 'assign',
      isVariadic: name === 'einsum',
    });
    expect(faults).toEqual([]);
  });
});

/** Options that are tensors. */
const tensorOptions: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(['attention', 'qkvAttention', 'crossAttention'].map((name) => [name, ['mask']])),
  ...Object.fromEntries(['conv1d', 'conv2d', 'convTranspose2d'].map((name) => [name, ['bias']])),
  ...Object.fromEntries(['crossEntropy', 'nllLoss', 'bincount'].map((name) => [name, ['weights']])),
  rotaryEmbedding: ['positions'],
  matmul: ['bias', 'residual'],
  linear: ['bias', 'residual'],
  mlp: ['residual'],
};

describe('an op whose option is no tensor says so by its name', () => {
  it.each(Object.entries(tensorOptions))('%s', async (name, options) => {
    const op = (ops as unknown as Record<string, (...xs: unknown[]) => unknown>)[name];
    const args = calls[name]?.slice(0, -1) ?? [];
    for (const option of options) {
      const call = (value: never) => op?.(...args.map((x) => made(device.current, x)), { [option]: value });
      const wrong = new Thing(option, () => undefined, [
        'left',
        { nonsense: 0 },
        Promise.resolve(1),
        () => 1,
        true,
        [1],
      ]);
      expect(
        await faultsOf(device.current, call, [wrong], { says: new RegExp(`^${name}: `), taken: ['nothing'] }),
      ).toEqual([]);
    }
  });
});

describe('in these words', () => {
  const of = (dtype: DType, ...shape: Shape) => made(device.current, { of: shape, dtype }) as never;
  const any = ops as unknown as Record<string, (...xs: unknown[]) => unknown>;
  const m = () => of('f32', 2, 3);
  it.each<[name: string, args: () => unknown[], message: string]>([
    ['permute', () => [m(), 1, 0], 'permute: the order must be a list, such as [1, 0]; got the number 1'],
    ['stack', () => [m(), m()], 'stack: give a list of at least one tensor, such as [a, b]'],
    ['concat', () => [[m(), 3]], 'concat: x1 must be a tensor; it is the number 3'],
    ['split', () => [m(), [1, 2], 1], 'split: axes are numbers; got a list; got x [2, 3]'],
    ['split', () => [m(), 1, 3], 'split: the sizes must be a list, such as split(x, axis, [2, 1]); got the number 3'],
    ['softmax', () => [m(), { axis: 0 }], 'softmax: axes are numbers; got an object; got x [2, 3]'],
    ['unsqueeze', () => [m(), null], 'unsqueeze: axis null does not exist in a result of 3 axes; got x [2, 3]'],
    ['take', () => [m(), [0, 1]], 'take: ids must be a tensor; it is a list; tensor(device, values) makes one'],
    ['take', () => [m(), Promise.resolve(m())], 'take: ids must be a tensor; it is a promise; await it'],
    [
      'randomNormal',
      () => [[2]],
      'randomNormal: key must be a tensor; it is a list; the key comes first, two numbers of u32',
    ],
    ['oneHot', () => [of('u32', 2)], 'oneHot: classes must be a whole number, 0 or more; it is undefined'],
    [
      'zerosLike',
      () => [[2, 3]],
      'zerosLike: x must be a tensor; it is a list; of a shape make it by fill(device, shape, 0)',
    ],
    ['arange', () => [5], 'arange: the device comes first, as await openDevice() gives it; got the number 5'],
    [
      'slice',
      () => [m(), 1, 2, 0, -1],
      'slice: the step must be a whole number above 0 (-1); flip reverses an axis; got x [2, 3]',
    ],
    [
      'scatterAlongAxis',
      () => [m(), 1, of('u32', 2), m()],
      'scatterAlongAxis: ids must be a tensor; it is the number 1',
    ],
    ['tile', () => [m(), 2], 'tile: counts must be a list, such as [2, 1]; got the number 2'],
    [
      'reshape',
      () => [m(), [undefined, 2]],
      'reshape: axes must be whole numbers, 0 or more; got shape [undefined, 2]',
    ],
    ['dropout', () => [m(), 0.5], 'dropout: rate must be a number; it is undefined'],
    [
      'matmul',
      () => [of('i32', 2, 2), of('i32', 2, 2)],
      "matmul: floats are needed: cast(x, 'f32') (a is i32, b is i32); got a [2, 2], b [2, 2]",
    ],
    ['linear', () => [m(), m(), 3], 'linear: options come by name: { bias, activation, residual }; got the number 3'],
    ['softmax', () => [of('i32', 2)], "softmax: floats are needed: cast(x, 'f32') (x is i32); got x [2]"],
    [
      'conv2d',
      () => [of('u32', 1, 2, 2, 1), of('f32', 1, 1, 1, 1)],
      'conv2d: one dtype is needed: cast one of them (x is u32, weight is f32); got x [1, 2, 2, 1], weight [1, 1, 1, 1]',
    ],
    [
      'crossEntropy',
      () => [m(), [0, 1]],
      'crossEntropy: classes must be a tensor; it is a list; tensor(device, values) makes one',
    ],
    ['logsumexp', () => [of('f32', 0)], 'logsumexp: there is no logsumexp of nothing; got x [0]'],
    ['std', () => [of('f32', 0)], 'std: the std of no elements is undefined; got x [0]'],
    ['sort', () => [m(), { axis: 0 }], "sort: options come by name: { descending }; there is no 'axis'"],
  ])('%s %#', (name, args, message) => {
    expect(() => any[name]?.(...args())).toThrow(expect.objectContaining({ message }));
  });

  it('operands of another device are named as the op names them', async () => {
    const other = await openDevice({ notice: null, tuning: false });
    const weight = tensor(other, [1], [1, 1, 1, 1]);
    expect(() => ops.conv2d(of('f32', 1, 2, 2, 1), weight)).toThrow("conv2d: 'weight' is on another device");
    other.dispose();
  });
});
