// One table each: the op as a WGSL expression in f32, and its gradient. What an expression names, its kernel binds.
import { type Binding, type Kernel, kernel, notNumbers, type Piece } from '../../gpu/index.ts';
import {
  differentiable,
  dispatch,
  elementGrid,
  elementLoop,
  elementOverride,
  elementParams,
  elementsOf,
  empty,
  type Tensor,
} from '../../tensor/graph/index.ts';
import { describe, ShapeError } from '../../tensor/values/index.ts';
import { checkFloats, checkNumber, checkTensors } from '../axis/index.ts';
import { activationPiece, sigmoidPiece, tanhPiece } from './activation.ts';
import { type Broadcast, broadcast, broadcastParams, operandOffsets, sumTo, type Way } from './broadcast.ts';
import { stopGradient } from './stop-gradient.ts';

interface Unary {
  /** In terms of `x`, and `p` and `q`, the numbers that the op takes. */
  readonly forward: string;
  /** What arrives at `x`, in terms of `dy` and of `x` or `y`, not of both, so that only one of them is kept. None: no gradient flows. */
  readonly gradient?: string;
  /** Instead, for ops whose slope is the same everywhere: the gradient is `dy`, or the op of `dy`. */
  readonly passes?: 'dy' | 'op';
  readonly use?: readonly Piece[];
}

/**
 * Natural logarithm. SwiftShader's is that of |x|, and -88 at 0; both CPU adapters give -88 for all that is below the least normal
 * number, which is taken for 0 here.
 */
const logPiece: Piece = {
  name: 'logOf',
  needs: [notNumbers],
  wgsl: `
fn logOf(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  let y = select(nanFrom(x), log(x), bits <= 0x7f800000u);
  return select(y, bitcast<f32>((bits & 0x80000000u) | 0xff800000u), (bits & 0x7fffffffu) < 0x00800000u);
}`,
};

const unary = {
  abs: { forward: 'abs(x)', gradient: 'dy * signOf(x)', use: [notNumbers] },
  exp: { forward: 'select(exp(x), x, isNan(x))', gradient: 'dy * y', use: [notNumbers] },
  log: { forward: 'logOf(x)', gradient: 'dy / x', use: [logPiece] },
  sqrt: { forward: 'sqrt(x)', gradient: 'dy / (2.0 * y)' },
  square: { forward: 'x * x', gradient: 'dy * 2.0 * x' },
  sign: { forward: 'signOf(x)', use: [notNumbers] },
  sigmoid: {
    forward: 'select(sigmoid(x), x, isNan(x))',
    gradient: 'dy * (y * (1.0 - y))',
    use: [sigmoidPiece, notNumbers],
  },
  tanh: { forward: 'tanhOf(x)', gradient: 'dy * (1.0 - y * y)', use: [tanhPiece] },
  relu: /*#__PURE__*/ activation('relu'),
  gelu: /*#__PURE__*/ activation('gelu'),
  'gelu-tanh': /*#__PURE__*/ activation('gelu-tanh'),
  'quick-gelu': /*#__PURE__*/ activation('quick-gelu'),
  clamp: {
    forward: 'select(min(max(x, params.p), params.q), x, isNan(x))',
    gradient: 'select(0.0, dy, x >= params.p && x <= params.q && !isNan(x))',
    use: [notNumbers],
  },
  scale: { forward: 'x * params.p', passes: 'op' },
  'add-scalar': { forward: 'x + params.p', passes: 'dy' },
} as const satisfies Record<string, Unary>;

function activation(form: Parameters<typeof activationPiece>[0]): Unary {
  return { forward: 'activate(x)', gradient: 'activateGradient(x, dy)', use: [activationPiece(form)] };
}

interface Binary {
  readonly forward: string;
  /** dL/da and dL/db in terms of `dy`, `a`, `b`; just `dy` needs no launch. */
  readonly da: string;
  readonly db: string;
}

