import { differentiable, over, type Tensor } from '../../tensor/graph/index.ts';
import { ShapeError, sameShape } from '../../tensor/values/index.ts';
import { checkTensors } from '../axis/index.ts';
/**
 * The same values as a constant: no gradient flows to `x`. Nothing is launched: both tensors share their bytes.
 *
 * ```ts
 * const x = tensor(device, [3]);
 * gradients(mul(x, stopGradient(x)), [x]); // [3], not [6]
 * ```
 */
export function stopGradient(x: Tensor): Tensor {
  checkTensors('stopGradient', { x });
  const y = over(x);
  y.cut = true;
  return y;
}

/**
 * The values of one tensor with the gradient of another (Bengio et al. 2013, https://arxiv.org/abs/1308.3432):
 * `y = value`, `dsurrogate = dy`, nothing for `value`. Nothing is launched: `y` shares the bytes of `value`.
 *
 * ```ts
 * const hard = straightThrough(sign(x), x); // -1, 0 or 1, learnt as if it were x
 * ```
 *
 * @throws ShapeError when shapes or dtypes differ.
 */
export function straightThrough(value: Tensor, surrogate: Tensor): Tensor {
  checkTensors('straightThrough', { value, surrogate });
  if (!sameShape(value.shape, surrogate.shape) || value.dtype !== surrogate.dtype) {
    throw new ShapeError(
      'straightThrough',
      `value and surrogate must have one shape and one dtype (${value.dtype} and ${surrogate.dtype})`,
      { value: value.shape, surrogate: surrogate.shape },
    );
  }
  return differentiable(stopGradient(value), [surrogate], (dy) => [dy]);
}
