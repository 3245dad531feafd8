// An op is a WGSL expression in f32, and its gradient. Each has a constant of its own, so that a bundle keeps those that are used.
import { type Kernel, kernel, notNumbers, type Piece } from '../../gpu/index.ts';
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
import { describe, isFloat, ShapeError } from '../../tensor/values/index.ts';
import { checkFloats, checkHeld, checkNumber, checkTensors } from '../axis/index.ts';
import { type Activation, activationPiece, sigmoidPiece, tanhPiece } from './activation.ts';
import { add, div, mul, sub } from './binary.ts';
import { broadcast, componentwise } from './broadcast.ts';
import { launchBroadcast, type Operand } from './broadcast-launch.ts';
import { stopGradient } from './stop-gradient.ts';

/** `-x`. Float, i32, or u32, which wraps around. */
export function neg(x: Tensor): Tensor {
  return applyUnary(negKernels, x);
}

/** `|x|`. The gradient is `dy · sign(x)`: 0 at 0. Float, i32 or u32, of which −2³¹ stays as it is. */
export function abs(x: Tensor): Tensor {
  return applyUnary(absKernels, x);
}

/** `e^x`. The gradient is `dy · y`. */
export function exp(x: Tensor): Tensor {
  return applyUnary(expKernels, x);
}

/** Natural logarithm: -∞ of 0, NaN of negative numbers. The gradient is `dy / x`. */
export function log(x: Tensor): Tensor {
  return applyUnary(logKernels, x);
}

/** `√x`. The gradient is `dy / 2y`. */
export function sqrt(x: Tensor): Tensor {
  return applyUnary(sqrtKernels, x);
}

/** `x²`. The gradient is `2x · dy`. Float, i32 or u32. */
export function square(x: Tensor): Tensor {
  return applyUnary(squareKernels, x);
}

/** -1, 0 or 1, and NaN of NaN, as in NumPy. No gradient flows: it is 0 wherever it exists. Float, i32 or u32. */
export function sign(x: Tensor): Tensor {
  return stopGradient(applyUnary(signKernels, x));
}

/** `1 / (1 + e^-x)`. The gradient is `dy · y (1 - y)`. */
export function sigmoid(x: Tensor): Tensor {
  return applyUnary(sigmoidKernels, x);
}

/** Hyperbolic tangent. The gradient is `dy · (1 - y²)`. */
export function tanh(x: Tensor): Tensor {
  return applyUnary(tanhKernels, x);
}

/** `max(x, 0)`. The gradient is `dy` where `x > 0`, and where `x` is NaN, as in PyTorch. Float, i32 or u32. */
export function relu(x: Tensor): Tensor {
  return applyUnary(kernelsOf('relu'), x);
}

/**
 * GELU (https://arxiv.org/abs/1606.08415), `x Φ(x)` with the normal distribution Φ. The gradient is `dy · (Φ(x) + x φ(x))`.
 *
 * At -∞ it is NaN, as -∞ · 0 is, and so is the gradient at ±∞, as in PyTorch.
 *
 * `erf` is exact, to 2·10⁻⁷, and to 10⁻⁴ of its value far below 0, where that is small (PyTorch's in f32 is off by 4 % at -5, and 0 from about -6). `tanh` is `x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))`, `quick` is CLIP's `x sigmoid(1.702 x)`.
 */
export function gelu(x: Tensor, approximate: 'erf' | 'tanh' | 'quick' = 'erf'): Tensor {
  const activation = ({ erf: 'gelu', tanh: 'gelu-tanh', quick: 'quick-gelu' } as const)[approximate];
  if (!activation)
    throw new ShapeError('gelu', `approximate must be 'erf', 'tanh' or 'quick'; it is ${describe(approximate)}`);
  return applyUnary(kernelsOf(activation), x);
}

/**
 * `x`, but at least `low` and at most `high` (`high` where they cross). The gradient is `dy` inside, bounds included, and 0
 * outside and where `x` is NaN, as in PyTorch. Float, i32 or u32, whose bounds are whole numbers, or infinite for none.
 *
 * @throws ShapeError when a bound is NaN, or what x does not hold.
 */
export function clamp(x: Tensor, low: number, high: number): Tensor {
  checkTensors('clamp', { x });
  checkNumber('clamp', 'low', low);
  checkNumber('clamp', 'high', high);
  if (Number.isNaN(low) || Number.isNaN(high)) {
    throw new ShapeError('clamp', `the bounds must be numbers (${low} and ${high})`, { x: x.shape });
  }
  // Beyond all whole numbers, a bound is the last of them.
  const [least, most] = x.dtype === 'i32' ? [-(2 ** 31), 2 ** 31 - 1] : [0, 2 ** 32 - 1];
  const held = (bound: number) => (isFloat(x.dtype) || Number.isFinite(bound) ? bound : bound > 0 ? most : least);
  return applyUnary(clampKernels, x, held(low), held(high));
}