const binary = {
  add: { forward: 'a + b', da: 'dy', db: 'dy' },
  sub: { forward: 'a - b', da: 'dy', db: '-dy' },
  mul: { forward: 'a * b', da: 'dy * b', db: 'dy * a' },
  div: { forward: 'a / b', da: 'dy / b', db: '-dy * (a / b) / b' },
  maximum: /*#__PURE__*/ extremeOfTwo('max', '>='),
  minimum: /*#__PURE__*/ extremeOfTwo('min', '<='),
} as const satisfies Record<string, Binary>;

/** NaN is taken before any number, and of two the first. */
function extremeOfTwo(choose: 'max' | 'min', wins: '>=' | '<='): Binary {
  const isFirst = `isNan(a) || (a ${wins} b && !isNan(b))`;
  return {
    forward: `select(select(${choose}(a, b), b, isNan(b)), a, isNan(a))`,
    da: `select(0.0, dy, ${isFirst})`,
    db: `select(dy, 0.0, ${isFirst})`,
  };
}

/**
 * `a + b`. Shapes broadcast as in NumPy: aligned at the last axis, an axis of 1 stretches. The gradient is `dy` for both,
 * summed over what was stretched.
 *
 * ```ts
 * const x = tensor(device, [1, 2, 3, 4], [2, 2]);
 * await read(add(x, tensor(device, [10, 20]))); // [11, 22, 13, 24]
 * ```
 *
 * @throws ShapeError when the shapes do not fit.
 */
export function add(a: Tensor, b: Tensor): Tensor {
  return applyBinary('add', a, b);
}

/** `a - b`, broadcasting as {@link add}. Gradients `dy` and `-dy`. */
export function sub(a: Tensor, b: Tensor): Tensor {
  return applyBinary('sub', a, b);
}

/** `a · b` element by element, broadcasting as {@link add}. Gradients `dy · b` and `dy · a`. */
export function mul(a: Tensor, b: Tensor): Tensor {
  return applyBinary('mul', a, b);
}

/** `a / b` element by element, broadcasting as {@link add}. Gradients `dy / b` and `-dy · a / b²`. */
export function div(a: Tensor, b: Tensor): Tensor {
  return applyBinary('div', a, b);
}

/**
 * The larger of `a` and `b`, broadcasting as {@link add}; NaN if one of them is. The gradient goes to it; of equal ones, and of
 * two NaN, to `a`.
 */
export function maximum(a: Tensor, b: Tensor): Tensor {
  return applyBinary('maximum', a, b);
}

/** The smaller of `a` and `b`; as {@link maximum}. */
export function minimum(a: Tensor, b: Tensor): Tensor {
  return applyBinary('minimum', a, b);
}

/** `-x`. */
export function neg(x: Tensor): Tensor {
  return applyUnary('scale', x, -1);
}

/** `|x|`. The gradient is `dy · sign(x)`: 0 at 0. */
export function abs(x: Tensor): Tensor {
  return applyUnary('abs', x);
}

/** `e^x`. The gradient is `dy · y`. */
export function exp(x: Tensor): Tensor {
  return applyUnary('exp', x);
}

/** Natural logarithm: -∞ of 0, NaN of negative numbers. The gradient is `dy / x`. */
export function log(x: Tensor): Tensor {
  return applyUnary('log', x);
}

/** `√x`. The gradient is `dy / 2y`. */
export function sqrt(x: Tensor): Tensor {
  return applyUnary('sqrt', x);
}

/** `x²`. The gradient is `2x · dy`. */
export function square(x: Tensor): Tensor {
  return applyUnary('square', x);
}

/** -1, 0 or 1, and NaN of NaN, as in NumPy. No gradient flows: it is 0 wherever it exists. */
export function sign(x: Tensor): Tensor {
  return stopGradient(applyUnary('sign', x));
}

/** `1 / (1 + e^-x)`. The gradient is `dy · y (1 - y)`. */
export function sigmoid(x: Tensor): Tensor {
  return applyUnary('sigmoid', x);
}

