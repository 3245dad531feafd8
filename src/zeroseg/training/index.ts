export type { GroupingStatistics } from './grouping-statistics.ts';
export { type Metrics, metricsLine, metricsOf, parseMetrics } from './metrics.ts';
export { checkSettings, defaultSettings, type TrainSettings } from './settings.ts';
export { type Probe, type StepReport, Trainer, type TrainerOptions, type TrainingData } from './trainer.ts';
