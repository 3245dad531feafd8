// Each op is a WGSL expression in f32, and two of its gradients. What an expression names, its kernel binds.
import { notNumbers, type Piece } from '../../gpu/index.ts';
import { differentiable, empty, Tensor } from '../../tensor/graph/index.ts';
import { describe, isFloat, ShapeError } from '../../tensor/values/index.ts';
import { checkHeld, checkTensors, commonType } from '../axis/index.ts';
import { type Broadcast, broadcast } from './broadcast.ts';
import { type Expression, launchBroadcast, type Operand } from './broadcast-launch.ts';
import { cast } from './cast.ts';
import { castFloat, floatType } from './float-cast.ts';
import { stopGradient } from './stop-gradient.ts';

export interface Binary {
  readonly name: string;
  readonly forward: string;
  /** The same of i32 and u32; none where only floats are taken, '' where they become f32. */
  readonly whole?: string;
  /** dL/da and dL/db, before they are summed over what was stretched: ops, or {@link byKernel}. */
  readonly da: Gradient;
  readonly db: Gradient;
  readonly use?: readonly Piece[];
}

type Gradient = (dy: Tensor, a: Operand, b: Operand, plan: Broadcast) => Tensor;

/** NaN is taken before any number, and of two the first. */
function extremeOfTwo(name: string, choose: 'max' | 'min', wins: '>=' | '<='): Binary {
  const isFirst = `isNan(a) || (a ${wins} b && !isNan(b))`;
  const use = [notNumbers];
  return {
    name,
    use,
    forward: `select(select(${choose}(a, b), b, isNan(b)), a, isNan(a))`,
    whole: `${choose}(a, b)`,
    da: byKernel({ name: `${name}-backward-a`, expression: `select(0.0, dy, ${isFirst})`, use }),
    db: byKernel({ name: `${name}-backward-b`, expression: `select(dy, 0.0, ${isFirst})`, use }),
  };
}

/**
 * `a + b`. Shapes broadcast as in NumPy: aligned at the last axis, an axis of 1 stretches. One of the two may be a number, as in all
 * pointwise ops. The gradient is `dy` for both, summed over what was stretched. As in PyTorch, i32 and u32 meet their like (and wrap around), and
 * where dtypes differ, bool (1 and 0) becomes the other, u32 becomes i32, modulo 2³², and both f32 or f16.
 *
 * ```ts
 * const x = tensor(device, [1, 2, 3, 4], [2, 2]);
 * await read(add(x, tensor(device, [10, 20]))); // [11, 22, 13, 24]
 * await read(add(x, 1)); // [2, 3, 4, 5]
 * ```
 *
 * @throws ShapeError when the shapes do not fit, or the dtypes: f32 and f16 do not meet, bool has no arithmetic of its own.
 */
export function add(a: Operand, b: Operand): Tensor {
  return applyBinary(sumOfTwo, a, b);
}

const sumOfTwo: Binary = { name: 'add', forward: 'a + b', whole: 'a + b', da: (dy) => dy, db: (dy) => dy };

/** `a - b`, broadcasting as {@link add}. Gradients `dy` and `-dy`. */
export function sub(a: Operand, b: Operand): Tensor {
  return applyBinary(difference, a, b);
}

const difference: Binary = { name: 'sub', forward: 'a - b', whole: 'a - b', da: (dy) => dy, db: (dy) => mul(dy, -1) };

/** `a · b` element by element, broadcasting as {@link add}. Gradients `dy · b` and `dy · a`. */
export function mul(a: Operand, b: Operand): Tensor {
  return applyBinary(productOfTwo, a, b);
}

const productOfTwo: Binary = {
  name: 'mul',
  forward: 'a * b',
  whole: 'a * b',
  da: (dy, _, b) => mul(dy, b),
  db: (dy, a) => mul(dy, a),
};

/**
 * `a / b` element by element, broadcasting as {@link add}. Of i32 and u32 it is f32, as in PyTorch; `floorDivide` keeps them. Gradients `dy / b` and
 * `-dy · a / b²`.
 */
export function div(a: Operand, b: Operand): Tensor {
  return applyBinary(quotient, a, b);
}

const quotient: Binary = {
  name: 'div',
  forward: 'a / b',
  whole: '',
  da: (dy, _, b) => div(dy, b),
  db: /*#__PURE__*/ byKernel(
    { name: 'div-backward-b', expression: '-dy * (a / b) / b' },
    { a: (_, b) => div(-1, mul(b, b)), b: (a, b) => div(div(mul(div(a, b), 2), b), b) },
  ),
};

/**
 * The larger of `a` and `b`, broadcasting as {@link add}; NaN if one of them is. The gradient goes to it; of equal ones, and of
 * two NaN, to `a`.
 */
export function maximum(a: Operand, b: Operand): Tensor {
  return applyBinary(larger, a, b);
}

const larger: Binary = /*#__PURE__*/ extremeOfTwo('maximum', 'max', '>=');

/** The smaller of `a` and `b`; as {@link maximum}. */
export function minimum(a: Operand, b: Operand): Tensor {
  return applyBinary(smaller, a, b);
}

