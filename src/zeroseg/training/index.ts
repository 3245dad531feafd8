export { EventFile } from './event-file.ts';
export { type GroupingStatistics, segmentsOfMembers } from './grouping-statistics.ts';
export { type Metrics, metricsLine, metricsOf, parseMetrics } from './metrics.ts';
export { type Preset, presets } from './presets.ts';
export { type KeptRun, readRun, runBytes } from './read-run.ts';
export {
  type FeatureFacts,
  type PresetFile,
  type ResolvedTraining,
  resolveTraining,
  type TrainChoices,
} from './resolve.ts';
export {
  type OpenedRun,
  openRun,
  TrainingRun,
  type TrainingStart,
  type TrainOptions,
  trainingRunFormat,
} from './run.ts';
export { type CheckpointBytes, checkpointBytes, copyForCheckpoint } from './run-checkpoint.ts';
export {
  descriptionProblem,
  filesHash,
  pathsHash,
  type RunDescription,
  readDescription,
  refuseDifferences,
  writeDescription,
} from './run-description.ts';
export { checkSettings, defaultSettings, plannedSteps, settingsSchema, type TrainSettings } from './settings.ts';
export { partsOf } from './share.ts';
export { Trainer } from './trainer.ts';
export type { Probe, RateChange, StepReport, TrainerOptions } from './trainer-options.ts';
export { trainAlong } from './trainer-with-validators.ts';
export {
  type BestValidation,
  HeldOutLoss,
  heldOutCount,
  heldOutNumbers,
  holdOut,
  VALIDATION_IOU,
  VALIDATION_LOSS,
  type Validation,
  type Validator,
} from './validation.ts';
