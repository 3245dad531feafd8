export { ConfigError, TrainingError } from './errors.ts';
export { firstRepeated } from './first-repeated.ts';
export { lengthOf, unitRows } from './unit-rows.ts';
export type { Progress, WorkOptions } from './work.ts';