const smaller: Binary = /*#__PURE__*/ extremeOfTwo('minimum', 'min', '<=');

/**
 * `a` where the condition is not 0 (NaN is not), else `b`; all three broadcast, and `a` and `b` may be numbers. The condition is a
 * mask (bool) or any other tensor. The gradient goes to the one that was taken.
 *
 * ```ts
 * await read(where(tensor(device, [true, false]), tensor(device, [1, 2]), 9)); // [1, 9]
 * ```
 *
 * The result has the dtype of `a` and `b`, any of them; where they differ it is that of {@link add}. Where both are numbers it is f32, or f16
 * where the condition is.
 *
 * @throws ShapeError when the shapes do not fit, or the dtypes.
 */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  checkTensors('where', { condition }, 'for a number choose on the host');
  const tensors = tensorsOf('where', { a, b });
  const ofNumbers = condition.dtype === 'f16' ? 'f16' : 'f32';
  const dtype = Object.keys(tensors).length > 0 ? commonType('where', tensors) : ofNumbers;
  checkHeld('where', { a, b }, dtype);
  const plan = broadcast('where', { ...tensors, condition });
  const y = empty(condition, plan.shape, dtype);
  // Floats that a kernel reads are of one dtype, the result's.
  const meets = !isFloat(condition.dtype) || !isFloat(dtype) || condition.dtype === dtype;
  const c = stopGradient(meets ? condition : cast(condition, 'bool'));
  const isTrue = isFloat(c.dtype) ? 'isSomething(c)' : 'c != 0';
  launchBroadcast({ name: 'where', expression: `select(b, a, ${isTrue})`, use: [notNumbers] }, plan, { a, b, c }, y);
  return withGradients(y, tensors, (name, dy) => (name === 'a' ? where(c, dy, 0) : where(c, 0, dy)));
}

/** Those of some operands that are tensors; the others must be numbers. */
export function tensorsOf(op: string, operands: Readonly<Record<string, Operand>>): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = {};
  for (const [name, operand] of Object.entries<unknown>(operands)) {
    if (operand instanceof Tensor) tensors[name] = operand;
    else if (typeof operand !== 'number') {
      throw new ShapeError(op, `${name} must be a tensor or a number; it is ${describe(operand)}`);
    }
  }
  return tensors;
}

/** A pointwise op of two operands, of which one is a tensor. */
export function applyBinary({ name, forward, whole, da, db, use }: Binary, a: Operand, b: Operand): Tensor {
  const tensors = tensorsOf(name, { a, b });
  const like = tensors['a'] ?? tensors['b'];
  if (!like) throw new ShapeError(name, 'a or b must be a tensor');
  const common = commonType(name, tensors, (dtype) => isFloat(dtype) || (dtype !== 'bool' && whole !== undefined));
  const dtype = isFloat(common) || whole ? common : 'f32';
  checkHeld(name, { a, b }, dtype);
  const plan = broadcast(name, tensors);
  const y = empty(like, plan.shape, dtype);
  launchBroadcast({ name, expression: isFloat(dtype) ? forward : (whole as string), use }, plan, { a, b }, y);
  return withGradients(y, tensors, (one, dy) => (one === 'a' ? da : db)(dy, a, b, plan));
}

function widened<X extends Operand>(x: X): X {
  return (x instanceof Tensor ? cast(x, 'f32') : x) as X;
}

/** Gradients of operands that hold floats, summed over what was stretched. */
function withGradients(
  y: Tensor,
  tensors: Readonly<Record<string, Tensor>>,
  of: (name: string, dy: Tensor) => Tensor,
): Tensor {
  const floats = Object.entries(tensors).filter(([, x]) => isFloat(x.dtype));
  return differentiable(
    y,
    floats.map(([, x]) => x),
    (dy, sumTo) => floats.map(([name, x]) => sumTo(of(name, dy), x.shape)),
  );
}

/**
 * A gradient in one launch: WGSL in terms of `dy`, `a` and `b`, `dy` times a slope. How the slope changes with a and b, by ops, is what its
 * own gradient is made of; without, it is the same all around. That is computed in f32, which whole numbers and masks become too.
 */
export function byKernel(
  expression: Expression,
  changes: { readonly [name in 'a' | 'b']?: (a: Operand, b: Operand) => Operand } = {},
): Gradient {
  const gradient: Gradient = (dy, a, b, plan) => {
    const dx = empty(dy);
    launchBroadcast(expression, plan, { a, b, dy }, dx);
    const tensors = Object.entries({ a, b }).filter(
      (entry): entry is ['a' | 'b', Tensor] => entry[1] instanceof Tensor && isFloat(entry[1].dtype),
    );
    return differentiable(dx, [dy, ...tensors.map(([, x]) => x)], (u, sumTo) => [
      gradient(u, a, b, plan),
      ...tensors.map(([name, x]) => {
        const change = changes[name];
        const slopes = change && mul(mul(widened(u), widened(dy)), change(widened(a), widened(b)));
        return slopes && castFloat(sumTo(slopes, x.shape), floatType(x));
      }),
    ]);
  };
  return gradient;
}
