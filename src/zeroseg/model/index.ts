export {
  baseConfig,
  configs,
  hiddenWidth,
  keepCount,
  keptPatches,
  patchCount,
  resolveConfig,
  tinyConfig,
  type ZeroSegConfig,
} from './config.ts';
export { type Losses, type LossTerm, lossTerms, weightedTerms } from './losses.ts';
export {
  loadOptimizer,
  type ModelInfo,
  modelFile,
  modelInfo,
  openModel,
  optimizerFile,
  parseLossScale,
} from './model-file.ts';
export { initialNotes, initialWeights, positionTable } from './pretrained-weights.ts';
export { runStages, type Segmentation, SegmentationHead, Stage, type StageOptions } from './segmentation-head.ts';
export { type Inference, rollOut, type TrainingInputs, ZeroSeg } from './zeroseg.ts';
