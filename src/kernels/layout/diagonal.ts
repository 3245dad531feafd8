import type { Tensor } from '../../tensor/graph/index.ts';
import { normalizeAxis, ShapeError, shown, size } from '../../tensor/values/index.ts';
import { checkTensors } from '../axis/index.ts';
import { permute, reshape } from './layout.ts';
import { slice } from './slice.ts';

/**
 * Elements of a diagonal: `y[…, i] = x[…, i, i + offset]`, with the two axes in any place, as in NumPy and PyTorch; below the main one
 * `offset` is negative. The diagonal is the last axis of the result. The gradient is zero beside it. Of any dtype.
 *
 * ```ts
 * await read(diagonal(tensor(device, [1, 2, 3, 4], [2, 2]))); // [1, 4]
 * diagonal(x, 0, -2, -1).shape; // [B, N, N] → [B, N]
 * ```
 *
 * @throws ShapeError when the axes do not exist or are the same, or the offset is no whole number.
 */
export function diagonal(x: Tensor, offset = 0, axis1 = 0, axis2 = 1): Tensor {
  checkTensors('diagonal', { x });
  const [first, second] = [normalizeAxis('diagonal', axis1, x.shape), normalizeAxis('diagonal', axis2, x.shape)];
  if (first === second) throw new ShapeError('diagonal', `the axes ${axis1} and ${axis2} are the same`, { x: x.shape });
  if (!Number.isInteger(offset)) {
    throw new ShapeError('diagonal', `the offset must be a whole number (${shown(offset)})`, { x: x.shape });
  }
  const others = x.shape.flatMap((_, i) => (i === first || i === second ? [] : [i]));
  const shape = others.map((axis) => x.shape[axis] as number);
  const [rows, cols] = [x.shape[first] as number, x.shape[second] as number];
  const count = Math.max(0, Math.min(rows + Math.min(offset, 0), cols - Math.max(offset, 0)));
  const start = offset < 0 ? -offset * cols : offset;
  const lines = reshape(permute(x, [...others, first, second]), [size(shape), rows * cols]);
  // One behind another lie a row and an element apart.
  const taken =
    count === 0 ? slice(lines, 1, 0, 0) : slice(lines, 1, start, start + (count - 1) * (cols + 1) + 1, cols + 1);
  return reshape(taken, [...shape, count]);
}