/** Hyperbolic tangent. The gradient is `dy · (1 - y²)`. */
export function tanh(x: Tensor): Tensor {
  return applyUnary('tanh', x);
}

/** `max(x, 0)`. The gradient is `dy` where `x > 0`, and where `x` is NaN, as in PyTorch. */
export function relu(x: Tensor): Tensor {
  return applyUnary('relu', x);
}

/**
 * GELU (https://arxiv.org/abs/1606.08415), `x Φ(x)` with the normal distribution Φ. The gradient is `dy · (Φ(x) + x φ(x))`.
 *
 * At -∞ it is NaN, as -∞ · 0 is, and so is the gradient at ±∞, as in PyTorch.
 *
 * `erf` is exact, `tanh` is `x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))`, `quick` is CLIP's `x sigmoid(1.702 x)`.
 */
export function gelu(x: Tensor, form: 'erf' | 'tanh' | 'quick' = 'erf'): Tensor {
  const name = ({ erf: 'gelu', tanh: 'gelu-tanh', quick: 'quick-gelu' } as const)[form];
  if (!name) throw new ShapeError('gelu', `the form must be 'erf', 'tanh' or 'quick'; it is ${describe(form)}`);
  return applyUnary(name, x);
}

/**
 * `x`, but at least `low` and at most `high` (`high` where they cross). The gradient is `dy` inside, bounds included, and 0
 * outside and where `x` is NaN, as in PyTorch.
 *
 * @throws ShapeError when a bound is NaN.
 */
export function clamp(x: Tensor, low: number, high: number): Tensor {
  checkNumber('clamp', 'low', low);
  checkNumber('clamp', 'high', high);
  if (Number.isNaN(low) || Number.isNaN(high)) {
    throw new ShapeError('clamp', `the bounds must be numbers (${low} and ${high})`, { x: x.shape });
  }
  return applyUnary('clamp', x, low, high);
}

/** `factor · x` with a number, which a step keeps: a factor that changes must be a tensor, see {@link mul}. */
export function scale(x: Tensor, factor: number): Tensor {
  checkNumber('scale', 'factor', factor, 'mul');
  return applyUnary('scale', x, factor);
}

/** `x + value` with a number, which a step keeps: a value that changes must be a tensor, see {@link add}. */
export function addScalar(x: Tensor, value: number): Tensor {
  checkNumber('addScalar', 'value', value, 'add');
  return applyUnary('add-scalar', x, value);
}

/**
 * `a` where the condition is not 0 (NaN is not), else `b`; all three broadcast. The gradient goes to the one that was taken.
 *
 * ```ts
 * await read(where(tensor(device, new Uint32Array([1, 0])), tensor(device, [1, 2]), tensor(device, 9))); // [1, 9]
 * ```
 *
 * @throws ShapeError when the shapes do not fit.
 */
export function where(condition: Tensor, a: Tensor, b: Tensor): Tensor {
  checkTensors('where', { condition, a, b }, 'for a number make a scalar: fill(device, [], 0)');
  checkFloats('where', { a, b });
  const plan = broadcast('where', a.device, { a: a.shape, b: b.shape, c: condition.shape }, { c: 'condition' });
  const y = empty(a, plan.shape);
  const c = stopGradient(condition);
  launchBroadcast(whereForms.forward, plan, { a, b, c }, y);
  return differentiable(y, [a, b], (dy) => {
    const da = empty(dy);
    launchBroadcast(whereForms.da, plan, { dy, c }, da);
    const db = empty(dy);
    launchBroadcast(whereForms.db, plan, { dy, c }, db);
    return [sumTo(da, a.shape), sumTo(db, b.shape)];
  });
}

/** What computes with a number in place of the second tensor. */
const withNumber: Readonly<Partial<Record<keyof typeof binary, string>>> = {
  add: 'use addScalar(x, 1)',
  sub: 'use addScalar(x, -1)',
  mul: 'use scale(x, 2)',
  div: 'use scale(x, 1 / 2)',
};

