// Comparisons make masks: bool, as `where` takes them. No gradient flows through one.
import { notNumbers, type Piece } from '../../gpu/index.ts';
import { empty, type Tensor } from '../../tensor/graph/index.ts';
import { isFloat, ShapeError } from '../../tensor/values/index.ts';
import { checkHeld, commonType } from '../axis/index.ts';
import { broadcast, launchBroadcast, type Operand, tensorsOf } from '../elementwise/index.ts';

/**
 * A mask (bool) of where `a = b`, broadcasting as {@link add}; one of them may be a number. They are of one dtype, any of them, or i32 or
 * bool becomes that of the other. NaN equals nothing, 0 and -0 are equal.
 *
 * ```ts
 * const labels = tensor(device, new Uint32Array([0, 2, 2]));
 * await toArray(equal(labels, 2)); // [false, true, true]
 * ```
 *
 * @throws ShapeError when the shapes or dtypes do not fit, or a number that i32, u32 or bool is compared with is none.
 */
export function equal(a: Operand, b: Operand): Tensor {
  return compare('equal', '==', a, b);
}

/** A mask (bool) of where `a ≠ b`, as {@link equal}: true wherever one of them is NaN. */
export function notEqual(a: Operand, b: Operand): Tensor {
  return compare('notEqual', '!=', a, b);
}

/** A mask (bool) of where `a < b`, as {@link equal}: false wherever one of them is NaN. */
export function less(a: Operand, b: Operand): Tensor {
  return compare('less', '<', a, b);
}

/** A mask (bool) of where `a ≤ b`, as {@link equal}: false wherever one of them is NaN. */
export function lessEqual(a: Operand, b: Operand): Tensor {
  return compare('lessEqual', '<=', a, b);
}

/**
 * A mask (bool) of where `a > b`, as {@link equal}: false wherever one of them is NaN.
 *
 * ```ts
 * const x = tensor(device, [-1, 0, 2]);
 * await read(where(greater(x, 0), x, 0)); // [0, 0, 2]
 * ```
 */
export function greater(a: Operand, b: Operand): Tensor {
  return compare('greater', '>', a, b);
}

/** A mask (bool) of where `a ≥ b`, as {@link equal}: false wherever one of them is NaN. */
export function greaterEqual(a: Operand, b: Operand): Tensor {
  return compare('greaterEqual', '>=', a, b);
}

type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=';

/** Floats in their order as whole numbers, -0 as 0: compilers may take it that there is no infinity, and adapters flush. */
const orderPiece: Piece = {
  name: 'orderOf',
  needs: [notNumbers],
  wgsl: `
fn orderOf(x: f32) -> i32 {
  let bits = bitcast<i32>(x);
  return select(bits, -2147483648 - bits, bits < 0);
}`,
};

function compare(name: string, comparison: Comparison, a: Operand, b: Operand): Tensor {
  const tensors = tensorsOf(name, { a, b });
  const [like] = Object.values(tensors);
  if (!like) throw new ShapeError(name, 'a or b must be a tensor');
  const dtype = commonType(name, tensors);
  checkHeld(name, { a, b }, dtype);
  const plan = broadcast(name, tensors);
  const y = empty(like, plan.shape, 'bool');
  const ordered = `orderOf(a) ${comparison} orderOf(b)`;
  const floats = comparison === '!=' ? `isNan(a) || isNan(b) || ${ordered}` : `!isNan(a) && !isNan(b) && ${ordered}`;
  const expression = `select(0u, 1u, ${isFloat(dtype) ? floats : `a ${comparison} b`})`;
  launchBroadcast({ name, expression, use: [orderPiece] }, plan, { a, b }, y);
  return y;
}
