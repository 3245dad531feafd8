import type { Tensor } from '../../tensor/graph/index.ts';
import type { DType, Shape } from '../../tensor/values/index.ts';
import { summed } from '../axis/index.ts';
import { view } from '../layout/index.ts';

/** Sums a gradient over the axes that its operand stretched: the backward of broadcasting to the shape of `dy`. */
export function sumTo(dy: Tensor, shape: Shape, dtype: DType = dy.dtype): Tensor {
  const added = dy.shape.length - shape.length;
  const axes = dy.shape.flatMap((length, i) => (i < added || (shape[i - added] === 1 && length !== 1) ? [i] : []));
  if (axes.length === 0) return dy;
  return view(summed(dy, { axes, keepDims: true }, dtype), shape);
}
