import { differentiable, type Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import { checkNumber, checkOptions, checkTensors, mean, type ReduceOptions, runsOf, sum } from '../axis/index.ts';
import { equal } from '../comparison/index.ts';
import { cast, div, mul, sqrt, square, statisticType, stopGradient, sub, where } from '../elementwise/index.ts';

export interface VarianceOptions extends ReduceOptions {
  /** What is taken off the count: 1 for the variance of what the numbers are a sample of, 0 for their own. Default: 1. */
  readonly correction?: number;
}

/**
 * Variance over axes: `sum((x - mean x)²) / max(0, n - correction)`, as PyTorch's; NaN of one number unless the correction is 0. The
 * gradient is `dx = dy · 2 (x - mean x) / (n - correction)`. It is computed in f32, of which it also is for whole numbers and masks.
 *
 * ```ts
 * const x = tensor(device, [1, 2, 3, 6], [2, 2]);
 * await read(variance(x)); // [4.666…]
 * await read(variance(x, { axes: -1, correction: 0 })); // [0.25, 2.25]
 * ```
 *
 * @throws ShapeError when there is nothing to average.
 */
export function variance(x: Tensor, options: VarianceOptions = {}): Tensor {
  return cast(varianceOf('variance', x, options), statisticType(x));
}

/**
 * Standard deviation over axes: the root of the {@link variance}, with its options. The gradient is `dx = dy · (x - mean x) / (y (n - correction))`,
 * and 0 where `y` is 0, as in PyTorch.
 */
export function std(x: Tensor, options: VarianceOptions = {}): Tensor {
  const squared = varianceOf('std', x, options);
  const y: Tensor = differentiable(stopGradient(sqrt(squared)), [squared], (dy) => {
    // By 1 where it is 0, of which derivatives of this would be NaN.
    const isNothing = equal(y, 0);
    return [mul(dy, where(isNothing, 0, div(0.5, where(isNothing, 1, y))))];
  });
  return cast(y, statisticType(x));
}

function varianceOf(op: string, x: Tensor, options: VarianceOptions): Tensor {
  checkOptions(op, options, ['axes', 'keepDims', 'correction']);
  const { correction = 1, ...reduce } = options;
  checkNumber(op, 'correction', correction);
  checkTensors(op, { x });
  // Which axes there are, by the name of this op; and of nothing there is no mean.
  if (runsOf(op, x, reduce).some(({ rows }) => rows.length === 0)) {
    throw new ShapeError(op, `the ${op} of no elements is undefined`, { x: x.shape });
  }
  const wide = cast(x, 'f32');
  const middle = mean(wide, { ...reduce, keepDims: true });
  const count = x.size / middle.size;
  return mul(sum(square(sub(wide, middle)), reduce), 1 / Math.max(0, count - correction));
}
