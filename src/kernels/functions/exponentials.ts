import { notNumbers, type Piece } from '../../gpu/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import {
  add,
  applyBinary,
  applyUnary,
  type Binary,
  byKernel,
  div,
  exactLog,
  exp,
  makeUnary,
  mul,
  type Operand,
  sigmoid,
  sigmoidPiece,
  sub,
} from '../elementwise/index.ts';

/**
 * `log(1 + x)`, as exact near 0 as elsewhere: -∞ of -1, NaN below. The gradient is `dy / (1 + x)`.
 *
 * ```ts
 * await read(log1p(tensor(device, [0, 1e-10]))); // [0, 1e-10]
 * ```
 */
export function log1p(x: Tensor): Tensor {
  return applyUnary(log1pKernels, x);
}

/** `e^x - 1`, as exact near 0 as elsewhere. The gradient is `dy · e^x`. */
export function expm1(x: Tensor): Tensor {
  return applyUnary(expm1Kernels, x);
}

/**
 * Logarithm to base 2, whole where `x` is a power of 2: -∞ of 0, NaN of negative numbers. The gradient is `dy / (x ln 2)`.
 *
 * ```ts
 * await read(log2(tensor(device, [0.5, 1, 8]))); // [-1, 0, 3]
 * ```
 */
export function log2(x: Tensor): Tensor {
  return applyUnary(log2Kernels, x);
}

/** Logarithm to base 10: -∞ of 0, NaN of negative numbers. The gradient is `dy / (x ln 10)`. */
export function log10(x: Tensor): Tensor {
  return applyUnary(log10Kernels, x);
}

/** Hyperbolic sine, `(e^x - e^-x) / 2`, as exact near 0 as elsewhere. The gradient is `dy · cosh(x)`. */
export function sinh(x: Tensor): Tensor {
  return applyUnary(sinhKernels, x);
}

/** Hyperbolic cosine, `(e^x + e^-x) / 2`. The gradient is `dy · sinh(x)`. */
export function cosh(x: Tensor): Tensor {
  return applyUnary(coshKernels, x);
}

/**
 * `log(e^a + e^b)` without overflow, broadcasting as {@link add}; one of the two may be a number. Of equal infinities it is these. Gradients
 * `dy · sigmoid(a - b)` and `dy · sigmoid(b - a)`.
 *
 * ```ts
 * await read(logaddexp(tensor(device, [1000, 0]), tensor(device, [1000, -1e9]))); // [1000.6931, 0]
 * ```
 *
 * @throws ShapeError when the shapes do not fit.
 */
export function logaddexp(a: Operand, b: Operand): Tensor {
  return applyBinary(logOfSum, a, b);
}

/** `log1pOf(x)` to 2e-7 of its value: a polynomial near 0, and further out the logarithm of the sum. */
export const log1pPiece: Piece = {
  name: 'log1pOf',
  needs: [notNumbers, exactLog],
  wgsl: `
fn log1pOf(x: f32) -> f32 {
  let isNear = x > -0.29 && x < 0.41;
  let far = exactLog(select(1.0 + x, 1.0, isNear || !isFinite(x)));
  let y = select(far, logNearOne(select(0.0, x, isNear)), isNear);
  let special = select(bitcast<f32>(bitcast<u32>(x) | 0xff800000u), nanFrom(x), x < -1.0);
  return select(select(y, special, x <= -1.0), x, isNan(x) || bitcast<u32>(x) == 0x7f800000u);
}`,
};

/**
 * `expm1Of(x)` as exact as `exp(x)`: near 0 Taylor's series of a quarter of `x`, doubled twice by `e^2h - 1 = p (p + 2)` with
 * `p = e^h - 1`.
 */
export const expm1Piece: Piece = {
  name: 'expm1Of',
  needs: [notNumbers],
  wgsl: `
fn expm1Of(x: f32) -> f32 {
  let h = 0.25 * clamp(x, -1.4, 1.4);
  var p = h + h * h * (0.5 + h * (1.6666667e-1 + h * (4.1666668e-2 + h * (8.3333333e-3 + h * (1.3888889e-3
    + h * (1.9841270e-4 + h * 2.4801587e-5))))));
  p = p * (p + 2.0);
  p = p * (p + 2.0);
  return select(select(exp(x) - 1.0, p, abs(x) < 1.4), x, isNan(x));
}`,
};

