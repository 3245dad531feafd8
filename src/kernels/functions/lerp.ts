import { differentiable, empty, type Tensor } from '../../tensor/graph/index.ts';
import { isFloat, ShapeError } from '../../tensor/values/index.ts';
import { commonType } from '../axis/index.ts';
import { broadcast, cast, launchBroadcast, mul, type Operand, sub, tensorsOf } from '../elementwise/index.ts';

/**
 * Linear interpolation, `a + c · (b - a)`: exactly `a` where `c` is 0, and `b` where it is 1, unless `b - a` overflows. All three broadcast as in {@link add}, and may be
 * numbers, but one. Gradients `dy · (1 - c)`, `dy · c` and `dy · (b - a)`.
 *
 * ```ts
 * await read(lerp(tensor(device, [0, 10]), tensor(device, [10, 20]), 0.25)); // [2.5, 12.5]
 * ```
 *
 * @throws ShapeError when the shapes do not fit, or the dtypes.
 */
export function lerp(a: Operand, b: Operand, c: Operand): Tensor {
  const tensors = tensorsOf('lerp', { a, b, c });
  const [like] = Object.values(tensors);
  if (!like) throw new ShapeError('lerp', 'a, b or c must be a tensor');
  const plan = broadcast('lerp', tensors);
  const y = empty(like, plan.shape, commonType('lerp', tensors, isFloat));
  launchBroadcast({ name: 'lerp', expression: between }, plan, { a, b, c }, y);
  const back: Record<string, (dy: Tensor) => Tensor> = {
    a: (dy) => mul(dy, minus(1, c, dy)),
    b: (dy) => mul(dy, c),
    c: (dy) => mul(dy, minus(b, a, dy)),
  };
  const floats = Object.entries(tensors).filter(([, x]) => isFloat(x.dtype));
  return differentiable(
    y,
    floats.map(([, x]) => x),
    (dy, sumTo) => floats.map(([name, x]) => sumTo((back[name] as (dy: Tensor) => Tensor)(dy), x.shape)),
  );
}

/** In the floats of `like`, so that whole numbers do not wrap around, and of masks there is a difference; of two numbers, one. */
function minus(x: Operand, y: Operand, like: Tensor): Operand {
  const float = <X extends Operand>(one: X) => (typeof one === 'number' ? one : cast(one, like.dtype));
  return typeof x === 'number' && typeof y === 'number' ? x - y : sub(float(x), float(y));
}

// From the nearer end, as in PyTorch.
const between = 'select(b - (b - a) * (1.0 - f32(c)), a + f32(c) * (b - a), abs(f32(c)) < 0.5)';
