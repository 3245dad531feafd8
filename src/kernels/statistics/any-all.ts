import type { Tensor } from '../../tensor/graph/index.ts';
import { checkOptions, checkTensors, type ReduceOptions, sum } from '../axis/index.ts';
import { equal, greater, logicalNot, logicalOr } from '../comparison/index.ts';

/**
 * A mask (bool) of whether anything over axes is true: not 0, as {@link logicalAnd} has it. Of nothing it is false. No gradient flows.
 *
 * ```ts
 * const x = tensor(device, [-1, 2, -3, -4], [2, 2]);
 * await toArray(any(greater(x, 0), { axes: 1 })); // [true, false]
 * ```
 */
export function any(x: Tensor, options: ReduceOptions = {}): Tensor {
  check('any', x, options);
  return greater(count(logicalOr(x, x), options), 0);
}

/** A mask (bool) of whether all over axes is true; as {@link any}, and of nothing it is true. */
export function all(x: Tensor, options: ReduceOptions = {}): Tensor {
  check('all', x, options);
  return equal(count(logicalNot(x), options), 0);
}

/**
 * How many over axes are true, or not 0 (NaN is not): i32.
 *
 * ```ts
 * await readI32(countNonzero(tensor(device, [[0, 5], [7, 3]]), { axes: 1 })); // [1, 2]
 * ```
 */
export function countNonzero(x: Tensor, options: ReduceOptions = {}): Tensor {
  check('countNonzero', x, options);
  return count(logicalOr(x, x), options);
}

function check(op: string, x: Tensor, options: ReduceOptions): void {
  checkTensors(op, { x });
  checkOptions(op, options, ['axes', 'keepDims']);
}

/** How many of a mask are true. */
function count(mask: Tensor, options: ReduceOptions): Tensor {
  return sum(mask, options);
}