function applyUnary(name: keyof typeof unary, x: Tensor, p = 0, q = 0): Tensor {
  checkTensors(name, { x }, '');
  checkFloats(name, { x });
  const { forward, backward, keeps, passes } = unaryKernels[name];
  const params = { ...elementsOf(x.device, x.size), p, q };
  const y = empty(x);
  dispatch(forward, { x, y }, params);
  if (passes) return differentiable(y, [x], (dy) => [passes === 'dy' ? dy : applyUnary(name, dy, p)]);
  if (!backward) return y;
  return differentiable(y, [x], (dy) => {
    const dx = empty(x);
    dispatch(backward, { v: keeps === 'y' ? y : x, dy, dx }, params);
    return [dx];
  });
}

function applyBinary(name: keyof typeof binary, a: Tensor, b: Tensor): Tensor {
  checkTensors(name, { a, b }, withNumber[name] ?? 'for a number make a scalar: fill(device, [], 1)');
  checkFloats(name, { a, b });
  const plan = broadcast(name, a.device, { a: a.shape, b: b.shape });
  const { forward, da, db } = binary[name];
  const y = empty(a, plan.shape);
  launchBroadcast({ name, expression: forward }, plan, { a, b }, y);
  return differentiable(y, [a, b], (dy) => {
    const towards = (suffix: 'a' | 'b', expression: string, x: Tensor) => {
      if (expression === 'dy') return sumTo(dy, x.shape);
      const dx = empty(dy);
      launchBroadcast({ name: `${name}-backward-${suffix}`, expression }, plan, { a, b, dy }, dx);
      return sumTo(dx, x.shape);
    };
    return [towards('a', da, a), towards('b', db, b)];
  });
}

/** WGSL: the vec4f of what a function of numbers gives for each component of vec4fs. */
function componentwise(name: string, inputs: readonly string[]): string {
  return `vec4f(${[...'xyzw'].map((k) => `${name}(${inputs.map((one) => `${one}.${k}`).join(', ')})`).join(', ')})`;
}

function makeUnary(name: string, { forward, gradient, passes, use = [] }: Unary) {
  const keeps = gradient && /\by\b/.test(gradient) ? 'y' : 'x';
  const shared = {
    params: { ...elementParams, p: 'f32', q: 'f32' },
    override: elementOverride,
    use,
    grid: elementGrid,
  } as const;
  return {
    keeps,
    passes,
    forward: kernel({
      ...shared,
      name,
      bind: { x: 'read vec4<T>', y: 'write vec4<T>' },
      wgsl: `
fn value(x: f32) -> f32 { return ${forward}; }
${elementLoop(`    let v = vec4f(x[i]);\n    y[i] = vec4<T>(${componentwise('value', ['v'])});`)}`,
    }),
    backward:
      gradient === undefined
        ? undefined
        : kernel({
            ...shared,
            name: `${name}-backward`,
            bind: { v: 'read vec4<T>', dy: 'read vec4<T>', dx: 'write vec4<T>' },
            wgsl: `
fn arriving(${keeps}: f32, dy: f32) -> f32 { return ${gradient}; }
${elementLoop(`    let kept = vec4f(v[i]);
    let back = vec4f(dy[i]);
    dx[i] = vec4<T>(${componentwise('arriving', ['kept', 'back'])});`)}`,
          }),
  };
}

type Read = 'a' | 'b' | 'c' | 'dy';

/**
 * Launches the kernel that writes `to` from an expression in some of a, b, c (broadcast) and dy (of the result's shape). There is
 * one for each way in which the operands are read.
 */
