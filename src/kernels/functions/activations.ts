import { notNumbers } from '../../gpu/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { isFloat, normalizeAxis, ShapeError } from '../../tensor/values/index.ts';
import { checkNumber, checkTensors } from '../axis/index.ts';
import { greater } from '../comparison/index.ts';
import {
  abs,
  add,
  applyBinary,
  applyUnary,
  type Binary,
  byKernel,
  cast,
  clamp,
  div,
  exp,
  makeUnary,
  mul,
  type Operand,
  secondOfGated,
  sigmoid,
  sigmoidPiece,
  sign,
  sub,
  tanh,
  where,
} from '../elementwise/index.ts';
import { split } from '../layout/index.ts';
import { expm1Piece, log1pPiece } from './exponentials.ts';

/**
 * SiLU, or swish (https://arxiv.org/abs/1702.03118): `x · sigmoid(x)`. The gradient is `dy · (s + x · s (1 - s))` with `s = sigmoid(x)`. At
 * -∞ it is NaN, as -∞ · 0 is, and so is the gradient at ±∞, as in PyTorch.
 */
export function silu(x: Tensor): Tensor {
  return applyUnary(siluKernels, x);
}

/** `log(1 + e^x)`, without overflow. The gradient is `dy · sigmoid(x)`. */
export function softplus(x: Tensor): Tensor {
  return applyUnary(softplusKernels, x);
}

/**
 * Logarithm of the sigmoid, `-log(1 + e^-x)`, without overflow: `x` far below 0, where the sigmoid itself is 0. The gradient is
 * `dy · sigmoid(-x)`.
 *
 * ```ts
 * await read(logSigmoid(tensor(device, [0, -200]))); // [-0.6931472, -200]
 * ```
 */
export function logSigmoid(x: Tensor): Tensor {
  return applyUnary(logSigmoidKernels, x);
}

/** `x` where it is above 0, else `slope · x`. The gradient is `dy`, or `slope · dy`. */
export function leakyRelu(x: Tensor, slope = 0.01): Tensor {
  checkNumber('leakyRelu', 'slope', slope);
  return applyUnary(leakyReluKernels, x, slope);
}

/** ELU (https://arxiv.org/abs/1511.07289): `x` where it is above 0, else `alpha · (e^x - 1)`. The gradient is `dy`, or `dy · alpha · e^x`. */
export function elu(x: Tensor, alpha = 1): Tensor {
  checkNumber('elu', 'alpha', alpha);
  return applyUnary(eluKernels, x, alpha);
}

/**
 * SELU (https://arxiv.org/abs/1706.02515): `1.0507 x` where it is above 0, else `1.0507 · 1.6733 (e^x - 1)`, which keeps mean 0 and variance 1. The
 * gradient is `1.0507 dy`, or `dy · 1.7581 e^x`.
 */
export function selu(x: Tensor): Tensor {
  return applyUnary(seluKernels, x);
}

/**
 * CELU (https://arxiv.org/abs/1704.07483): `x` where it is above 0, else `alpha · (e^(x / alpha) - 1)`. The gradient is `dy`, or `dy · e^(x / alpha)`.
 *
 * @throws ShapeError when alpha is 0.
 */
export function celu(x: Tensor, alpha = 1): Tensor {
  checkTensors('celu', { x });
  checkNumber('celu', 'alpha', alpha);
  if (alpha === 0) throw new ShapeError('celu', 'alpha must not be 0', { x: x.shape });
  return applyUnary(celuKernels, x, alpha);
}

/**
 * PReLU (https://arxiv.org/abs/1502.01852): `x` where it is above 0, else `weight · x`, with a weight that is learnt: `[C]`, one for each channel
 * (the last axis; of channels first `[C, 1, 1]`), or `[1]`. They broadcast as in {@link add}. Gradients `dy` or `dy · weight`, and 0 or `dy · x`.
 *
 * ```ts
 * await read(prelu(tensor(device, [[-1, -2], [3, 4]]), tensor(device, [0.5, 0.25]))); // [-0.5, -0.5, 3, 4]
 * ```
 *
 * @throws ShapeError when the shapes do not fit.
 */
export function prelu(x: Tensor, weight: Operand): Tensor {
  return applyBinary(preluOfTwo, x, weight);
}

