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
export { joinedSums, Sha256, sha256, sha256OfPieces, sha256OfRanges } from './hash.ts';
export { rounded } from './rounded.ts';
export { meanOf, type PairedDifference, pairedDifference, type Spread, spread } from './statistics.ts';
export { argmax, argmaxColumns, dot, entropy, largest, lengthOf, softmax, unitRows } from './vectors.ts';
export type { Progress, WorkOptions } from './work.ts';
