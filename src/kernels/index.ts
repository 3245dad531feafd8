// One line per op: what a file exports beside its ops belongs to its neighbours only.

export { type AttentionOptions, attention, crossAttention, qkvAttention } from './attention/attention.ts';
export { argsort } from './axis/argsort.ts';
export { argmax, argmin, max, min } from './axis/extreme.ts';
export { mean, sum } from './axis/reduce.ts';
export type { ReduceOptions } from './axis/reduce-axes.ts';
export type { Activation } from './elementwise/activation.ts';
export { cast } from './elementwise/cast.ts';
export {
  abs,
  add,
  addScalar,
  clamp,
  div,
  exp,
  gelu,
  log,
  maximum,
  minimum,
  mul,
  neg,
  relu,
  scale,
  sigmoid,
  sign,
  sqrt,
  square,
  sub,
  tanh,
  where,
} from './elementwise/pointwise.ts';
export { randomGumbel, randomNormal, randomUniform } from './elementwise/random.ts';
export { stopGradient, straightThrough } from './elementwise/stop-gradient.ts';
export { embedding, scatterAdd, takeRows } from './layout/gather.ts';
export { broadcastTo, concat, permute, reshape, slice, split } from './layout/layout.ts';
export { interpolate, interpolatePositions } from './layout/resize.ts';
export { type Conv2dOptions, conv2d } from './matmul/conv2d.ts';
export { linear, type MatmulOptions, matmul } from './matmul/matmul.ts';
export { type MlpOptions, type MlpWeights, mlp } from './matmul/mlp.ts';
export { patchEmbed, patchify, unpatchify } from './matmul/patchify.ts';
export type { MatmulTail } from './matmul/product.ts';
export { type Tuned, type TuneOptions, tune } from './matmul/tune.ts';
export { type CrossEntropyOptions, crossEntropy } from './row-ops/cross-entropy.ts';
export { batchNormEval, l2Normalize, layerNorm, patchNormalize } from './row-ops/layer-norm.ts';
export { l1, mse, type Reduction } from './row-ops/losses.ts';
export { logSoftmax, softmax } from './row-ops/softmax.ts';
