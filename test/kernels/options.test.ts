import { describe, expect, it } from 'vitest';
import { tensor } from '../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../src/tensor/graph/tensor.ts';
import type { Shape } from '../../src/tensor/values/shape.ts';
import * as kernels from '../support/all-ops.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();
const of = (...shape: Shape) => tensor(device.current, new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
const classes = () => tensor(device.current, [0, 1], [2], 'u32');

/** Ops with options: good ones, and the words that each option may be. */
interface Case {
  readonly call: (options: never) => unknown;
  readonly good?: object;
  readonly words?: Readonly<Record<string, readonly string[]>>;
}
const axes: Omit<Case, 'call'> = { good: { axes: [1], keepDims: true } };
const activation = ['gelu', 'gelu-tanh', 'quick-gelu', 'relu'];
const cases: Readonly<Record<string, Case>> = {
  sum: { call: (o) => kernels.sum(of(2, 3), o), ...axes },
  mean: { call: (o) => kernels.mean(of(2, 3), o), ...axes },
  max: { call: (o) => kernels.max(of(2, 3), o), ...axes },
  min: { call: (o) => kernels.min(of(2, 3), o), ...axes },
  any: { call: (o) => kernels.any(of(2, 3), o), ...axes },
  all: { call: (o) => kernels.all(of(2, 3), o), ...axes },
  logsumexp: { call: (o) => kernels.logsumexp(of(2, 3), o), ...axes },
  variance: { call: (o) => kernels.variance(of(2, 3), o), good: { axes: [1], keepDims: true, correction: 0 } },
  std: { call: (o) => kernels.std(of(2, 3), o), good: { axes: [1], keepDims: true, correction: 0 } },
  prod: { call: (o) => kernels.prod(of(2, 3), o), ...axes },
  cumsum: { call: (o) => kernels.cumsum(of(2, 3), 0, o), good: { reverse: true, exclusive: true } },
  cumprod: { call: (o) => kernels.cumprod(of(2, 3), 0, o), good: { reverse: true, exclusive: true } },
  norm: { call: (o) => kernels.norm(of(2, 3), o), good: { axes: [1], keepDims: true, order: 1 } },
  cdist: { call: (o) => kernels.cdist(of(2, 3), of(2, 3), o), good: { order: 1 } },
  matmul: {
    call: (o) => kernels.matmul(of(2, 2), of(2, 2), o),
    good: { transposeA: true, transposeB: true },
    words: { activation },
  },
  linear: { call: (o) => kernels.linear(of(2, 2), of(2, 2), o), words: { activation } },
  mlp: { call: (o) => kernels.mlp(of(2, 2), { weight1: of(2, 2), weight2: of(2, 2) }, o), words: { activation } },
  conv2d: {
    call: (o) => kernels.conv2d(of(1, 3, 3, 3), of(2, 3, 1, 1), o),
    good: { stride: 1, padding: 1, dilation: 1, groups: 1 },
    words: { channels: ['first', 'last'], activation },
  },
  conv3d: {
    call: (o) => kernels.conv3d(of(1, 2, 3, 3, 2), of(2, 2, 1, 1, 1), o),
    good: { stride: 1, padding: 1, dilation: 1, groups: 1 },
    words: { channels: ['first', 'last'], activation },
  },
  maxPool3d: {
    call: (o) => kernels.maxPool3d(of(1, 3, 3, 3, 3), 2, o),
    good: { stride: 1, padding: 1, ceilMode: true },
    words: { channels: ['first', 'last'] },
  },
  avgPool3d: {
    call: (o) => kernels.avgPool3d(of(1, 3, 3, 3, 3), 2, o),
    good: { stride: 1, countPadding: false },
    words: { channels: ['first', 'last'] },
  },
  gridSample: {
    call: (o) => kernels.gridSample(of(1, 3, 3, 3), of(1, 2, 2, 2), o),
    good: { alignCorners: true },
    words: {
      channels: ['first', 'last'],
      mode: ['bilinear', 'nearest'],
      padding: ['zeros', 'border', 'reflection'],
    },
  },
  unfold: {
    call: (o) => kernels.unfold(of(1, 3, 3, 3), 2, o),
    good: { stride: 1, padding: 1, dilation: 1 },
    words: { channels: ['first', 'last'] },
  },
  fold: {
    call: (o) => kernels.fold(of(1, 4, 4), 3, 2, o),
    good: { stride: 1, padding: 0, dilation: 1 },
    words: { channels: ['first', 'last'] },
  },
  conv1d: {
    call: (o) => kernels.conv1d(of(1, 3, 3), of(2, 3, 1), o),
    good: { stride: 1, padding: 1 },
    words: { channels: ['first', 'last'], activation },
  },
  convTranspose2d: {
    call: (o) => kernels.convTranspose2d(of(1, 3, 3, 3), of(3, 3, 1, 1), o),
    good: { stride: 1, outputPadding: 0, groups: 1 },
    words: { channels: ['first', 'last'] },
  },
  maxPool2d: {
    call: (o) => kernels.maxPool2d(of(1, 3, 3, 3), 2, o),
    good: { stride: 1, padding: 1, ceilMode: true },
    words: { channels: ['first', 'last'] },
  },
  avgPool2d: {
    call: (o) => kernels.avgPool2d(of(1, 3, 3, 3), 2, o),
    good: { stride: 1, countPadding: false },
    words: { channels: ['first', 'last'] },
  },
  adaptiveAvgPool2d: {
    call: (o) => kernels.adaptiveAvgPool2d(of(1, 3, 3, 3), 2, 2, o),
    words: { channels: ['first', 'last'] },
  },
  topK: { call: (o) => kernels.topK(of(2, 3), 1, o), good: { largest: false } },
  adaptiveMaxPool2d: {
    call: (o) => kernels.adaptiveMaxPool2d(of(1, 3, 3, 3), 2, 2, o),
    words: { channels: ['first', 'last'] },
  },
  maxPool1d: {
    call: (o) => kernels.maxPool1d(of(1, 3, 3), 2, o),
    good: { stride: 1, padding: 1, ceilMode: true },
    words: { channels: ['first', 'last'] },
  },
  avgPool1d: {
    call: (o) => kernels.avgPool1d(of(1, 3, 3), 2, o),
    good: { stride: 1, countPadding: false },
    words: { channels: ['first', 'last'] },
  },
  rotaryEmbedding: {
    call: (o) => kernels.rotaryEmbedding(of(2, 4), kernels.rotaryTable(device.current, 2, 4), o),
    good: { interleaved: true },
  },
  attention: {
    call: (o) => kernels.attention(of(1, 1, 2, 4), of(1, 1, 2, 4), of(1, 1, 2, 4), o),
    good: { scale: 1, causal: true },
  },
  qkvAttention: { call: (o) => kernels.qkvAttention(of(1, 2, 12), 1, o), good: { scale: 1, causal: true } },
  crossAttention: {
    call: (o) => kernels.crossAttention(of(1, 2, 4), of(1, 2, 4), of(1, 2, 4), 1, o),
    good: { scale: 1, causal: 'end' },
  },
  interpolate: {
    call: (o) => kernels.interpolate(of(1, 1, 2, 2), 3, 3, { mode: 'bilinear', channels: 'first', ...(o as object) }),
    words: { mode: ['nearest', 'bilinear', 'bicubic'], channels: ['first', 'last'] },
  },
  argsort: { call: (o) => kernels.argsort(of(2, 3), o), good: { descending: true } },
  pad: {
    call: (o) => kernels.pad(of(2, 3), [1], o),
    good: { value: 1 },
    words: { mode: ['constant', 'edge', 'reflect'] },
  },
  gumbelSoftmax: { call: (o) => kernels.gumbelSoftmax(of(2, 2), o), good: { axis: 0, tau: 2 } },
  groupMembers: {
    call: (o) => kernels.groupMembers(of(1, 2, 3), of(1, 3, 4), o),
    good: { hard: false, eps: 1, tau: 2 },
  },
  crossEntropy: {
    call: (o) => kernels.crossEntropy(of(2, 3), classes(), o),
    good: { ignoreIndex: 1, axis: 1, labelSmoothing: 0.1 },
    words: { reduction: ['mean', 'sum', 'none'] },
  },
  binaryCrossEntropyWithLogits: {
    call: (o) => kernels.binaryCrossEntropyWithLogits(of(2), of(2), o),
    good: { weights: 2, positiveWeight: 3 },
    words: { reduction: ['mean', 'sum', 'none'] },
  },
  huber: {
    call: (o) => kernels.huber(of(2), of(2), o),
    good: { delta: 2 },
    words: { reduction: ['mean', 'sum', 'none'] },
  },
  klDivergence: {
    call: (o) => kernels.klDivergence(of(2), of(2), o),
    good: { logTarget: true },
    words: { reduction: ['mean', 'sum', 'batchMean', 'none'] },
  },
  cosineSimilarity: { call: (o) => kernels.cosineSimilarity(of(2), of(2), o), good: { axis: 0, eps: 1 } },
  cosineEmbeddingLoss: {
    call: (o) => kernels.cosineEmbeddingLoss(of(2, 2), of(2, 2), of(2), o),
    good: { axis: 1, eps: 1, margin: 1 },
    words: { reduction: ['mean', 'sum', 'none'] },
  },
  distill: { call: (o) => kernels.distill(of(2, 3), of(2, 1, 3), o), words: { features: ['mean', 'sum'] } },
  segmentMatch: {
    call: (o) => kernels.segmentMatch(of(1, 2, 3), of(1, 2, 3), o),
    good: { distances: true },
    words: { features: ['mean', 'sum'], segments: ['mean', 'sum'] },
  },
  reconstruction: {
    call: (o) => kernels.reconstruction(of(1, 1, 2, 2), of(1, 1, 4), of(1, 1), { patch: 2, ...(o as object) }),
    good: { normPixels: true },
  },
};

describe.each(Object.entries(cases))('%s', (name, { call, good = {}, words = {} }) => {
  const given = (options: unknown) => () => call(options as never);

  it('takes its options, and no other', () => {
    expect(given(undefined)).not.toThrow();
    expect(given(good)).not.toThrow();
    for (const other of ['axis', 'keepdim', 'dim', 'constructor', 'Scale', 'toString']) {
      if (other in good && Object.hasOwn(good, other)) continue;
      expect(given({ ...good, [other]: 1 }), other).toThrow(
        new RegExp(`^${name}: options come by name: .*; there is no '${other}'$`),
      );
    }
  });

  if (name !== 'interpolate' && name !== 'reconstruction') {
    it('takes nothing in their place', () => {
      for (const wrong of [1, -1, null, true, 'mean', [1], of(2)]) {
        expect(given(wrong)).toThrow(new RegExp(`^${name}: options come by name: .*; got `));
      }
    });
  }

  it.each(Object.entries(words))('%s is one of several words', (option, choices) => {
    for (const word of choices) expect(given({ [option]: word }), word).not.toThrow();
    for (const wrong of ['', 'None', 'constructor', choices[0]?.toUpperCase(), 1, null, true]) {
      expect(given({ [option]: wrong })).toThrow(
        new RegExp(`^${name}: ${option} must be '${choices[0]}' or .*; it is `),
      );
    }
  });
});

it('words of losses without options', () => {
  for (const op of [kernels.l1, kernels.mse]) {
    for (const wrong of ['none', 1, null, {}])
      expect(() => op(of(2), of(2), wrong as 'mean')).toThrow(/reduction must be 'mean' or 'sum'; it is /);
  }
});

it('axes are whole numbers that exist', () => {
  const x = of(2, 3);
  const ops: Record<string, (axis: number) => Tensor> = {
    sum: (axis) => kernels.sum(x, { axes: axis }),
    'sum over a list': (axis) => kernels.sum(x, { axes: [axis] }),
    argmax: (axis) => kernels.argmax(x, axis),
    softmax: (axis) => kernels.softmax(x, axis),
    logSoftmax: (axis) => kernels.logSoftmax(x, axis),
    gumbelSoftmax: (axis) => kernels.gumbelSoftmax(x, { axis }).soft,
    slice: (axis) => kernels.slice(x, axis, 0, 1),
    split: (axis) => kernels.split(x, axis, [1, 2])[0] as Tensor,
    concat: (axis) => kernels.concat([x, x], axis),
    permute: (axis) => kernels.permute(x, [0, axis]),
    take: (axis) => kernels.take(x, classes(), axis),
    takeAlongAxis: (axis) => kernels.takeAlongAxis(x, kernels.argsort(x), axis),
    cumsum: (axis) => kernels.cumsum(x, axis),
    cumprod: (axis) => kernels.cumprod(x, axis),
    indexAdd: (axis) => kernels.indexAdd(x, classes(), axis === 1 ? of(2, 2) : of(2, 3), axis),
    scatterAlongAxis: (axis) => kernels.scatterAlongAxis(x, kernels.argsort(x), x, axis),
    flip: (axis) => kernels.flip(x, axis),
    roll: (axis) => kernels.roll(x, 1, axis),
    repeat: (axis) => kernels.repeat(x, 2, axis),
    swapAxes: (axis) => kernels.swapAxes(x, 0, axis),
    moveAxis: (axis) => kernels.moveAxis(x, 0, axis),
  };
  for (const [name, op] of Object.entries(ops)) {
    for (const wrong of [Number.NaN, 1.5, 2, -3, Number.POSITIVE_INFINITY, '1', null] as number[]) {
      expect(() => op(wrong), `${name} ${wrong}`).toThrow(/axis|axes/);
    }
    expect(() => op(1), name).not.toThrow();
  }
  for (const wrong of [6, '6', undefined, null] as unknown as number[][])
    expect(() => kernels.reshape(x, wrong)).toThrow(/^reshape: a shape is a list/);
});
