import { notNumbers } from '../../gpu/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { checkNumber } from '../axis/index.ts';
import { greater } from '../comparison/index.ts';
import {
  abs,
  add,
  applyUnary,
  makeUnary,
  mul,
  secondOfGated,
  sigmoid,
  sigmoidPiece,
  sub,
  tanh,
  where,
} from '../elementwise/index.ts';
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
  second: (x) => secondOfGated(x, x, 1, 0),
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
const leakyReluKernels = /*#__PURE__*/ makeUnary('leaky-relu', {
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
const hardswishKernels = /*#__PURE__*/ makeUnary('hardswish', {
  forward: 'x * (clamp(x + 3.0, 0.0, 6.0) / 6.0)',
  gradient: 'select(select(select(dy, dy * (x / 3.0 + 0.5), x <= 3.0), 0.0, x < -3.0), dy, isNan(x))',
  second: (x) => where(greater(abs(x), 3), 0, 1 / 3),
  use: [notNumbers],
});
// With n = e^x and w = n (n + 2), tanh(softplus(x)) is w / (w + 2), and 1 less its square 4 (w + 1) / (w + 2)². Beyond 20 they are 1 and 0.
const mishKernels = /*#__PURE__*/ makeUnary('mish', {
  forward: 'x * mishFactor(x)',
  gradient: 'dy * (mishFactor(x) + x * (mishRest(x) * sigmoid(x)))',
  second: (x) => {
    const s = sigmoid(x);
    const t = tanh(softplus(x));
    const inner = sub(sub(1, s), mul(mul(t, s), 2));
    return mul(mul(sub(1, mul(t, t)), s), add(mul(x, inner), 2));
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
