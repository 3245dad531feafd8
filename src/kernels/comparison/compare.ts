// Comparisons make masks: bool, as `where` takes them. No gradient flows through one.
import { notNumbers, type Piece } from '../../gpu/index.ts';
import { empty, type Tensor } from '../../tensor/graph/index.ts';
import { isFloat, ShapeError } from '../../tensor/values/index.ts';
import { checkHeld, commonType } from '../axis/index.ts';
import { broadcast, launchBroadcast, type Operand, tensorsOf } from '../elementwise/index.ts';

/**
 * A mask (bool) of where `a = b`, broadcasting as {@link add}; one of them may be a number. They are of one dtype, any of them, or whole
 * numbers and bool become what they meet; i32 and u32 are compared by their values. NaN equals nothing, 0 and -0 are equal.
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

const mirrored = { '==': '==', '!=': '!=', '<': '>', '<=': '>=', '>': '<', '>=': '<=' } as const;

/** Bits of a u32 as i32 compared with an i32: from 2³¹ on they are below 0, and larger than all of the other's. */
function unsignedFirst(u: string, comparison: Comparison, i: string): string {
  if (comparison === '==') return `${i} >= 0 && ${u} == ${i}`;
  if (comparison === '!=') return `${i} < 0 || ${u} != ${i}`;
  return comparison.startsWith('<') ? `${u} >= 0 && ${u} ${comparison} ${i}` : `${u} < 0 || ${u} ${comparison} ${i}`;
}

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
  const [isMixed, first] = [
    dtype === 'i32' && Object.values(tensors).some((x) => x.dtype !== dtype),
    tensors['a']?.dtype,
  ];
  const wholes = !isMixed
    ? `a ${comparison} b`
    : first === dtype
      ? unsignedFirst('b', mirrored[comparison], 'a')
      : unsignedFirst('a', comparison, 'b');
  const expression = `select(0u, 1u, ${isFloat(dtype) ? floats : wholes})`;
  launchBroadcast({ name, expression, use: [orderPiece] }, plan, { a, b }, y);
  return y;
}
