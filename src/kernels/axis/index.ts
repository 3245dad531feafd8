export { checkOptions, checkTensors } from '../../tensor/graph/index.ts';
export { argsort, groupById, type SortOptions } from './argsort.ts';
export { argmax, argmin, max, min } from './extreme.ts';
export {
  checkChoice,
  checkFloats,
  checkHeld,
  checkList,
  checkNoMore,
  checkNumber,
  checkOperands,
  commonType,
} from './operands.ts';
export { fewerRows, mean, sum, summed, sumRows } from './reduce.ts';
export { type ReduceOptions, runsOf } from './reduce-axes.ts';
export { eachRow, rowConstants, rowGrid, rowOverrides, rowPlace } from './row-copy.ts';
export { type RowCode, rowKernel } from './row-kernel.ts';
export {
  type AxisRows,
  rowMax,
  rowSum,
  rowSumVec2,
  rowSumVec4,
  rowsPerGroup,
  rowThreadOverrides,
  rowThreadPlace,
  rowThreads,
  threadPerRow,
} from './row-threads.ts';
export { FEW_STEPS, inRuns, LOOPS_FOR_ALL, loopsFor } from './runs.ts';
export { total, weightedMean } from './total.ts';
export { wholeReduced } from './whole.ts';
