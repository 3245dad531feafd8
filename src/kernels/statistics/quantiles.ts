// Order statistics over axes, of lines that are sorted.
import { type Tensor, tensor } from '../../tensor/graph/index.ts';
import { normalizeAxis, ShapeError, shown, size } from '../../tensor/values/index.ts';
import { checkOptions, checkTensors, type ReduceOptions } from '../axis/index.ts';
import { isFinite as isFiniteMask, isNaN as isNaNMask } from '../comparison/index.ts';
import { add, cast, mul, sub, where } from '../elementwise/index.ts';
import { lerp } from '../functions/index.ts';
import { moveAxis, permute, reshape, slice, sort, take } from '../layout/index.ts';

/**
 * Quantiles over axes, as NumPy's: the number at the place `q · (n - 1)` of those in order, between two places by linear interpolation. Of
 * several `q` the result has an axis more, the first, for these. NaN where a line holds NaN. The gradient goes to the two numbers by their parts. It is
 * computed in f32; of i32, u32 and bool it is f32. The lines are sorted.
 *
 * ```ts
 * const x = tensor(device, [[1, 2, 3, 10], [4, 0, 4, 8]]);
 * await read(quantile(x, 0.25, { axes: 1 })); // [1.75, 3]
 * quantile(x, [0.1, 0.5, 0.9], { axes: 1 }).shape; // [3, 2]
 * ```
 *
 * @throws ShapeError when there is nothing to choose from, or a `q` lies outside of 0 to 1.
 */
export function quantile(x: Tensor, q: number | readonly number[], options: ReduceOptions = {}): Tensor {
  return quantiles('quantile', x, q, options);
}

/**
 * Median over axes, the quantile 0.5: of an even number the mean of the two in the middle, as in NumPy (PyTorch's is the lower one). NaN where a
 * line holds NaN.
 *
 * ```ts
 * await read(median(tensor(device, [3, 1, 10, 2]))); // [2.5]
 * ```
 *
 * @throws ShapeError when there is nothing to choose from.
 */
export function median(x: Tensor, options: ReduceOptions = {}): Tensor {
  return quantiles('median', x, 0.5, options);
}

function quantiles(op: string, x: Tensor, q: number | readonly number[], options: ReduceOptions): Tensor {
  checkTensors(op, { x });
  checkOptions(op, options, ['axes', 'keepDims']);
  const { axes, keepDims = false } = options;
  const all = axes === undefined ? [...x.shape.keys()] : [axes].flat().map((axis) => normalizeAxis(op, axis, x.shape));
  const gone = new Set(all);
  if (gone.size < all.length) throw new ShapeError(op, `the axes ${all.join(', ')} name one twice`, { x: x.shape });
  const n = size(all.map((axis) => x.shape[axis] as number));
  if (n === 0) throw new ShapeError(op, `there is no ${op} of nothing`, { x: x.shape });
  const wanted = [q].flat() as readonly number[];
  const isPart = (one: unknown) => typeof one === 'number' && one >= 0 && one <= 1;
  const other = wanted.findIndex((one) => !isPart(one));
  if (other >= 0) throw new ShapeError(op, `q must lie between 0 and 1; it is ${shown(wanted[other])}`, { x: x.shape });

  const kept = [...x.shape.keys()].filter((axis) => !gone.has(axis));
  const wide = x.dtype === 'f16' ? x : cast(x, 'f32');
  const ofKept = kept.map((axis) => x.shape[axis] as number);
  const { values } = sort(reshape(permute(wide, [...kept, ...all]), [...ofKept, n]));
  const places = wanted.map((one) => one * (n - 1));
  const at = (of: readonly number[]): Tensor => take(values, tensor(x.device, Uint32Array.from(of)), -1);
  const lower = at(places.map(Math.floor));
  const parts = places.map((place) => place % 1);
  // Where a place is whole, its neighbour is not met: it may be infinite.
  const between = (): Tensor => {
    // In f32, which rounds neither the parts nor what they make of two numbers of f16.
    const part = tensor(x.device, parts);
    const [from, upper] = [cast(lower, 'f32'), cast(at(places.map(Math.ceil)), 'f32')];
    // Two neighbours may both be infinite, or their difference.
    const far = add(mul(from, sub(1, part)), mul(upper, part));
    return cast(where(part, where(isFiniteMask(sub(upper, from)), lerp(from, upper, part), far), from), wide.dtype);
  };
  const found = parts.some((part) => part > 0) ? between() : lower;
  // NaN is the last in order.
  const last = slice(values, -1, n - 1);
  const y = moveAxis(where(isNaNMask(last), last, found), -1, 0);
  const shape = keepDims ? x.shape.map((length, axis) => (gone.has(axis) ? 1 : length)) : ofKept;
  return reshape(y, typeof q === 'number' ? shape : [wanted.length, ...shape]);
}
