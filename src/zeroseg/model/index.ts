export {
  baseConfig,
  configs,
  hiddenWidth,
  keepCount,
  keptPatches,
  patchCount,
  resolveConfig,
  scenesConfig,
  tinyConfig,
} from './config.ts';
export type {
  AssignmentConfig,
  DataConfig,
  DecoderConfig,
  EncoderConfig,
  HeadConfig,
  LossConfig,
  ZeroSegConfig,
} from './config-groups.ts';
export { type ConfigGroup, configGroups, configSchema } from './config-schema.ts';
export { Encoder } from './encoder.ts';
export { checkEncoderFit } from './encoder-fit.ts';
export { type Losses, lossLine, lossTerms, weightedTerms, weightOf } from './losses/losses.ts';
export type { LossContext, LossInputs, LossTerm, TermResult } from './losses/term.ts';
export {
  type AboutModel,
  type Assignment,
  assignments,
  loadOptimizer,
  type ModelInfo,
  modelContent,
  modelFile,
  modelInfo,
  type NamingRule,
  namingFor,
  namingMetadata,
  openModel,
  optimizerContent,
  optimizerFile,
  parseLossScale,
} from './model-file.ts';
export { initialNotes, initialWeights, positionTable } from './pretrained-weights.ts';
export {
  type InferenceOptions,
  runStages,
  type Segmentation,
  SegmentationHead,
  Stage,
  type StageOptions,
} from './segmentation-head.ts';
export {
  type GroupingInputs,
  type Inference,
  type MaskedPass,
  rollOut,
  type TrainingInputs,
  ZeroSeg,
} from './zeroseg.ts';
