// Masks of masks, and of what numbers are: u32, 1 or 0. No gradient flows.
import { notNumbers } from '../../gpu/index.ts';
import { empty, type Tensor } from '../../tensor/graph/index.ts';
import { checkFloats, checkTensors } from '../axis/index.ts';
import { broadcast, launchBroadcast } from '../elementwise/index.ts';

/**
 * A mask (u32) of where both are true: masks, or any other tensors, of which all but 0 is true (NaN too). Shapes broadcast as in
 * {@link add}.
 *
 * ```ts
 * const x = tensor(device, [-1, 1, 3]);
 * await readU32(logicalAnd(greater(x, 0), less(x, 2))); // [0, 1, 0]
 * ```
 *
 * @throws ShapeError when the shapes do not fit, or one is f16 and one f32.
 */
export function logicalAnd(a: Tensor, b: Tensor): Tensor {
  return combine('logicalAnd', '&&', a, b);
}

/** A mask (u32) of where one of the two is true, or both; as {@link logicalAnd}. */
export function logicalOr(a: Tensor, b: Tensor): Tensor {
  return combine('logicalOr', '||', a, b);
}

/** A mask (u32) of where one of the two is true and the other is not; as {@link logicalAnd}. */
export function logicalXor(a: Tensor, b: Tensor): Tensor {
  return combine('logicalXor', '!=', a, b);
}

/** A mask (u32) of where `x` is 0; {@link logicalAnd} says what is true. */
export function logicalNot(x: Tensor): Tensor {
  checkTensors('logicalNot', { x }, '');
  return maskOf('logicalNot', { a: x }, `!${isTrue('a', x)}`);
}

/**
 * A mask (u32) of where `x` is NaN.
 *
 * ```ts
 * const x = tensor(device, [1, NaN]);
 * await read(where(isNaN(x), 0, x)); // [1, 0]
 * ```
 *
 * @throws ShapeError when `x` holds u32.
 */
// biome-ignore lint/suspicious/noShadowRestrictedNames: the field's name; the global takes numbers only
export function isNaN(x: Tensor): Tensor {
  return maskOfFloats('isNaN', x, 'isNan(a)');
}

/** A mask (u32) of where `x` is neither infinite nor NaN; as {@link isNaN}. */
// biome-ignore lint/suspicious/noShadowRestrictedNames: the field's name; the global takes numbers only
export function isFinite(x: Tensor): Tensor {
  return maskOfFloats('isFinite', x, 'isFinite(a)');
}

/** A mask (u32) of where `x` is ∞ or -∞; as {@link isNaN}. */
export function isInf(x: Tensor): Tensor {
  return maskOfFloats('isInf', x, '!isFinite(a) && !isNan(a)');
}

function combine(name: string, operator: '&&' | '||' | '!=', a: Tensor, b: Tensor): Tensor {
  checkTensors(name, { a, b }, 'for a number choose on the host');
  checkFloats(name, Object.fromEntries(Object.entries({ a, b }).filter(([, x]) => x.dtype !== 'u32')));
  return maskOf(name, { a, b }, `${isTrue('a', a)} ${operator} ${isTrue('b', b)}`);
}

function maskOfFloats(name: string, x: Tensor, condition: string): Tensor {
  checkTensors(name, { x }, '');
  checkFloats(name, { x });
  return maskOf(name, { a: x }, condition);
}

const isTrue = (name: string, { dtype }: Tensor): string =>
  dtype === 'u32' ? `(${name} != 0u)` : `isSomething(${name})`;

function maskOf(name: string, operands: { readonly a: Tensor; readonly b?: Tensor }, condition: string): Tensor {
  const plan = broadcast(name, { ...operands });
  const y = empty(operands.a, plan.shape, 'u32');
  launchBroadcast({ name, expression: `select(0u, 1u, ${condition})`, use: [notNumbers] }, plan, operands, y);
  return y;
}
