import { notNumbers, type Piece } from '../../gpu/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { add, applyUnary, div, exactLog, exp, makeUnary, mul } from '../elementwise/index.ts';

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
