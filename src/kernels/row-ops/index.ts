export { type CrossEntropyOptions, crossEntropy } from './cross-entropy.ts';
export { batchNormEval, l2Normalize, layerNorm, patchNormalize } from './layer-norm.ts';
export { l1, mse, type Reduction } from './losses.ts';
export { logSoftmax, softmax } from './softmax.ts';
