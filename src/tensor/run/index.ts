import './inspect.ts';

export { evaluate } from './evaluate.ts';
export type { FusionTools } from './fusion.ts';
export { type Jit, type JitOptions, jit } from './jit.ts';
export { KeptSteps } from './kept-steps.ts';
export { fusedLaunchesOf, launchesOf } from './launches.ts';
export { read, readAll, readBool, readI32, readU32 } from './read.ts';
export type { Results } from './results.ts';
export { type NestedArray, toArray, toText } from './show.ts';
export { type EarlyResults, run, type Step, type StepOptions, type StepOptionsOf, step } from './step.ts';
export type { InputSpec, InputValue } from './step-input.ts';
export type { MemoryUse } from './step-program.ts';
export type { LaunchTime } from './timer.ts';