/**
 * Gated linear unit (https://arxiv.org/abs/1612.08083): `a · sigmoid(b)` of the two halves of an axis, `[…, 2C]` → `[…, C]`.
 *
 * ```ts
 * await read(glu(tensor(device, [3, 4, 0, 1000]))); // [1.5, 4]
 * ```
 *
 * @throws ShapeError when the axis has no halves.
 */
export function glu(x: Tensor, axis = -1): Tensor {
  checkTensors('glu', { x });
  if (!isFloat(x.dtype)) throw new ShapeError('glu', `x must be f32 or f16; it is ${x.dtype}`, { x: x.shape });
  const half = (x.shape[normalizeAxis('glu', axis, x.shape)] as number) / 2;
  if (half % 1 !== 0) throw new ShapeError('glu', `axis ${axis} must have two halves`, { x: x.shape });
  const [a, b] = split(x, axis, [half, half]) as [Tensor, Tensor];
  return mul(a, sigmoid(b));
}

/** `x / (1 + |x|)`. The gradient is `dy / (1 + |x|)²`. At ±∞ both are NaN, as in PyTorch. */
export function softsign(x: Tensor): Tensor {
  return applyUnary(softsignKernels, x);
}

/** Hard sigmoid (https://arxiv.org/abs/1905.02244): `clamp(x / 6 + 1/2, 0, 1)`. The gradient is `dy / 6` between -3 and 3, and 0 elsewhere. */
export function hardsigmoid(x: Tensor): Tensor {
  return applyUnary(hardsigmoidKernels, x);
}

/**
 * Hard swish (https://arxiv.org/abs/1905.02244): `x · clamp(x + 3, 0, 6) / 6`. The gradient is 0 below -3, `dy · (x / 3 + 1/2)` up to 3, and
 * `dy` above.
 */
export function hardswish(x: Tensor): Tensor {
  return applyUnary(hardswishKernels, x);
}

/**
 * Mish (https://arxiv.org/abs/1908.08681): `x · tanh(softplus(x))`. The gradient is `dy · (t + x (1 - t²) sigmoid(x))` with
 * `t = tanh(softplus(x))`. At ±∞ as {@link silu}.
 */
export function mish(x: Tensor): Tensor {
  return applyUnary(mishKernels, x);
}

