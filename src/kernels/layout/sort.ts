import type { Tensor } from '../../tensor/graph/index.ts';
import { ShapeError, shown } from '../../tensor/values/index.ts';
import { argsort, checkOptions, checkTensors, type SortOptions } from '../axis/index.ts';
import { takeAlongAxis } from './gather.ts';
import { slice } from './slice.ts';

/** Elements in their order, and where each was (u32). */
export interface Sorted {
  readonly values: Tensor;
  readonly indices: Tensor;
}

/**
 * Sorts the last axis in ascending order: `values[k] = x[indices[k]]`, with `indices` those of {@link argsort}: stable, NaN last.
 * `[…, N]` → two of `[…, N]`. The gradient goes to where each value was. Of any dtype.
 *
 * ```ts
 * const { values, indices } = sort(tensor(device, [0.3, 0.1, 0.2])); // [0.1, 0.2, 0.3], [1, 2, 0]
 * ```
 *
 * @throws ShapeError for a scalar.
 */
export function sort(x: Tensor, options: SortOptions = {}): Sorted {
  checkOptions('sort', options, ['descending']);
  checkSortable('sort', x);
  const indices = argsort(x, options);
  return { values: takeAlongAxis(x, indices), indices };
}

export interface TopKOptions {
  /** The k largest, or the k smallest. Default: true. */
  readonly largest?: boolean;
}

/**
 * The `k` largest elements of the last axis, largest first, or the smallest, smallest first; of equal ones those that come first, and NaN
 * counts as the largest. `[…, N]` → two of `[…, k]`. The whole axis is sorted. The gradient goes to where each value was.
 *
 * ```ts
 * const { values, indices } = topK(tensor(device, [0.3, 0.1, 0.2]), 2); // [0.3, 0.2], [0, 2]
 * await read(topK(tensor(device, [0.3, 0.1, 0.2]), 1, { largest: false }).values); // [0.1]
 * ```
 *
 * @throws ShapeError unless `0 ≤ k ≤ N`, or for a scalar.
 */
export function topK(x: Tensor, k: number, options: TopKOptions = {}): Sorted {
  checkOptions('topK', options, ['largest']);
  checkSortable('topK', x);
  const length = x.shape.at(-1) as number;
  if (!Number.isInteger(k) || k < 0 || k > length) {
    throw new ShapeError('topK', `k must be a whole number from 0 to ${length} (${shown(k)})`, { x: x.shape });
  }
  const indices = slice(argsort(x, { descending: options.largest ?? true }), -1, 0, k);
  return { values: takeAlongAxis(x, indices), indices };
}

function checkSortable(op: string, x: Tensor): void {
  checkTensors(op, { x });
  if (x.shape.length === 0) throw new ShapeError(op, 'a scalar has no axis to sort along', { x: x.shape });
}
