export { accumulateBucket, copyGradient } from './accumulate.ts';
export { adam } from './adam.ts';
export { type AdamWConstants, adamW, adamWHyperparameters, HYPERPARAMETER_COUNT } from './adamw.ts';
export { moveAverage } from './average.ts';
export { BLOCK, blockWord, clipGradients } from './clip.ts';
export { lion } from './lion.ts';
export { muonDirection, muonUpdate } from './muon.ts';
export { rmsProp, rmsPropMomentum } from './rms-prop.ts';
export { sgd, sgdMomentum } from './sgd.ts';
