export { Checkpoints } from './checkpoints.ts';
export { MetricsFile } from './metrics-file.ts';
export type { RunDescription } from './run-description.ts';
export { findModel, type LoadedCheckpoint, RunError, RunFolder, readBytes } from './run-folder.ts';
