export {
  type Checkpoint,
  Checkpoints,
  newestCheckpointFile,
  type PartContent,
  stepName,
  stepOfName,
} from './checkpoints.ts';
export { ChromeTrace } from './chrome-trace.ts';
export { RunError } from './errors.ts';
export { MetricsFile, type MetricsFormat, parseStep, plainMetrics } from './metrics-file.ts';
export { Prefetch } from './prefetch.ts';
export { type RunFormat, RunStore, type Sample, samplesOf } from './run-store.ts';
export type { StepTrace, TracePhase, TracePlace } from './step-trace.ts';
export { type IssuedStep, type StepRunOptions, StepTrainer } from './step-trainer.ts';
export { type SavedRun, type SaveOptions, trainSaved } from './train-saved.ts';
