import {
  abs,
  add,
  argmax,
  argmin,
  argsort,
  attention,
  batchNormEval,
  concat,
  crossEntropy,
  div,
  embedding,
  exp,
  gelu,
  interpolate,
  interpolatePositions,
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
  mse,
  mul,
  neg,
  patchEmbed,
  patchify,
  patchNormalize,
  permute,
  type ReduceOptions,
  relu,
  scale,
  scatterAdd,
  sigmoid,
  sign,
  slice,
  softmax,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  takeRows,
  tanh,
  unpatchify,
} from '@zeroseg/core';
import { keepCount, normalizeAxis } from '@zeroseg/core/internal';
import {
  assignNormalise,
  distill,
  gumbelSoftmax,
  keepRows,
  pamrSteps,
  pamrWeights,
  reconstruction,
  segmentMatch,
  shuffleMask,
  unshuffle,
} from '@zeroseg/core/zeroseg';
import type { Fields } from './manifest.ts';
import { FixtureError } from './report.ts';

/** The inputs of a case by role. */
export interface Inputs {
  get(role: string): Tensor;
  has(role: string): boolean;
}

type Run = (inputs: Inputs, attrs: Fields) => Readonly<Record<string, Tensor>>;

const one =
  (run: (x: Tensor, attrs: Fields) => Tensor): Run =>
  (inputs, attrs) => ({ y: run(inputs.get('x'), attrs) });
const two =
  (run: (a: Tensor, b: Tensor) => Tensor): Run =>
  (inputs) => ({ y: run(inputs.get('a'), inputs.get('b')) });

const reduced = (run: (x: Tensor, options: ReduceOptions) => Tensor): Run =>
  one((x, attrs) => {
    const keepDims = attrs.has('keepdims') && attrs.flag('keepdims');
    return run(x, attrs.has('axes') ? { axes: attrs.numbers('axes'), keepDims } : { keepDims });
  });

const located = (run: (x: Tensor, axis: number) => Tensor): Run =>
  one((x, attrs) => {
    const axes = attrs.numbers('axes');
    if (axes.length !== 1) throw new FixtureError(`'axes' must name one axis; got ${JSON.stringify(axes)}`);
    return run(x, axes[0] as number);
  });

/** A loss of two equal shapes. */
const between =
  (run: (x: Tensor, y: Tensor, reduction: 'mean' | 'sum') => Tensor): Run =>
  (inputs, attrs) => ({
    y: run(inputs.get('x'), inputs.get('y'), attrs.choice('reduction', ['mean', 'sum'])),
  });

/** The library works along one axis here; a fixture may only ask for that one. */
function onlyAxis(attrs: Fields, x: Tensor, axis: number): void {
  const asked = attrs.has('axis') ? normalizeAxis('axis', attrs.whole('axis'), x.shape) : axis;
  if (asked !== axis) throw new FixtureError(`axis ${asked} is asked for; this op works along axis ${axis}`);
}

const bias = (inputs: Inputs): Tensor | undefined => (inputs.has('bias') ? inputs.get('bias') : undefined);
const unary = { abs, neg, exp, log, sqrt, square, sign, sigmoid, tanh, relu };
const binary = { add, sub, mul, div, maximum, minimum };

