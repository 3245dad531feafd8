// What the command line measures, verifies and studies beyond the public interface: no promises are made for it.

export {
  adapterNames,
  bufferUsage,
  formatBytes,
  ownValue,
  parseJson,
  shownValue,
  source,
} from './gpu/index.ts';
export { adamW, adamWHyperparameters, clipGradients, HYPERPARAMETER_COUNT } from './kernels/optimizer/index.ts';
export { gatherBytes } from './nn/distributed/index.ts';
export { hashText } from './nn/layers/index.ts';
export { type FlatParameters, flattenParameters } from './nn/optimizer/index.ts';
export { elementBytes, type HeaderEntry, toInt32, type WritableTensor } from './nn/safetensors/index.ts';
export { elementGrid, elementLoop, elementOverride, elementParams, memoryOf } from './tensor/graph/index.ts';
export { fusedLaunchesOf, launchesOf } from './tensor/run/index.ts';
export { formatShape, median, normalizeAxis, sameShape, size } from './tensor/values/index.ts';
export { baselines } from './zeroseg/baselines/index.ts';
export {
  numbered,
  openFolderFile,
  openWeightFolder,
  openWeightRanges,
  weightEndings,
} from './zeroseg/checkpoints/index.ts';
export {
  clipPixels,
  ensemble,
  fillTemplate,
  gaussianBias,
  positionRule,
  type QueuedViews,
  randomClips,
  randomClipText,
  randomClipVision,
  type TemplateSet,
  templateList,
  ViewQueue,
} from './zeroseg/clip/index.ts';
export {
  clipSource,
  detectClipNames,
  readSettingTensors,
  sameTeacher,
  settingsForm,
  shortTeacher,
  teacherIdentity,
  trainableWeights,
} from './zeroseg/clip-files/index.ts';
export { RIGHT, WRONG } from './zeroseg/demo/index.ts';
export { blankSheet, escapeXml, paste, sampleSheet, wholePercent } from './zeroseg/drawing/index.ts';
export {
  type CachePart,
  cacheKeyFields,
  checkFill,
  featureBytes,
  hashPhoto,
  KEPT_ROW_BYTES,
  MAX_PARTS,
  PooledRegions,
  partCount,
  partName,
  squareBytes,
} from './zeroseg/features/index.ts';
export { argmax, dot, entropy, firstRepeated, meanOf, rounded, type Spread, spread } from './zeroseg/host/index.ts';
export {
  type Colour,
  centreRegion,
  checkImage,
  defaultGrids,
  type GridBox,
  inspectPng,
  isPng,
  keepRatioSize,
  LARGEST_GRID,
  MAX_GRIDS,
  maxPixels,
  type Region,
  type Rgb,
  resizeBilinear,
  shortSideSize,
  type ViewSource,
} from './zeroseg/image/index.ts';
export {
  type DataSettings,
  DenseClip,
  patchScoreMaps,
  pixelSegments,
  scoreRows,
} from './zeroseg/inference/index.ts';
export {
  assignments,
  checkEncoderFit,
  initialNotes,
  keepCount,
  type LossTerm,
  lossLine,
  lossTerms,
  namingFor,
  parseLossScale,
  positionTable,
  weightOf,
} from './zeroseg/model/index.ts';
export {
  type ClipAndText,
  clipAndText,
  dataSettings,
  groupVitAndText,
  namingRules,
  otherTeacher,
  segClipAndText,
  type ZeroSegAndText,
  zeroSegAndText,
} from './zeroseg/open-vocabulary/index.ts';
export { classProbabilities } from './zeroseg/pixels/index.ts';
export { Checkpoints, newestCheckpointFile, parseStep, stepName } from './zeroseg/runs/index.ts';
export { objectsOnly } from './zeroseg/scenes/index.ts';
export {
  brokenField,
  type Check,
  checkRange,
  fileNames,
  HeldLocks,
  hasFields,
  isListOf,
  isMaybe,
  isNullOr,
  isNumber,
  isObject,
  isTableOf,
  isText,
  isWhole,
  LARGEST_JSON,
  LARGEST_READ,
  LOCK_FILE,
  parseJsonFile,
  pathNames,
  readJsonFile,
  reasons,
} from './zeroseg/storage/index.ts';
export {
  type BackgroundRun,
  type BackgroundScenes,
  backgroundThresholds,
  bestThreshold,
  checkOrderings,
  chooseGrids,
  type EndedRun,
  type Experiment,
  type ExperimentName,
  experiments,
  type FairOrdering,
  type FairRow,
  type FairScenes,
  fairOrderings,
  fairRows,
  hashOf,
  nearestViews,
  type OrderingCheck,
  type PlannedRun,
  planRuns,
  type Row,
  RunArchive,
  type RunIdentity,
  type RunScore,
  type ScoringIdentity,
  type Setting,
  STEP_ROUNDS,
  StatisticsCollector,
  type StepTimes,
  type StudyContext,
  type StudyProgress,
  sceneMeasures,
  scoreBackgroundRuns,
  scoreRun,
  scoreRuns,
  studyState,
  summarise,
  timeSteps,
  trainRuns,
  withRunModel,
} from './zeroseg/studies/index.ts';
export { hashedTokens, type TextTokens } from './zeroseg/text/index.ts';
export {
  type CheckpointBytes,
  checkpointBytes,
  copyForCheckpoint,
  descriptionProblem,
  EventFile,
  filesHash,
  heldOutCount,
  type Metrics,
  metricsLine,
  metricsOf,
  parseMetrics,
  partsOf,
  pathsHash,
  plannedSteps,
  readDescription,
  refuseDifferences,
  VALIDATION_LOSS,
} from './zeroseg/training/index.ts';
