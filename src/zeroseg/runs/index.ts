export { Prefetch } from './prefetch.ts';
export { type IssuedStep, type StepRunOptions, StepTrainer } from './step-trainer.ts';
