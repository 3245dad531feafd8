// '@zeroseg/core/zeroseg': the paper's model and what surrounds it, on any platform.
export { loadOptimizer, type ModelInfo, modelFile, modelInfo, openModel, optimizerFile } from './checkpoint.ts';
export {
  cocoLabels,
  contextLabels,
  type DataSetDefinition,
  dataSets,
  imagenetClasses,
  promptTemplates,
} from './class-names.ts';
export { type ClipConfig, ClipText, ClipVision, type DenseMode, endPosition } from './clip.ts';
export { clipConfig, loadClipText, loadClipVision, logitScale, type StoredTensors } from './clip-checkpoint.ts';
export {
  baseConfig,
  ConfigError,
  configs,
  keptPatches,
  patchCount,
  resolveConfig,
  tinyConfig,
  type ZeroSegConfig,
} from './config.ts';
export { type EvaluateOptions, evaluate, type Labelled } from './evaluate.ts';
export { type GroupVitConfig, GroupVitText, GroupVitVision } from './groupvit.ts';
export { groupVitConfig, isGroupVit, loadGroupVitText, loadGroupVitVision } from './groupvit-checkpoint.ts';
export {
  clipMean,
  clipStd,
  type Image,
  imagenetMean,
  imagenetStd,
  type LabelMap,
  PixelError,
  resizeImage,
  toTensor,
} from './image.ts';
export { initialWeights } from './initial-weights.ts';
export { createLettering, type Lettering } from './lettering.ts';
export { ignoreLabel, ScoreError, SegmentationScore } from './metric.ts';
export { type Inference, rollOut, type Trace, type TrainingInputs, ZeroSeg } from './model.ts';
export { blendLabels, classShares, drawSegmentation } from './overlay.ts';
export { classColour, pascalPalette } from './palette.ts';
export { classAffinity, type ScoringOptions } from './scoring.ts';
export type {
  Segmentation,
  SegmentationHead,
} from './segmentation-head.ts';
export { Segmenter, type SegmentOptions, type SegmentResult, type Vocabulary } from './segmenter.ts';
export { Teacher } from './teacher.ts';
export { Tokenizer } from './tokenizer.ts';
export { checkSettings, defaultSettings, type TrainSettings } from './train-settings.ts';
export { type StepReport, Trainer, type TrainingData, TrainingError } from './trainer.ts';
export { gridBoxes, studentImage, teacherViews, type ViewOptions, viewCount } from './views.ts';
export { makeVocabulary, type VocabularyOptions } from './vocabulary.ts';
export { slidingWindows, type WindowBox } from './windows.ts';
