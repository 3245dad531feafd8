import { type Tensor, unchanged } from '../../tensor/graph/index.ts';
import { normalizeAxis, ShapeError, shown } from '../../tensor/values/index.ts';
import { checkTensors } from '../axis/index.ts';
import { notEqual } from '../comparison/index.ts';
import { sub } from '../elementwise/index.ts';
import { slice } from '../layout/index.ts';

/**
 * Differences of neighbours along an axis, `y[i] = x[i + 1] - x[i]`, `times` over: one element fewer each time. NumPy's and PyTorch's `diff`. Float,
 * i32, u32, which wraps around, or bool: whether they differ. The gradient is that of {@link sub}.
 *
 * ```ts
 * await read(diff(tensor(device, [1, 4, 9]))); // [3, 5]
 * await read(diff(tensor(device, [1, 4, 9]), 2)); // [2]
 * ```
 *
 * @throws ShapeError when the axis does not exist, or `times` is no whole number.
 */
export function diff(x: Tensor, times = 1, axis = -1): Tensor {
  checkTensors('diff', { x });
  const at = normalizeAxis('diff', axis, x.shape);
  if (!Number.isInteger(times) || times < 0) {
    throw new ShapeError('diff', `times must be a whole number, 0 or more (${shown(times)})`, { x: x.shape });
  }
  let y = x;
  for (let i = 0; i < times && y.shape[at] !== 0; i++) {
    const [later, earlier] = [slice(y, at, 1), slice(y, at, 0, (y.shape[at] as number) - 1)];
    y = y.dtype === 'bool' ? notEqual(later, earlier) : sub(later, earlier);
  }
  return unchanged(y);
}
