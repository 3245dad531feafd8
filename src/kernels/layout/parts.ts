// Parts of a tensor by their number, made of `split`.
import type { Tensor } from '../../tensor/graph/index.ts';
import { normalizeAxis, ShapeError, shown } from '../../tensor/values/index.ts';
import { checkTensors } from '../axis/index.ts';
import { split, view } from './layout.ts';

/**
 * Cuts an axis into `count` parts of equal length, the last one shorter where it does not divide: each is ⌈n / count⌉ long, so that there may
 * be fewer. PyTorch's `chunk`; for parts of other sizes there is {@link split}. Of any dtype.
 *
 * ```ts
 * const [a, b] = chunk(tensor(device, [1, 2, 3]), 2); // [1, 2], [3]
 * ```
 *
 * @throws ShapeError unless `count` is a whole number above 0.
 */
export function chunk(x: Tensor, count: number, axis = 0): Tensor[] {
  checkTensors('chunk', { x });
  const at = normalizeAxis('chunk', axis, x.shape);
  if (!Number.isInteger(count) || count < 1) {
    throw new ShapeError('chunk', `the count must be a whole number above 0 (${shown(count)})`, { x: x.shape });
  }
  const length = x.shape[at] as number;
  const each = Math.ceil(length / count);
  const parts = each === 0 ? count : Math.ceil(length / each);
  return split(
    x,
    at,
    Array.from({ length: parts }, (_, i) => Math.min(each, length - i * each)),
  );
}

/**
 * The tensors along an axis, which they no longer have: the inverse of {@link stack}. PyTorch's `unbind`, NumPy's `unstack`. Of any dtype.
 *
 * ```ts
 * const [x, y] = unbind(points, -1); // [N, 2] → two of [N]
 * ```
 *
 * @throws ShapeError when the axis does not exist.
 */
export function unbind(x: Tensor, axis = 0): Tensor[] {
  checkTensors('unbind', { x });
  const at = normalizeAxis('unbind', axis, x.shape);
  const shape = x.shape.filter((_, i) => i !== at);
  return split(x, at, new Array<number>(x.shape[at] as number).fill(1)).map((part) => view(part, shape));
}