function launchBroadcast(
  { name, expression }: Fused,
  { elements, params, constants, ways }: Broadcast,
  tensors: Readonly<Partial<Record<Read, Tensor>>>,
  to: Tensor,
): void {
  const names = (['a', 'b', 'c', 'dy'] as const).filter((one) => new RegExp(`\\b${one}\\b`).test(expression));
  const bound = Object.fromEntries(names.map((one) => [one, tensors[one] as Tensor]));
  const inFours = ways.a !== 'each';
  const reads = names.map((one): Operand => {
    const isU32 = bound[one]?.dtype === 'u32';
    return { name: one, isU32, way: one === 'dy' ? (inFours ? 'fours' : 'each') : ways[one] };
  });
  const key = [name, ...reads.map(({ way, isU32 }) => `${way}${isU32 ? ' of u32' : ''}`)].join();
  let made = broadcastKernels.get(key);
  if (!made) broadcastKernels.set(key, (made = makeBroadcast(name, expression, reads, inFours)));
  dispatch(made, { ...bound, to }, { ...elements, ...params }, constants);
}

interface Operand {
  readonly name: Read;
  readonly way: Way;
  readonly isU32: boolean;
}

type BroadcastKernel = Kernel<
  Record<string, Binding>,
  typeof elementParams & typeof broadcastParams,
  { WG: number; RANK: number }
>;
const broadcastKernels = new Map<string, BroadcastKernel>();

function makeBroadcast(name: string, expression: string, reads: readonly Operand[], inFours: boolean): BroadcastKernel {
  const bind: Record<string, Binding> = {};
  for (const { name: one, way, isU32 } of reads) {
    bind[one] = isU32 ? 'read u32' : way === 'fours' ? 'read vec4<T>' : 'read T';
  }
  bind['to'] = inFours ? 'write vec4<T>' : 'write T';
  const offset = { a: 'at.x', b: 'at.y', c: 'at.z', dy: inFours ? '4u * i' : 'i' } as const;
  const load = ({ name: one, way, isU32 }: Operand): string => {
    const at = offset[one];
    if (way === 'each') return `f32(${one}[${at}])`;
    if (way === 'same') return `vec4f(f32(${one}[${at}]))`;
    if (!isU32) return `vec4f(${one}[(${at}) / 4u])`;
    return `vec4f(${[0, 1, 2, 3].map((k) => `f32(${one}[${at} + ${k}u])`).join(', ')})`;
  };
  const names = reads.map(({ name: one }) => one);
  return kernel({
    name,
    bind,
    params: { ...elementParams, ...broadcastParams },
    override: { ...elementOverride, RANK: 1 },
    use: [operandOffsets, notNumbers],
    grid: elementGrid,
    wgsl: `
fn value(${names.map((one) => `${one}: f32`).join(', ')}) -> f32 { return ${expression}; }
${elementLoop(`    let at = operandOffsets(${inFours ? '4u * i' : 'i'});
${reads.map((one) => `    let ${one.name}In = ${load(one)};`).join('\n')}
    to[i] = ${
      inFours
        ? `vec4<T>(${componentwise(
            'value',
            names.map((one) => `${one}In`),
          )})`
        : `T(value(${names.map((one) => `${one}In`).join(', ')}))`
    };`)}`,
  }) as unknown as BroadcastKernel;
}

/** A kernel by its name, which says what its expression is. */
interface Fused {
  readonly name: string;
  readonly expression: string;
}

const whereForms = {
  forward: { name: 'where', expression: 'select(b, a, isSomething(c))' },
  da: { name: 'where-backward-a', expression: 'select(0.0, dy, isSomething(c))' },
  db: { name: 'where-backward-b', expression: 'select(dy, 0.0, isSomething(c))' },
} as const;

function mapTable<K extends string, A, B>(table: Readonly<Record<K, A>>, make: (name: K, entry: A) => B): Record<K, B> {
  return Object.fromEntries(
    Object.entries(table).map(([name, entry]) => [name, make(name as K, entry as A)]),
  ) as Record<K, B>;
}

const unaryKernels = /*#__PURE__*/ mapTable<keyof typeof unary, Unary, ReturnType<typeof makeUnary>>(unary, makeUnary);
