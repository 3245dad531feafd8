import './inspect.ts';

export { Adam, type AdamOptions } from './adam.ts';
export { AdamW, type AdamWOptions } from './adamw.ts';
export { type FlatParameters, flattenParameters } from './flat-parameters.ts';
export { Lion, type LionOptions } from './lion.ts';
export { Muon, type MuonOptions } from './muon.ts';
export type { Optimizer, OptimizerBuffer, OptimizerOptions, Update } from './optimizer.ts';
export { HalfPrecision, LossScale, type LossScaleOptions, type LossScaleState } from './precision.ts';
export {
  constantRate,
  cosineRate,
  exponentialRate,
  linearRate,
  type OneCycleOptions,
  oneCycleRate,
  polynomialRate,
  type Rate,
  sequence,
  stepRate,
} from './rates.ts';
export { RMSProp, type RMSPropOptions } from './rms-prop.ts';
export { learningRate, type Schedule, scaledRate } from './schedule.ts';
export { SGD, type SGDOptions } from './sgd.ts';
export { WeightAverage, type WeightAverageOptions } from './weight-average.ts';