const siluKernels = /*#__PURE__*/ makeUnary('silu', {
  forward: 'x * sigmoid(x)',
  gradient: 'dy * (sigmoid(x) + x * (sigmoid(x) * (1.0 - sigmoid(x))))',
  second: (x) => secondOfGated(x, (t) => t),
  use: [sigmoidPiece],
});
const softplusKernels = /*#__PURE__*/ makeUnary('softplus', {
  forward: 'select(max(x, 0.0) + log1pOf(exp(-min(abs(x), 104.0))), x, isNan(x))',
  gradient: 'dy * select(sigmoid(x), x, isNan(x))',
  second: (x) => {
    const s = sigmoid(x);
    return mul(s, sub(1, s));
  },
  use: [log1pPiece, sigmoidPiece],
});
const logSigmoidKernels = /*#__PURE__*/ makeUnary('logSigmoid', {
  forward: 'select(min(x, 0.0) - log1pOf(exp(-min(abs(x), 104.0))), x, isNan(x))',
  gradient: 'dy * select(sigmoid(-x), x, isNan(x))',
  second: (x) => {
    const s = sigmoid(x);
    return mul(s, sub(s, 1));
  },
  use: [log1pPiece, sigmoidPiece],
});
const leakyReluKernels = /*#__PURE__*/ makeUnary('leakyRelu', {
  forward: 'select(x * params.p, x, x > 0.0)',
  gradient: 'select(dy * params.p, dy, x > 0.0 && !isNan(x))',
  use: [notNumbers],
});
const eluKernels = /*#__PURE__*/ makeUnary('elu', {
  forward: 'select(select(params.p * expm1Of(min(x, 0.0)), x, x > 0.0), x, isNan(x))',
  gradient: 'select(select(dy * params.p * exp(clamp(x, -104.0, 0.0)), dy, x > 0.0), x, isNan(x))',
  second: (x, y, alpha) => where(greater(x, 0), 0, add(y, alpha)),
  use: [expm1Piece],
});
const seluKernels = /*#__PURE__*/ makeUnary('selu', {
  forward: 'select(select(1.75809934 * expm1Of(min(x, 0.0)), 1.05070099 * x, x > 0.0), x, isNan(x))',
  gradient: 'select(select(dy * 1.75809934 * exp(clamp(x, -104.0, 0.0)), dy * 1.05070099, x > 0.0), x, isNan(x))',
  second: (x, y) => where(greater(x, 0), 0, add(y, 1.7580993408473766)),
  use: [expm1Piece],
});
const celuKernels = /*#__PURE__*/ makeUnary('celu', {
  forward: 'select(select(params.p * expm1Of(min(x, 0.0) / params.p), x, x > 0.0), x, isNan(x))',
  gradient: 'select(select(dy * exp(max(min(x, 0.0) / params.p, -104.0)), dy, x > 0.0), x, isNan(x))',
  second: (x, _, alpha) => where(greater(x, 0), 0, div(exp(div(clamp(x, Number.NEGATIVE_INFINITY, 0), alpha)), alpha)),
  use: [expm1Piece],
});
const isAbove = 'a > 0.0 && !isNan(a)';
const preluOfTwo: Binary = {
  name: 'prelu',
  forward: `select(a * b, a, ${isAbove})`,
  da: /*#__PURE__*/ byKernel(
    { name: 'prelu-backward-a', expression: `select(dy * b, dy, ${isAbove})`, use: [notNumbers] },
    { b: (a) => where(greater(a, 0), 0, 1) },
  ),
  db: /*#__PURE__*/ byKernel(
    { name: 'prelu-backward-b', expression: `select(dy * a, 0.0, ${isAbove})`, use: [notNumbers] },
    { a: (a) => where(greater(a, 0), 0, 1) },
  ),
  use: [notNumbers],
};
const softsignKernels = /*#__PURE__*/ makeUnary('softsign', {
  forward: 'x / (1.0 + abs(x))',
  gradient: 'select(nanFrom(x), dy / (1.0 + abs(x)) / (1.0 + abs(x)), isFinite(x))',
  second: (x) => {
    const d = add(abs(x), 1);
    return div(mul(sign(x), -2), mul(mul(d, d), d));
  },
  use: [notNumbers],
});
const hardsigmoidKernels = /*#__PURE__*/ makeUnary('hardsigmoid', {
  forward: 'select(clamp(x / 6.0 + 0.5, 0.0, 1.0), x, isNan(x))',
  gradient: 'select(0.0, dy / 6.0, abs(x) < 3.0 && !isNan(x))',
  use: [notNumbers],
});
const hardswishKernels = /*#__PURE__*/ makeUnary('hardswish', {
  forward: 'x * (clamp(x + 3.0, 0.0, 6.0) / 6.0)',
  gradient: 'select(select(select(dy, dy * (x / 3.0 + 0.5), x <= 3.0), 0.0, x < -3.0), x, isNan(x))',
  // Numbers alone would make f32.
  second: (x) => cast(where(greater(abs(x), 3), 0, 1 / 3), x.dtype),
  use: [notNumbers],
});
// With n = e^x and w = n (n + 2), tanh(softplus(x)) is w / (w + 2), and 1 less its square 4 (w + 1) / (w + 2)². Beyond 20 they are 1 and 0.
const mishKernels = /*#__PURE__*/ makeUnary('mish', {
  forward: 'x * mishFactor(x)',
  gradient: 'dy * (mishFactor(x) + x * (mishRest(x) * sigmoid(x)))',
  second: (x) => {
    const bounded = clamp(x, -100, 100);
    const s = sigmoid(bounded);
    const t = tanh(softplus(bounded));
    const inner = sub(sub(1, s), mul(mul(t, s), 2));
    return mul(mul(sub(1, mul(t, t)), s), add(mul(bounded, inner), 2));
  },
  use: [
    {
      name: 'mishFactor',
      needs: [sigmoidPiece],
      wgsl: `
fn mishPart(x: f32) -> f32 {
  let n = exp(clamp(x, -104.0, 20.0));
  return n * (n + 2.0);
}
fn mishFactor(x: f32) -> f32 { let w = mishPart(x); return w / (w + 2.0); }
fn mishRest(x: f32) -> f32 { let w = mishPart(x); return select(4.0 * ((w + 1.0) / (w + 2.0)) / (w + 2.0), 0.0, x > 20.0); }`,
    },
  ],
});
