export type { Watched } from './grouping-statistics.ts';
export { checkSettings, defaultSettings, type TrainSettings } from './settings.ts';
export { type Probe, type StepReport, Trainer, type TrainerOptions, type TrainingData } from './trainer.ts';
