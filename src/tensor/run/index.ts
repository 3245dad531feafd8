export { launchesOf } from './launches.ts';
export { read, readAll, readU32 } from './read.ts';
export type { Results } from './results.ts';
export { run, type Step, type StepOptions, step } from './step.ts';
export type { InputSpec, InputValue } from './step-input.ts';
export type { MemoryUse } from './step-program.ts';
export type { LaunchTime } from './timer.ts';
