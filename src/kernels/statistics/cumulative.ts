import { differentiable, fill, type Tensor, unchanged } from '../../tensor/graph/index.ts';
import { aroundAxis, isFloat, normalizeAxis } from '../../tensor/values/index.ts';
import { type AxisRows, checkOptions, checkTensors, type ReduceOptions, runsOf, wholeReduced } from '../axis/index.ts';
import { equal, isNaN as isNaNMask, logicalOr } from '../comparison/index.ts';
import { add, cast, mul, neg, sub, where } from '../elementwise/index.ts';
import { reshape } from '../layout/index.ts';
import { backOf, type Direction, productOfRows, running } from './recurrence.ts';

export interface CumulativeOptions {
  /** From the last element of the axis to the first. Default: false. */
  readonly reverse?: boolean;
  /** Each place holds what came before it, without its own element; the first 0, or 1 of a product. Default: false. */
  readonly exclusive?: boolean;
}

/**
 * Running sum along an axis: `y[i] = x[0] + … + x[i]`. The gradient is the running sum of `dy` from the other end. Of i32 and u32 it is of their
 * dtype, modulo 2³²; of bool, i32.
 *
 * ```ts
 * const x = tensor(device, [1, 2, 3]);
 * await read(cumsum(x)); // [1, 3, 6]
 * await read(cumsum(x, 0, { exclusive: true })); // [0, 1, 3]
 * await read(cumsum(x, 0, { reverse: true })); // [6, 5, 3]
 * ```
 *
 * @throws ShapeError when the axis does not exist.
 */
export function cumsum(x: Tensor, axis = -1, options: CumulativeOptions = {}): Tensor {
  const { rows, direction, of } = along('cumsum', x, axis, options);
  return differentiable(kept(x, running('sum', { b: of }, rows, direction)), [of], (dy) => [
    cumsum(dy, axis, { ...direction, reverse: !direction.reverse }),
  ]);
}

/**
 * Running product along an axis: `y[i] = x[0] · … · x[i]`. The gradient `dx[k]`, the sum over i of `dy[i]` times all elements of `y[i]` but
 * `x[k]`, is computed without a division: it is right where elements are 0.
 *
 * ```ts
 * await read(cumprod(tensor(device, [1, 2, 3, 4]))); // [1, 2, 6, 24]
 * ```
 *
 * @throws ShapeError as {@link cumsum}.
 */
export function cumprod(x: Tensor, axis = -1, options: CumulativeOptions = {}): Tensor {
  const { rows, direction, of } = along('cumprod', x, axis, options);
  return differentiable(kept(x, running('product', { a: of }, rows, direction)), [of], (dy) => {
    // In f32, as products of halves overflow soon.
    const wide = cast(x, 'f32');
    const before = cumprod(wide, axis, { ...direction, exclusive: true });
    return [cast(mul(before, backOf(wide, cast(dy, 'f32'), rows, direction)), x.dtype)];
  });
}

/**
 * Running maximum along an axis: `y[i] = max(x[0], …, x[i])`, from the first NaN on NaN. NumPy's `maximum.accumulate`. The gradient goes to where
 * each maximum came from; of equal ones to the last, as in PyTorch. Of i32 and u32 it is of their dtype; of bool, i32.
 *
 * ```ts
 * await read(cummax(tensor(device, [1, 3, 2, 5]))); // [1, 3, 3, 5]
 * ```
 *
 * @throws ShapeError as {@link cumsum}.
 */
export function cummax(x: Tensor, axis = -1, options: { readonly reverse?: boolean } = {}): Tensor {
  return runningMax('cummax', x, axis, options);
}

/** Running minimum along an axis; as {@link cummax}. */
export function cummin(x: Tensor, axis = -1, options: { readonly reverse?: boolean } = {}): Tensor {
  checkTensors('cummin', { x });
  // In the other order, which of whole numbers -x is not: there is one more below 0.
  const turned = (t: Tensor): Tensor =>
    isFloat(t.dtype) ? neg(t) : t.dtype === 'u32' ? sub(2 ** 32 - 1, t) : sub(-1, cast(t, 'i32'));
  return turned(runningMax('cummin', turned(x), axis, options));
}

function runningMax(op: string, x: Tensor, axis: number, options: { readonly reverse?: boolean }): Tensor {
  checkTensors(op, { x });
  checkOptions(op, options, ['reverse']);
  if (x.dtype === 'u32') {
    // In the order of i32.
    return add(cast(runningMax(op, cast(add(x, HALF), 'i32'), axis, options), 'u32'), HALF);
  }
  const { rows, direction, of } = along(op, x, axis, options);
  const y = running('max', { b: of }, rows, direction);
  return differentiable(y, [of], (dy) => {
    // From each place where it is the element itself, up to the next of these: a recurrence from the other end that starts anew there.
    const isOwn = logicalOr(equal(of, y), isNaNMask(of));
    const passes = cast(where(isOwn, 0, 1), dy.dtype);
    return [where(isOwn, backOf(passes, dy, rows, direction), 0)];
  });
}
const HALF = 2 ** 31;

/** Bits of u32 run as those of i32. */
function kept(x: Tensor, y: Tensor): Tensor {
  return x.dtype === 'u32' ? cast(y, 'u32') : y;
}

function along(
  op: string,
  x: Tensor,
  axis: number,
  options: CumulativeOptions,
): { rows: AxisRows; direction: Direction; of: Tensor } {
  checkOptions(op, options, ['reverse', 'exclusive']);
  checkTensors(op, { x });
  const of = isFloat(x.dtype) ? x : cast(x, 'i32');
  const { reverse = false, exclusive = false } = options;
  return { rows: aroundAxis(x.shape, normalizeAxis(op, axis, x.shape)), direction: { reverse, exclusive }, of };
}

/**
 * Product over axes, 1 of nothing. The gradient is `dy` times the product of all other elements, right where some are 0: products of
 * what is before and of what is after each of them. Of i32 and u32 it is of their dtype, modulo 2³²; of bool, i32.
 *
 * ```ts
 * const x = tensor(device, [1, 2, 3, 4, 5, 6], [2, 3]);
 * await read(prod(x)); // [720]
 * await read(prod(x, { axes: 1 })); // [6, 120]
 * ```
 *
 * @throws ShapeError when an axis does not exist.
 */
export function prod(x: Tensor, options: ReduceOptions = {}): Tensor {
  const runs = runsOf('prod', x, options);
  if (!isFloat(x.dtype)) return wholeReduced('prod', x, runs);
  if (runs.length === 0) return unchanged(x);
  const wide = runs.reduce((y, { rows, shape }) => reshape(productAlong(y, rows), shape), cast(x, 'f32'));
  return cast(wide, x.dtype);
}

function productAlong(x: Tensor, rows: AxisRows): Tensor {
  const { outer, length, inner } = rows;
  const kept = [outer, 1, inner];
  if (length === 0) return fill(x.device, kept, 1);
  return differentiable(productOfRows(x, rows), [x], (dy) => {
    const lines = reshape(x, [outer, length, inner]);
    const before = cumprod(lines, 1, { exclusive: true });
    const after = cumprod(lines, 1, { exclusive: true, reverse: true });
    return [reshape(mul(mul(before, after), reshape(dy, kept)), x.shape)];
  });
}
