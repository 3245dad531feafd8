import type { Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import { checkTensors, sum } from '../axis/index.ts';
import { mul } from '../elementwise/index.ts';
import { diagonal, unsqueeze } from '../layout/index.ts';

/**
 * Outer product: `y[i, j] = a[i] b[j]`, `[M]` and `[N]` → `[M, N]`. Gradients `dy b` and `dyᵀ a`.
 *
 * ```ts
 * await read(outer(tensor(device, [1, 2]), tensor(device, [3, 4]))); // [3, 4, 6, 8]
 * ```
 *
 * @throws ShapeError unless both have one axis.
 */
export function outer(a: Tensor, b: Tensor): Tensor {
  checkTensors('outer', { a, b });
  if (a.shape.length !== 1 || b.shape.length !== 1) {
    throw new ShapeError('outer', 'both must have one axis', { a: a.shape, b: b.shape });
  }
  return mul(unsqueeze(a, 1), unsqueeze(b, 0));
}

/**
 * Sum of the {@link diagonal} of matrices: `Σ x[…, i, i]`, `[…, M, N]` → `[…]`. The gradient is `dy` on the diagonal.
 *
 * ```ts
 * await read(trace(tensor(device, [[1, 2], [3, 4]]))); // [5]
 * ```
 *
 * @throws ShapeError when x has fewer than two axes.
 */
export function trace(x: Tensor): Tensor {
  checkTensors('trace', { x });
  if (x.shape.length < 2) throw new ShapeError('trace', 'x must have at least two axes', { x: x.shape });
  return sum(diagonal(x, 0, -2, -1), { axes: -1 });
}
