export { batchNorm } from './batch-norm.ts';
export { type CrossEntropyOptions, crossEntropy } from './cross-entropy.ts';
export {
  type CosineEmbeddingOptions,
  type CosineOptions,
  cosineEmbeddingLoss,
  cosineSimilarity,
  type HuberOptions,
  huber,
  type TripletOptions,
  tripletMarginLoss,
} from './distance-losses.ts';
export { groupNorm } from './group-norm.ts';
export { l2Normalize } from './l2-normalize.ts';
export { batchNormEval, layerNorm, patchNormalize } from './layer-norm.ts';
export { type GaussianNllOptions, gaussianNll, type NllOptions, nllLoss } from './likelihoods.ts';
export { l1, mse, type Reduction } from './losses.ts';
export {
  type BinaryCrossEntropyOptions,
  binaryCrossEntropyWithLogits,
  type KlDivergenceOptions,
  klDivergence,
} from './probability-losses.ts';
export { logSoftmax, softmax } from './softmax.ts';
