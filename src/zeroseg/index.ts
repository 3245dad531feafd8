// '@zeroseg/core/zeroseg': the paper's model and what surrounds it, on any platform.

export {
  assignNormalise,
  type Grouped,
  type GroupOptions,
  type GumbelOptions,
  type GumbelSoftmaxOptions,
  groupMembers,
  gumbelSoftmax,
} from '../kernels/zeroseg/grouping.ts';
export { keepRows, type ShuffleMask, shuffleMask, unshuffle } from '../kernels/zeroseg/masking.ts';
export { medoids } from '../kernels/zeroseg/medoids.ts';
export { type ReconstructionOptions, reconstruction } from '../kernels/zeroseg/reconstruction.ts';
export {
  type DistillOptions,
  distill,
  type SegmentMatch,
  type SegmentMatchOptions,
  segmentMatch,
} from '../kernels/zeroseg/segment-match.ts';
export type { Trace } from '../nn/layers/trace.ts';
export { type GroupVitConfig, GroupVitText, GroupVitVision } from './baselines/groupvit.ts';
export { groupVitConfig, isGroupVit, loadGroupVitText, loadGroupVitVision } from './baselines/groupvit-load.ts';
export { alike, type ContrastiveOptions, contrastive } from './clip/contrastive-loss.ts';
export { Teacher } from './clip/image-encoder.ts';
export { clipConfig, loadClipText, loadClipVision, logitScale, type StoredTensors } from './clip/load.ts';
export { clipFile, clipSettingsFile, clipTrainingFile, resumeClipTraining } from './clip/save.ts';
export { type ClipConfig, ClipText, ClipVision, type DenseMode, endPosition } from './clip/towers.ts';
export {
  type CaptionedBatch,
  type CaptionedData,
  type ClipSettings,
  type ClipStepReport,
  ClipTrainer,
  defaultClipSettings,
  newClipWeights,
  TrainableClip,
  teacherConfigs,
  textVocabulary,
} from './clip/train-clip.ts';
export type { Vocabulary } from './clip/vocabulary.ts';
export { makeVocabulary, type VocabularyOptions } from './clip/vocabulary.ts';
export { createLettering, type Lettering } from './drawing/lettering.ts';
export { blendLabels, classShares, drawSegmentation } from './drawing/overlay.ts';
export { type EvaluateOptions, evaluate, type Labelled } from './evaluation/evaluate.ts';
export { ignoreLabel, ScoreError, SegmentationScore } from './evaluation/iou.ts';
export { ConfigError, TrainingError } from './host/errors.ts';
export { gridBoxes, studentImage, teacherViews, type ViewOptions, viewCount } from './image/grid-views.ts';
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
} from './image/image.ts';
export { classColour, pascalPalette } from './image/palette.ts';
export { slidingWindows, type WindowBox } from './image/windows.ts';
export { classAffinity, type ScoringOptions } from './inference/class-scores.ts';
export { Segmenter, type SegmentOptions, type SegmentResult } from './inference/segmenter.ts';
export {
  baseConfig,
  configs,
  keptPatches,
  patchCount,
  resolveConfig,
  tinyConfig,
  type ZeroSegConfig,
} from './model/config.ts';
export { loadOptimizer, type ModelInfo, modelFile, modelInfo, openModel, optimizerFile } from './model/model-file.ts';
export { initialWeights } from './model/pretrained-weights.ts';
export type {
  Segmentation,
  SegmentationHead,
} from './model/segmentation-head.ts';
export { type Inference, rollOut, type TrainingInputs, ZeroSeg } from './model/zeroseg.ts';
export { SceneAtlas, type SceneClass, SceneError } from './scenes/atlas.ts';
export { CaptionedScenes, type CaptionedScenesOptions } from './scenes/captioned-crops.ts';
export { type Scene, SceneMaker, type SceneObject } from './scenes/scene.ts';
export { type SceneOptions, scenePresets, stuffNames } from './scenes/scene-options.ts';
export {
  type SceneScore,
  type SceneScores,
  type ScoreScenesOptions,
  type StudentScore,
  sceneScore,
  scoreScenes,
} from './studies/score-scenes.ts';
export {
  type GroupUse,
  groupUse,
  type Habits,
  SceneStudent,
  type StudentView,
  sceneSide,
  studentLabels,
} from './studies/student-output.ts';
export {
  cocoLabels,
  contextLabels,
  type DataSetDefinition,
  dataSets,
  imagenetClasses,
  promptTemplates,
} from './text/class-names.ts';
export { TokenTable } from './text/token-table.ts';
export { Tokenizer } from './text/tokenizer.ts';
export type { Watched } from './training/grouping-statistics.ts';
export { checkSettings, defaultSettings, type TrainSettings } from './training/settings.ts';
export { type Probe, type StepReport, Trainer, type TrainerOptions, type TrainingData } from './training/trainer.ts';
