export {
  anyObject,
  defaultsOf,
  fieldProblem,
  finiteNumber,
  flag,
  type Key,
  type Kind,
  listOf,
  nullOr,
  numberIn,
  objectWith,
  oneOf,
  optional,
  type Range,
  type Schema,
  tableOf,
  text,
  valueProblem,
  wholeNumber,
} from './checks.ts';
export { ConfigError, TrainingError } from './errors.ts';
export { firstRepeated } from './first-repeated.ts';
export { sha256 } from './hash.ts';
export { lengthOf, unitRows } from './unit-rows.ts';
export type { Progress, WorkOptions } from './work.ts';
