export { Checkpoints } from './checkpoints.ts';
export { MetricsFile } from './metrics-file.ts';
export {
  type FileVocabularyOptions,
  openGroupVit,
  openModelFile,
  openVocabulary,
  openZeroSeg,
} from './open-vocabulary.ts';
export { pathsHash, type RunDescription, RunError, refuseDifferences } from './run-description.ts';
export { findModel, type LoadedCheckpoint, RunFolder, readBytes } from './run-folder.ts';
