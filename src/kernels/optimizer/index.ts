export { accumulateBucket, adamW, adamWHyperparameters, copyGradient, HYPERPARAMETER_COUNT } from './adamw.ts';
export { BLOCK, blockWord, clipGradients } from './clip.ts';
