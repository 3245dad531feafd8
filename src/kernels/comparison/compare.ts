// Comparisons make masks: u32, 1 where it holds and 0 elsewhere, as `where` takes them. No gradient flows through one.
import { notNumbers, type Piece } from '../../gpu/index.ts';
import { empty, type Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import { checkFloats } from '../axis/index.ts';
import { broadcast, launchBroadcast, type Operand, tensorsOf } from '../elementwise/index.ts';

/**
 * A mask (u32) of where `a = b`. Both are f32, both f16 or both u32 (indices, classes), broadcasting as {@link add}; one of them may
 * be a number. NaN equals nothing, 0 and -0 are equal.
 *
 * ```ts
 * const labels = tensor(device, new Uint32Array([0, 2, 2]));
 * await readU32(equal(labels, 2)); // [0, 1, 1]
 * ```
 *
 * @throws ShapeError when the shapes or dtypes do not fit, or a number that u32 is compared with is none.
 */
export function equal(a: Operand, b: Operand): Tensor {
  return compare('equal', '==', a, b);
}

/** A mask (u32) of where `a ≠ b`, as {@link equal}: 1 wherever one of them is NaN. */
export function notEqual(a: Operand, b: Operand): Tensor {
  return compare('notEqual', '!=', a, b);
}

/** A mask (u32) of where `a < b`, as {@link equal}: 0 wherever one of them is NaN. */
export function less(a: Operand, b: Operand): Tensor {
  return compare('less', '<', a, b);
}

/** A mask (u32) of where `a ≤ b`, as {@link equal}: 0 wherever one of them is NaN. */
export function lessEqual(a: Operand, b: Operand): Tensor {
  return compare('lessEqual', '<=', a, b);
}

/**
 * A mask (u32) of where `a > b`, as {@link equal}: 0 wherever one of them is NaN.
 *
 * ```ts
 * const x = tensor(device, [-1, 0, 2]);
 * await read(where(greater(x, 0), x, 0)); // [0, 0, 2]
 * ```
 */
export function greater(a: Operand, b: Operand): Tensor {
  return compare('greater', '>', a, b);
}

/** A mask (u32) of where `a ≥ b`, as {@link equal}: 0 wherever one of them is NaN. */
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
  const inputs = Object.values(tensors);
  const [like] = inputs;
  if (!like) throw new ShapeError(name, 'a or b must be a tensor');
  const isU32 = inputs.every((x) => x.dtype === 'u32');
  if (isU32) checkWhole(name, { a, b });
  else checkFloats(name, tensors);
  const plan = broadcast(name, tensors);
  const y = empty(like, plan.shape, 'u32');
  const ordered = `orderOf(a) ${comparison} orderOf(b)`;
  const floats = comparison === '!=' ? `isNan(a) || isNan(b) || ${ordered}` : `!isNan(a) && !isNan(b) && ${ordered}`;
  const expression = `select(0u, 1u, ${isU32 ? `a ${comparison} b` : floats})`;
  launchBroadcast({ name, expression, use: [orderPiece] }, plan, { a, b }, y);
  return y;
}

function checkWhole(name: string, operands: Readonly<Record<string, Operand>>): void {
  for (const [one, value] of Object.entries(operands)) {
    if (typeof value !== 'number' || (Number.isInteger(value) && value >= 0 && value < 2 ** 32)) continue;
    throw new ShapeError(name, `u32 is compared with whole numbers from 0 to 2³² − 1; ${one} is ${value}`);
  }
}
