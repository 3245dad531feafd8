export type { MemoryUse } from './memory-layout.ts';
export { read, readAll, readU32 } from './read.ts';
export { type InputSpec, type InputValue, type Results, run, type Step, type StepOptions, step } from './step.ts';
export type { LaunchTime } from './timer.ts';
