export { AdamW, type AdamWOptions, type Update } from './adamw.ts';
export { type FlatParameters, flattenParameters } from './flat-parameters.ts';
export { HalfPrecision, LossScale, type LossScaleOptions, type LossScaleState } from './precision.ts';
export { learningRate, type Schedule, scaledRate } from './schedule.ts';
