import { differentiable, type Tensor } from '../../tensor/graph/index.ts';
import { describe, isFloat, ShapeError } from '../../tensor/values/index.ts';
import { checkOptions, max, min, type ReduceOptions, runsOf, sum } from '../axis/index.ts';
import { equal, greater, isFinite as isFiniteMask, logicalAnd, notEqual } from '../comparison/index.ts';
import {
  abs,
  add,
  cast,
  div,
  exp,
  log,
  mul,
  sign,
  sqrt,
  square,
  statisticType,
  stopGradient,
  sub,
  where,
} from '../elementwise/index.ts';
import { pow } from '../functions/index.ts';
import { reshape } from '../layout/index.ts';

export interface NormOptions extends ReduceOptions {
  /**
   * 2: root of the sum of squares. 1: sum of magnitudes. Infinity: the largest magnitude, -Infinity: the smallest. 0: how many are not 0. Another
   * p: `(Σ |x|^p)^(1/p)`. Default: 2.
   */
  readonly order?: number;
}

/**
 * Norm of vectors over axes: `√(sum x²)`, or another order. The gradient of order 2 is `dx = dy · x / y`, 0 where `y` is 0; of the others
 * that of {@link sum}, {@link max} or {@link min} of {@link abs}, of 0 none, of another p `dy · sign(x) (|x| / y)^(p - 1)`, 0 where `x` is 0. It is
 * computed in f32, of which it also is for whole numbers and masks; squares that overflow make it infinite.
 *
 * ```ts
 * const x = tensor(device, [3, 4, 0, -5], [2, 2]);
 * await read(norm(x, { axes: 1 })); // [5, 5]
 * ```
 *
 * @throws ShapeError when the order is no number.
 */
export function norm(x: Tensor, options: NormOptions = {}): Tensor {
  checkOptions('norm', options, ['axes', 'keepDims', 'order']);
  const { order = 2, ...reduce } = options;
  runsOf('norm', x, reduce);
  if (typeof order !== 'number' || Number.isNaN(order)) {
    throw new ShapeError('norm', `order must be a number; it is ${describe(order)}`, { x: x.shape });
  }
  // Of whole numbers and masks it is f32.
  if (!isFloat(x.dtype)) return norm(cast(x, 'f32'), options);
  if (order === 1) return sum(abs(x), reduce);
  if (order === Number.POSITIVE_INFINITY) return max(abs(x), reduce);
  if (order === Number.NEGATIVE_INFINITY) return min(abs(x), reduce);
  if (order === 0) return stopGradient(cast(sum(notEqual(x, 0), reduce), x.dtype));
  const wide = cast(x, 'f32');
  const kept = order === 2 ? sqrt(sum(square(wide), { ...reduce, keepDims: true })) : rootOfPowers(wide, order, reduce);
  const y: Tensor = differentiable(stopGradient(kept), [wide], (dy) => {
    // By 1 where it is 0, of which derivatives of this would be NaN.
    const isNothing = equal(y, 0);
    const by = where(isNothing, 1, y);
    if (order === 2) return [mul(dy, where(isNothing, 0, div(wide, by)))];
    const isZero = equal(wide, 0);
    return [mul(dy, where(isZero, 0, mul(sign(wide), pow(abs(div(where(isZero, 1, wide), by)), order - 1))))];
  });
  return cast(withoutAxes(x, y, reduce), x.dtype);
}

/**
 * Logarithm of the sum of exponentials over axes, without overflow: `m + log(sum(exp(x - m)))` with `m = max x`; -∞ of nothing but -∞. The
 * gradient is `dx = dy · exp(x - y)`, the softmax. It is computed in f32, of which it also is for whole numbers and masks.
 *
 * ```ts
 * await read(logsumexp(tensor(device, [1000, 1000]))); // [1000.6931]
 * ```
 *
 * @throws ShapeError when a reduced axis is empty.
 */
export function logsumexp(x: Tensor, options: ReduceOptions = {}): Tensor {
  if (runsOf('logsumexp', x, options).some(({ rows }) => rows.length === 0)) {
    throw new ShapeError('logsumexp', 'there is no logsumexp of nothing', { x: x.shape });
  }
  const wide = cast(x, 'f32');
  const top = max(stopGradient(wide), { ...options, keepDims: true });
  const m = where(isFiniteMask(top), top, 0);
  const kept = add(log(sum(exp(sub(wide, m)), { ...options, keepDims: true })), m);
  const y: Tensor = differentiable(stopGradient(kept), [wide], (dy) => [
    mul(dy, exp(sub(wide, where(equal(y, Number.NEGATIVE_INFINITY), 0, y)))),
  ]);
  return cast(withoutAxes(x, y, options), statisticType(x));
}

/** `(Σ |x|^p)^(1/p)` with its axes kept, over the largest magnitude, so that no power overflows or underflows for all. */
function rootOfPowers(x: Tensor, order: number, reduce: ReduceOptions): Tensor {
  const magnitudes = abs(stopGradient(x));
  // Of nothing there is no largest, and the sum is 0.
  if (x.size === 0) return pow(sum(magnitudes, { ...reduce, keepDims: true }), 1 / order);
  const top = max(magnitudes, { ...reduce, keepDims: true });
  const unit = where(logicalAnd(isFiniteMask(top), greater(top, 0)), top, 1);
  return mul(unit, pow(sum(pow(div(magnitudes, unit), order), { ...reduce, keepDims: true }), 1 / order));
}

/** What was reduced with its axes kept, as the options want it. */
function withoutAxes(x: Tensor, y: Tensor, { axes, keepDims = false }: ReduceOptions): Tensor {
  if (keepDims) return y;
  const dropped = new Set(
    axes === undefined ? x.shape.keys() : [axes].flat().map((axis) => (axis < 0 ? axis + x.shape.length : axis)),
  );
  return reshape(
    y,
    y.shape.filter((_, i) => !dropped.has(i)),
  );
}