/** `upper + lower` is the logarithm of 2 to the base, `upper` of so few digits that whole multiples are exact; `factor` that of e. */
const logToBase: Piece = {
  name: 'logToBase',
  needs: [notNumbers, exactLog],
  wgsl: `
fn logToBase(x: f32, upper: f32, lower: f32, factor: f32) -> f32 {
  let bits = bitcast<u32>(x);
  let shifted = bits + (0x3f800000u - 0x3f3504f3u);
  let k = f32(i32(shifted >> 23u) - 127);
  let f = bitcast<f32>((shifted & 0x007fffffu) + 0x3f3504f3u) - 1.0;
  let y = k * upper + (k * lower + logNearOne(f) * factor);
  let atZero = bitcast<f32>((bits & 0x80000000u) | 0xff800000u);
  let special = select(nanFrom(x), atZero, (bits & 0x7fffffffu) < 0x00800000u);
  return select(select(special, x, bits == 0x7f800000u), y, bits >= 0x00800000u && bits < 0x7f800000u);
}`,
};

// Far out, the square of e^(x / 2): e^x overflows where half of it does not.
const hyperbolic: Piece = {
  name: 'hyperbolic',
  needs: [expm1Piece],
  wgsl: `
fn sinhOf(x: f32) -> f32 {
  let a = abs(x);
  let p = expm1Of(min(a, 10.0));
  let h = exp(0.5 * min(a, 176.0));
  let y = select(0.5 * h * h, 0.5 * (p + p / (p + 1.0)), a < 10.0);
  return select(select(y, -y, x < 0.0), x, isNan(x));
}
fn coshOf(x: f32) -> f32 {
  let h = exp(0.5 * min(abs(x), 176.0));
  return select(0.5 * h * h + 0.5 / h / h, x, isNan(x));
}`,
};

const log2Kernels = /*#__PURE__*/ makeUnary('log2', {
  forward: 'logToBase(x, 1.0, 0.0, 1.44269504)',
  gradient: 'dy / x * 1.44269504',
  second: (x) => div(-Math.LOG2E, mul(x, x)),
  use: [logToBase],
});
const log10Kernels = /*#__PURE__*/ makeUnary('log10', {
  forward: 'logToBase(x, 0.301025390625, 4.6050390e-6, 0.434294482)',
  gradient: 'dy / x * 0.434294482',
  second: (x) => div(-Math.LOG10E, mul(x, x)),
  use: [logToBase],
});
const sinhKernels = /*#__PURE__*/ makeUnary('sinh', {
  forward: 'sinhOf(x)',
  gradient: 'dy * coshOf(x)',
  second: (_, y) => y,
  use: [hyperbolic],
});
const coshKernels = /*#__PURE__*/ makeUnary('cosh', {
  forward: 'coshOf(x)',
  gradient: 'dy * sinhOf(x)',
  second: (_, y) => y,
  use: [hyperbolic],
});

/** How `sigmoid(a - b)` changes with a; with b by as much less. */
function slope(a: Operand, b: Operand): Tensor {
  const s = sigmoid(sub(a, b));
  return mul(s, sub(1, s));
}
const less = (a: Operand, b: Operand): Tensor => mul(slope(a, b), -1);
const share: Piece = {
  name: 'share',
  needs: [sigmoidPiece, notNumbers],
  wgsl: 'fn share(d: f32) -> f32 { return select(sigmoid(d), d, isNan(d)); }',
};
const logOfSum: Binary = {
  name: 'logaddexp',
  forward: 'logAddExp(a, b)',
  da: /*#__PURE__*/ byKernel(
    { name: 'logaddexp-backward-a', expression: 'dy * share(a - b)', use: [share] },
    { a: slope, b: less },
  ),
  db: /*#__PURE__*/ byKernel(
    { name: 'logaddexp-backward-b', expression: 'dy * share(b - a)', use: [share] },
    { a: less, b: slope },
  ),
  use: [
    {
      name: 'logAddExp',
      needs: [log1pPiece],
      wgsl: `
fn logAddExp(a: f32, b: f32) -> f32 {
  let y = max(a, b) + log1pOf(exp(max(-abs(a - b), -104.0)));
  return select(select(y, a, a == b && !isFinite(a)), select(a, b, isNan(b)), isNan(a) || isNan(b));
}`,
    },
  ],
};
const log1pKernels = /*#__PURE__*/ makeUnary('log1p', {
  forward: 'log1pOf(x)',
  gradient: 'dy / (1.0 + x)',
  second: (x) => {
    const y = add(x, 1);
    return div(-1, mul(y, y));
  },
  use: [log1pPiece],
});
const expm1Kernels = /*#__PURE__*/ makeUnary('expm1', {
  forward: 'expm1Of(x)',
  gradient: 'dy * select(exp(x), x, isNan(x))',
  second: (x) => exp(x),
  use: [expm1Piece],
});
