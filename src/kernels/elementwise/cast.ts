import { notNumbers } from '../../gpu/index.ts';
import { empty, over, type Tensor, unchanged } from '../../tensor/graph/index.ts';
import { type DType, describe, dtypeRule, isDType, isFloat, ShapeError } from '../../tensor/values/index.ts';
import { checkTensors } from '../axis/index.ts';
import { broadcast } from './broadcast.ts';
import { launchBroadcast } from './broadcast-launch.ts';
import { castFloat } from './float-cast.ts';

/**
 * The values of `x` as another dtype:
 *
 * - to f16 and f32: rounded to the nearest (beyond ±65504, f16 is infinite); true is 1.
 * - to i32 and u32 from floats: toward zero; what is beyond their numbers is the last of them, and NaN 0. From each other: modulo 2³².
 * - to bool: whether it is not 0 (NaN is not).
 *
 * The gradient is `dy` as the dtype of `x`, between floats; none flows through others. Nothing is done where `x` has the dtype already, and
 * nothing is launched from i32, u32 and bool to i32 and u32, whose bits are the same.
 *
 * ```ts
 * const x = tensor(device, [1, 0.1]);
 * await read(cast(cast(x, 'f16'), 'f32')); // [1, 0.0999755859375]
 * await readI32(cast(tensor(device, [-1.7, 2.7]), 'i32')); // [-1, 2]
 * await read(mean(cast(greater(x, 0.5), 'f32'))); // [0.5], the part that is larger
 * ```
 *
 * @throws ShapeError when the dtype is another.
 */
export function cast(x: Tensor, dtype: DType): Tensor {
  checkTensors('cast', { x });
  if (!isDType(dtype)) throw new ShapeError('cast', `${dtypeRule}; it is ${describe(dtype)}`, { x: x.shape });
  if (x.dtype === dtype) return unchanged(x);
  if (isFloat(dtype) && isFloat(x.dtype)) return castFloat(x, dtype);
  if (!isFloat(dtype) && !isFloat(x.dtype) && dtype !== 'bool') return over(x, x.shape, dtype);
  const y = empty(x, x.shape, dtype);
  const expression = isFloat(dtype) ? 'a' : isFloat(x.dtype) ? fromFloat[dtype] : 'u32(a != 0)';
  // Of floats as c: a becomes what the result is.
  const operands = isFloat(x.dtype) ? { c: x } : { a: x };
  launchBroadcast({ name: `to-${dtype}`, expression, use: [notNumbers] }, broadcast('cast', operands), operands, y);
  return y;
}

/** Conversions of what they do not hold are left to adapters. */
const fromFloat = {
  u32: 'select(select(u32(clamp(c, 0.0, 4294967040.0)), 0xffffffffu, c >= 4294967296.0), 0u, isNan(c) || c <= 0.0)',
  i32: 'select(select(i32(clamp(c, -2147483648.0, 2147483520.0)), 2147483647, c >= 2147483648.0), 0, isNan(c))',
  bool: 'u32(isSomething(c))',
};