/** `factor · x` with a number, as `mul(x, factor)`. */
export function scale(x: Tensor, factor: number): Tensor {
  checkNumber('scale', 'factor', factor, 'mul');
  return applyUnary(scaleKernels, x, factor);
}

/** `x + value` with a number, as `add(x, value)`. */
export function addScalar(x: Tensor, value: number): Tensor {
  checkNumber('addScalar', 'value', value, 'add');
  return applyUnary(addScalarKernels, x, value);
}

/** An op of one tensor, with up to two numbers. */
export function applyUnary(kernels: UnaryKernels, x: Tensor, p = 0, q = 0): Tensor {
  const { forward, backward, passes, whole } = kernels;
  if (whole && /^[iu]\d/.test(`${x?.dtype}`)) {
    const [name, y] = [forward.name, empty(x)];
    checkHeld(name, { 'the number': p, 'the second number': q }, x.dtype);
    launchBroadcast({ name, expression: whole }, broadcast(name, { a: x }), { a: x, b: p, c: q }, y);
    return y;
  }
  checkFloats(forward.name, { x });
  const y = empty(x);
  dispatch(forward, { x, y }, { p, q, ...elementsOf(x.device, x.size) });
  if (passes) return differentiable(y, [x], (dy) => [passes === 'dy' ? dy : applyUnary(kernels, dy, p)]);
  if (!backward) return y;
  return differentiable(y, [x], (dy) => [applyBackward(kernels, x, y, dy, p, q)]);
}

/** `dx = dy · f'(x)`. Its own gradients are `u · f'(x)` for dy, and `u · dy · f"(x)` for x: of these, and so on. */
function applyBackward(kernels: UnaryKernels, x: Tensor, y: Tensor, dy: Tensor, p = 0, q = 0): Tensor {
  const { backward, keeps, second } = kernels;
  const dx = empty(x);
  if (backward) dispatch(backward, { v: keeps === 'y' ? y : x, dy, dx }, { p, q, ...elementsOf(x.device, x.size) });
  return differentiable(dx, [x, dy], (u) => [
    second && mul(mul(u, dy), second(x, y, p)),
    applyBackward(kernels, x, y, u, p, q),
  ]);
}

interface Unary {
  /** In terms of `x`, and `p` and `q`, the numbers that the op takes. */
  readonly forward: string;
  /** The same of i32 and u32, in terms of `a`, and `b` and `c`, the numbers; none where only floats are taken. */
  readonly whole?: string | undefined;
  /** What arrives at `x`, in terms of `dy` and of `x` or `y`, not of both, so that only one of them is kept. None: no gradient flows. */
  readonly gradient?: string;
  /** Instead, for ops whose slope is the same everywhere: the gradient is `dy`, or the op of `dy`. */
  readonly passes?: 'dy' | 'op';
  /** The second derivative, by ops, of `x`, `y` and `p`; none where it is 0. Nothing on the way is 0 · ∞ for a finite `x`. */
  readonly second?: Second | undefined;
  readonly use?: readonly Piece[];
}

type Second = (x: Tensor, y: Tensor, p: number) => Operand;

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

