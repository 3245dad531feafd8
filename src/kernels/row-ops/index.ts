export { type CrossEntropyOptions, crossEntropy } from './cross-entropy.ts';
export { l2Normalize } from './l2-normalize.ts';
export { batchNormEval, layerNorm, patchNormalize } from './layer-norm.ts';
export { l1, mse, type Reduction } from './losses.ts';
export { logSoftmax, softmax } from './softmax.ts';
