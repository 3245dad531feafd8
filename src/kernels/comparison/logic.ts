// Masks of masks, and of what numbers are: bool. No gradient flows.
import { notNumbers } from '../../gpu/index.ts';
import { empty, type Tensor } from '../../tensor/graph/index.ts';
import { isFloat } from '../../tensor/values/index.ts';
import { checkFloats, checkTensors } from '../axis/index.ts';
import { broadcast, launchBroadcast } from '../elementwise/index.ts';

/**
 * A mask (bool) of where both are true: masks, or any other tensors, of which all but 0 is true (NaN too). Shapes broadcast as in
 * {@link add}.
 *
 * ```ts
 * const x = tensor(device, [-1, 1, 3]);
 * await toArray(logicalAnd(greater(x, 0), less(x, 2))); // [false, true, false]
 * ```
 *
 * @throws ShapeError when the shapes do not fit, or one is f16 and one f32.
 */
export function logicalAnd(a: Tensor, b: Tensor): Tensor {
  return combine('logicalAnd', '&&', a, b);
}

/** A mask (bool) of where one of the two is true, or both; as {@link logicalAnd}. */
export function logicalOr(a: Tensor, b: Tensor): Tensor {
  return combine('logicalOr', '||', a, b);
}

/** A mask (bool) of where one of the two is true and the other is not; as {@link logicalAnd}. */
export function logicalXor(a: Tensor, b: Tensor): Tensor {
  return combine('logicalXor', '!=', a, b);
}

/** A mask (bool) of where `x` is 0; {@link logicalAnd} says what is true. */
export function logicalNot(x: Tensor): Tensor {
  checkTensors('logicalNot', { x });
  return maskOf('logicalNot', { a: x }, `!${isTrue('a', x)}`);
}

/**
 * A mask (bool) of where `x` is NaN.
 *
 * ```ts
 * const x = tensor(device, [1, NaN]);
 * await read(where(isNaN(x), 0, x)); // [1, 0]
 * ```
 *
 * @throws ShapeError unless `x` holds floats.
 */
// biome-ignore lint/suspicious/noShadowRestrictedNames: the field's name; the global takes numbers only
export function isNaN(x: Tensor): Tensor {
  return maskOfFloats('isNaN', x, 'isNan(a)');
}

/** A mask (bool) of where `x` is neither infinite nor NaN; as {@link isNaN}. */
// biome-ignore lint/suspicious/noShadowRestrictedNames: the field's name; the global takes numbers only
export function isFinite(x: Tensor): Tensor {
  return maskOfFloats('isFinite', x, 'isFinite(a)');
}

/** A mask (bool) of where `x` is ∞ or -∞; as {@link isNaN}. */
export function isInf(x: Tensor): Tensor {
  return maskOfFloats('isInf', x, '!isFinite(a) && !isNan(a)');
}

function combine(name: string, operator: '&&' | '||' | '!=', a: Tensor, b: Tensor): Tensor {
  checkTensors(name, { a, b }, 'for a number choose on the host');
  // Masks go with anything, floats with their like.
  if (isFloat(a.dtype) && isFloat(b.dtype)) checkFloats(name, { a, b });
  return maskOf(name, { a, b }, `${isTrue('a', a)} ${operator} ${isTrue('b', b)}`);
}

function maskOfFloats(name: string, x: Tensor, condition: string): Tensor {
  checkTensors(name, { x });
  checkFloats(name, { x });
  return maskOf(name, { a: x }, condition);
}

const isTrue = (name: string, { dtype }: Tensor): string =>
  isFloat(dtype) ? `isSomething(${name})` : `(${name} != 0)`;

function maskOf(name: string, operands: { readonly a: Tensor; readonly b?: Tensor }, condition: string): Tensor {
  const plan = broadcast(name, { ...operands });
  const y = empty(operands.a, plan.shape, 'bool');
  launchBroadcast({ name, expression: `select(0u, 1u, ${condition})`, use: [notNumbers] }, plan, operands, y);
  return y;
}