const negKernels = /*#__PURE__*/ makeUnary('neg', { forward: '-x', whole: '0 - a', passes: 'op' });
const absKernels = /*#__PURE__*/ makeUnary('abs', {
  forward: 'abs(x)',
  whole: 'abs(a)',
  gradient: 'dy * signOf(x)',
  use: [notNumbers],
});
const expKernels = /*#__PURE__*/ makeUnary('exp', {
  forward: 'select(exp(x), x, isNan(x))',
  gradient: 'dy * y',
  second: (_, y) => y,
  use: [notNumbers],
});
const logKernels = /*#__PURE__*/ makeUnary('log', {
  forward: 'logOf(x)',
  gradient: 'dy / x',
  second: (x) => div(-1, mul(x, x)),
  use: [logPiece],
});
const sqrtKernels = /*#__PURE__*/ makeUnary('sqrt', {
  forward: 'sqrt(x)',
  gradient: 'dy / (2.0 * y)',
  second: (x, y) => div(-0.25, mul(x, y)),
});
const squareKernels = /*#__PURE__*/ makeUnary('square', {
  forward: 'x * x',
  whole: 'a * a',
  gradient: 'dy * 2.0 * x',
  second: () => 2,
});
const signKernels = /*#__PURE__*/ makeUnary('sign', {
  forward: 'signOf(x)',
  whole: 'select(min(a, 1), ~(a - a), a < 0)',
  use: [notNumbers],
});
const sigmoidKernels = /*#__PURE__*/ makeUnary('sigmoid', {
  forward: 'select(sigmoid(x), x, isNan(x))',
  gradient: 'dy * (y * (1.0 - y))',
  second: (_, y) => mul(mul(y, sub(1, y)), sub(1, mul(y, 2))),
  use: [sigmoidPiece, notNumbers],
});
const tanhKernels = /*#__PURE__*/ makeUnary('tanh', {
  forward: 'tanhOf(x)',
  gradient: 'dy * (1.0 - y * y)',
  second: (_, y) => mul(mul(y, -2), sub(1, mul(y, y))),
  use: [tanhPiece],
});
const clampKernels = /*#__PURE__*/ makeUnary('clamp', {
  forward: 'select(min(max(x, params.p), params.q), x, isNan(x))',
  whole: 'min(max(a, b), c)',
  gradient: 'select(0.0, dy, x >= params.p && x <= params.q && !isNan(x))',
  use: [notNumbers],
});
const scaleKernels = /*#__PURE__*/ makeUnary('scale', { forward: 'x * params.p', whole: 'a * b', passes: 'op' });
const addScalarKernels = /*#__PURE__*/ makeUnary('addScalar', {
  forward: 'x + params.p',
  whole: 'a + b',
  passes: 'dy',
});

const activationKernels = new Map<Activation, UnaryKernels>();

function kernelsOf(activation: Activation): UnaryKernels {
  let made = activationKernels.get(activation);
  if (!made) {
    const use = [activationPiece(activation)];
    const second = seconds[activation];
    const whole = activation === 'relu' ? 'max(a, 0)' : undefined;
    made = makeUnary(activation, { forward: 'activate(x)', whole, gradient: 'activateGradient(x, dy)', second, use });
    activationKernels.set(activation, made);
  }
  return made;
}

/** What arrives at `x` when `dy` arrives at its activation. */
export function activationBackward(activation: Activation, x: Tensor, dy: Tensor): Tensor {
  return applyBackward(kernelsOf(activation), x, x, dy);
}

/**
 * The second derivative of `x sigmoid(w)`; `first` multiplies by that of w. Far out, `slope` is 0: all is multiplied from there, because powers of
 * x alone overflow.
 */
export function secondOfGated(
  x: Tensor,
  first: (t: Tensor) => Tensor,
  w: Tensor = first(x),
  second: Operand = 0,
): Tensor {
  const s = sigmoid(w);
  const rest = sub(1, s);
  const slope = mul(s, rest);
  const t = mul(slope, x);
  return add(first(add(mul(first(t), sub(rest, s)), mul(slope, 2))), mul(t, second));
}

const seconds: Readonly<Record<Activation, Second | undefined>> = {
  // (2 - x²) φ(x).
  gelu: (x) => {
    const t = exp(mul(mul(x, x), -0.5));
    return mul(sub(mul(t, 2), mul(mul(t, x), x)), 0.39894228);
  },
  'gelu-tanh': (x) => {
    // t · √(8/π) (1 + c x²).
    const times = (t: Tensor, c = 0.134145) => mul(add(mul(mul(mul(t, x), x), c), t), 1.5957691216);
    return secondOfGated(x, times, times(x, 0.044715), mul(x, 0.428129));
  },
  'quick-gelu': (x) => secondOfGated(x, (t) => mul(t, 1.702)),
  relu: undefined,
};

/** The kernels of an op, by a name that says what they compute. */
export function makeUnary(name: string, { forward, whole, gradient, passes, second, use = [] }: Unary): UnaryKernels {
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
    second,
    whole,
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

type UnaryParams = typeof elementParams & { readonly p: 'f32'; readonly q: 'f32' };

export interface UnaryKernels {
  readonly keeps: 'x' | 'y';
  readonly passes: 'dy' | 'op' | undefined;
  readonly second: Second | undefined;
  readonly whole: string | undefined;
  readonly forward: Kernel<
    { readonly x: 'read vec4<T>'; readonly y: 'write vec4<T>' },
    UnaryParams,
    typeof elementOverride
  >;
  readonly backward:
    | Kernel<
        { readonly v: 'read vec4<T>'; readonly dy: 'read vec4<T>'; readonly dx: 'write vec4<T>' },
        UnaryParams,
        typeof elementOverride
      >
    | undefined;
}