/** Every op of the fixtures: how its inputs and attributes reach the library, and the names of its outputs. */
export const opTable: ReadonlyMap<string, Run> = new Map<string, Run>([
  ...Object.entries(binary).map(([name, op]): [string, Run] => [name, two(op)]),
  ...Object.entries(unary).map(([name, op]): [string, Run] => [name, one((x) => op(x))]),
  ['gelu', one((x) => gelu(x, 'erf'))],
  ['gelu_tanh', one((x) => gelu(x, 'tanh'))],
  ['quick_gelu', one((x) => gelu(x, 'quick'))],
  ['sum', reduced(sum)],
  ['mean', reduced(mean)],
  ['max', reduced(max)],
  ['min', reduced(min)],
  ['argmax', located(argmax)],
  ['argmin', located(argmin)],
  ['softmax', one((x, attrs) => softmax(x, attrs.whole('axis')))],
  ['log_softmax', one((x, attrs) => logSoftmax(x, attrs.whole('axis')))],
  [
    'matmul',
    (inputs, attrs) => ({
      y: matmul(inputs.get('a'), inputs.get('b'), {
        transposeA: attrs.has('transposeA') && attrs.flag('transposeA'),
        transposeB: attrs.has('transposeB') && attrs.flag('transposeB'),
      }),
    }),
  ],
  [
    'linear',
    (inputs) => {
      const b = bias(inputs);
      return { y: linear(inputs.get('x'), inputs.get('weight'), b ? { bias: b } : {}) };
    },
  ],
  [
    'layer_norm',
    (inputs, attrs) => ({
      y: layerNorm(inputs.get('x'), inputs.get('weight'), inputs.get('bias'), attrs.number('eps')),
    }),
  ],
  ['l2_normalize', one((x, attrs) => l2Normalize(x, attrs.number('eps')))],
  ['patch_normalize', one((x, attrs) => patchNormalize(x, attrs.number('eps')))],
  [
    'batch_norm_eval',
    (inputs, attrs) => {
      const [x, average, variance] = [inputs.get('x'), inputs.get('mean'), inputs.get('var')];
      return { y: batchNormEval(x, average, variance, inputs.get('weight'), inputs.get('bias'), attrs.number('eps')) };
    },
  ],
  [
    'attention',
    (inputs, attrs) => ({
      y: attention(inputs.get('q'), inputs.get('k'), inputs.get('v'), {
        ...(attrs.has('scale') ? { scale: attrs.number('scale') } : {}),
        causal: attrs.has('causal') && attrs.flag('causal'),
      }),
    }),
  ],
  [
    'gumbel_softmax',
    (inputs, attrs) => {
      const { soft, hard } = gumbelSoftmax(inputs.get('logits'), {
        axis: attrs.whole('axis'),
        ...(inputs.has('noise') ? { noise: inputs.get('noise') } : {}),
        ...(attrs.has('tau') ? { tau: attrs.number('tau') } : {}),
      });
      return { soft, hard: attrs.flag('hard') ? hard : soft };
    },
  ],
  ['assign_normalise', (inputs, attrs) => ({ y: assignNormalise(inputs.get('a'), attrs.number('eps')) })],
  [
    'segment_match',
    (inputs, attrs) => {
      const { loss, index, distance } = segmentMatch(inputs.get('segments'), inputs.get('views'), {
        features: attrs.choice('features', ['mean', 'sum']),
        segments: attrs.choice('segments', ['mean', 'sum']),
        distances: true,
      });
      return { loss, index, ...(distance ? { distance } : {}) };
    },
  ],
  ['l1', between(l1)],
  ['mse', between(mse)],
  [
    'distill',
    (inputs, attrs) => ({
      y: distill(inputs.get('z'), inputs.get('views'), { features: attrs.choice('features', ['mean', 'sum']) }),
    }),
  ],
  [
    'reconstruction',
    (inputs, attrs) => ({
      y: reconstruction(inputs.get('image'), inputs.get('pred'), inputs.get('mask'), {
        patch: attrs.whole('patch'),
        normPixels: attrs.flag('normPixels'),
      }),
    }),
  ],
  [
    'cross_entropy',
    (inputs, attrs) => {
      const ignored = attrs.has('ignoreIndex') ? attrs.whole('ignoreIndex') : attrs.raw('ignoreIndex');
      return {
        y: crossEntropy(inputs.get('logits'), inputs.get('target'), {
          // A negative class comes as its bits.
          ...(typeof ignored === 'number' ? { ignoreIndex: ignored >>> 0 } : {}),
          reduction: attrs.choice('reduction', ['mean', 'sum']),
        }),
      };
    },
  ],
  [
    'mask_shuffle',
    (inputs, attrs) => {
      const noise = inputs.get('noise');
      const keep = attrs.whole('keep');
      const byRatio = keepCount(noise.shape[1] ?? 0, attrs.number('ratio'));
      if (keep !== byRatio) throw new FixtureError(`'ratio' leaves ${byRatio} rows; 'keep' says ${keep}`);
      const masking = shuffleMask(noise, keep);
      const visible = keepRows(inputs.get('x'), masking);
      // What comes back is twice what was kept, so that the two gradients differ.
      const full = unshuffle(scale(visible, 2), inputs.get('token'), masking.idsRestore);
      const { idsShuffle: ids_shuffle, idsRestore: ids_restore, mask } = masking;
      return { visible, full, ids_shuffle, ids_restore, mask };
    },
  ],
  [
    'pamr',
    (inputs, attrs) => {
      const [steps, dilations] = [attrs.whole('steps'), attrs.numbers('dilations')];
      const found = pamrWeights(inputs.get('image'), dilations);
      const mask = pamrSteps(found, inputs.get('mask'), steps);
      // Of the weights the fixture holds those of the first dilation.
      return { weights: slice((found.parts[0] as { weights: Tensor }).weights, 1, 0, 8), mask };
    },
  ],
  ['embedding', (inputs) => ({ y: embedding(inputs.get('table'), inputs.get('ids')) })],
  [
    'take_rows',
    (inputs, attrs) => {
      const x = inputs.get('x');
      onlyAxis(attrs, x, 1);
      return { y: takeRows(x, inputs.get('ids')) };
    },
  ],
  [
    'scatter_add',
    (inputs, attrs) => {
      const src = inputs.get('src');
      onlyAxis(attrs, src, 1);
      return { y: scatterAdd(src, inputs.get('ids'), attrs.whole('size')) };
    },
  ],
  [
    'argsort',
    one((x, attrs) => {
      onlyAxis(attrs, x, x.shape.length - 1);
      return argsort(x);
    }),
  ],
  ['permute', one((x, attrs) => permute(x, attrs.numbers('order')))],
  ['concat', (inputs, attrs) => ({ y: concat(lettered(inputs), attrs.whole('axis')) })],
  ['slice', one((x, attrs) => slice(x, attrs.whole('axis'), attrs.whole('start'), attrs.whole('end')))],
  ['patchify', (inputs, attrs) => ({ y: patchify(inputs.get('image'), attrs.whole('patch')) })],
  ['unpatchify', one((x, attrs) => unpatchify(x, attrs.whole('patch'), attrs.whole('rows'), attrs.whole('cols')))],
  [
    'patch_embed',
    (inputs, attrs) => {
      const weight = inputs.get('weight');
      const patch = attrs.whole('patch');
      if (weight.shape[2] !== patch) throw new FixtureError(`'patch' is ${patch}; the weight's is ${weight.shape[2]}`);
      return { y: patchEmbed(inputs.get('x'), weight, bias(inputs)) };
    },
  ],
  [
    'interpolate',
    one((x, attrs) => {
      const alignCorners = attrs.has('alignCorners') && attrs.flag('alignCorners');
      const [height = 0, width = 0, ...more] = attrs.numbers('size');
      if (more.length > 0) throw new FixtureError("'size' must be [height, width]");
      const antialias = attrs.has('antialias') && attrs.flag('antialias');
      return interpolate(x, height, width, {
        mode: attrs.choice('mode', ['bilinear', 'bicubic']),
        antialias,
        alignCorners,
        channels: 'first',
      });
    }),
  ],
  [
    'interpolate_positions',
    (inputs, attrs) => ({ y: interpolatePositions(inputs.get('pos'), attrs.whole('rows'), attrs.whole('cols')) }),
  ],
]);

/** Inputs called a, b, c, ... */
function lettered(inputs: Inputs): Tensor[] {
  const list: Tensor[] = [];
  for (const letter of 'abcdefghijklmnopqrstuvwxyz') {
    if (!inputs.has(letter)) break;
    list.push(inputs.get(letter));
  }
  return list;
}
