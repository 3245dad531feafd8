import type { Piece } from '../gpu/kernel.ts';
import { erf, notNumbers } from '../gpu/prelude.ts';

/** The activations that a matmul can apply to its result. `gelu` is the exact one, with erf. */
export type Activation = 'gelu' | 'gelu-tanh' | 'quick-gelu' | 'relu';

/**
 * WGSL functions `activate(x: f32) -> f32` and `activateGradient(x: f32, dy: f32) -> f32`, the gradient at the input `x` when `dy`
 * arrives at the result.
 */
export function activationPiece(form: Activation): Piece {
  return pieces[form];
}

/** `1 / (1 + exp(-x))`, without overflow; 0 where that is no normal number. */
export const sigmoidPiece: Piece = {
  name: 'sigmoid',
  needs: [notNumbers],
  wgsl: `
fn sigmoid(x: f32) -> f32 { return select(select(0.0, 1.0 / (1.0 + exp(-max(x, -87.0))), x >= -87.0), x, isNan(x)); }`,
};

/** `tanh(x)` to about 1e-7, after Cephes' `tanhf`: WGSL's may be wrong by 1e-5 and may overflow. */
export const tanhPiece: Piece = {
  name: 'tanhOf',
  needs: [notNumbers],
  wgsl: `
fn tanhOf(x: f32) -> f32 {
  let z = x * x;
  let near = x + x * z * ((((-5.70498872745e-3 * z + 2.06390887954e-2) * z - 5.37397155531e-2) * z + 1.33314422036e-1) * z
    - 3.33332819422e-1);
  let y = 1.0 - 2.0 / (exp(2.0 * min(abs(x), 44.0)) + 1.0);
  return select(select(select(y, -y, x < 0.0), near, z < 0.390625), x, isNan(x));
}`,
};

/** From what is done to `x` and the derivative there. At -∞, where x is infinite and Φ(x) is 0, GELU is not a number, as in PyTorch. */
const geluPiece = (name: string, needs: readonly Piece[], value: string, derivative: string): Piece => ({
  name,
  needs: [notNumbers, ...needs],
  wgsl: `
fn activate(x: f32) -> f32 {
  ${value}
}
fn activateDerivative(x: f32) -> f32 {
  let bounded = clamp(x, -13.0, 13.0);
  ${derivative}
}
fn activateGradient(x: f32, dy: f32) -> f32 { return dy * select(activateDerivative(x), x, isNan(x)); }
fn isNanOrLow(x: f32) -> bool { return isNan(x) || bitcast<u32>(x) == 0xff800000u; }`,
});

const pieces: Readonly<Record<Activation, Piece>> = {
  // x Φ(x), and Φ(x) + x φ(x). Beyond 13 φ is 0 in f32.
  gelu: geluPiece(
    'gelu',
    [erf],
    'return select(0.5 * x * (1.0 + erf(x * 0.70710678118654752)), nanFrom(x), isNanOrLow(x));',
    'return 0.5 * (1.0 + erf(x * 0.70710678118654752)) + bounded * 0.39894228040143268 * exp(-0.5 * bounded * bounded);',
  ),
  // 0.5 x (1 + tanh u) with u = √(2/π) (x + 0.044715 x³) is x sigmoid(2u).
  'gelu-tanh': geluPiece(
    'gelu-tanh',
    [sigmoidPiece],
    `let bounded = clamp(x, -13.0, 13.0);
  let y = max(x, -13.0) * sigmoid(1.59576912160573071 * (bounded + 0.044715 * bounded * bounded * bounded));
  return select(y, nanFrom(x), isNanOrLow(x));`,
    `let s = sigmoid(1.59576912160573071 * (bounded + 0.044715 * bounded * bounded * bounded));
  return s + bounded * s * (1.0 - s) * 1.59576912160573071 * (1.0 + 0.134145 * bounded * bounded);`,
  ),
  // x sigmoid(1.702 x), OpenAI's CLIP. Below -60 it is 0; the bounds keep a huge x from a tiny sigmoid.
  'quick-gelu': geluPiece(
    'quick-gelu',
    [sigmoidPiece],
    'return select(max(x, -60.0) * sigmoid(1.702 * x), nanFrom(x), isNanOrLow(x));',
    `let s = sigmoid(1.702 * x);
  return s + 1.702 * clamp(x, -60.0, 60.0) * s * (1.0 - s);`,
  ),
  // As PyTorch's, the gradient passes where x is not a number, and is 0 elsewhere, whatever arrives.
  relu: {
    name: 'relu',
    needs: [notNumbers],
    wgsl: `
fn activate(x: f32) -> f32 { return select(max(x, 0.0), x, isNan(x)); }
fn activateGradient(x: f32, dy: f32) -> f32 { return select(0.0, dy, x > 0.0 || isNan(x)); }`,
  },
};
