import type { Piece } from '../gpu/kernel.ts';
import { erf } from '../gpu/prelude.ts';

/** The activations that a matmul can apply to its result. `gelu` is the exact one, with erf. */
export type Activation = (typeof activations)[number];
export const activations = ['gelu', 'gelu-tanh', 'quick-gelu', 'relu'] as const;

/** WGSL functions `activate(x: f32) -> f32` and `activateDerivative(x: f32) -> f32`, both in terms of the input. */
export function activationPiece(form: Activation): Piece {
  return pieces[form];
}

/** `1 / (1 + exp(-x))`, without overflow. */
export const sigmoidPiece: Piece = {
  name: 'sigmoid',
  wgsl: 'fn sigmoid(x: f32) -> f32 { return 1.0 / (1.0 + exp(min(-x, 88.0))); }',
};

/** `tanh(x)` to about 1e-7, after Cephes' `tanhf`: WGSL's may be wrong by 1e-5 and may overflow. */
export const tanhPiece: Piece = {
  name: 'tanhOf',
  wgsl: `
fn tanhOf(x: f32) -> f32 {
  let z = x * x;
  let near = x + x * z * ((((-5.70498872745e-3 * z + 2.06390887954e-2) * z - 5.37397155531e-2) * z + 1.33314422036e-1) * z
    - 3.33332819422e-1);
  let y = 1.0 - 2.0 / (exp(2.0 * min(abs(x), 44.0)) + 1.0);
  return select(select(y, -y, x < 0.0), near, z < 0.390625);
}`,
};

const pieces: Readonly<Record<Activation, Piece>> = {
  // x Φ(x), and Φ(x) + x φ(x). Beyond 13 φ is 0 in f32.
  gelu: {
    name: 'gelu',
    needs: [erf],
    wgsl: `
fn activate(x: f32) -> f32 { return 0.5 * x * (1.0 + erf(x * 0.70710678118654752)); }
fn activateDerivative(x: f32) -> f32 {
  let bounded = clamp(x, -13.0, 13.0);
  return 0.5 * (1.0 + erf(x * 0.70710678118654752)) + bounded * 0.39894228040143268 * exp(-0.5 * bounded * bounded);
}`,
  },
  // 0.5 x (1 + tanh u) with u = √(2/π) (x + 0.044715 x³) is x sigmoid(2u).
  'gelu-tanh': {
    name: 'gelu-tanh',
    needs: [sigmoidPiece],
    wgsl: `
fn activate(x: f32) -> f32 {
  let bounded = clamp(x, -13.0, 13.0);
  return max(x, -13.0) * sigmoid(1.59576912160573071 * (bounded + 0.044715 * bounded * bounded * bounded));
}
fn activateDerivative(x: f32) -> f32 {
  let bounded = clamp(x, -13.0, 13.0);
  let s = sigmoid(1.59576912160573071 * (bounded + 0.044715 * bounded * bounded * bounded));
  return s + bounded * s * (1.0 - s) * 1.59576912160573071 * (1.0 + 0.134145 * bounded * bounded);
}`,
  },
  // x sigmoid(1.702 x), OpenAI's CLIP. Below -60 it is 0; the bounds keep a huge x from a tiny sigmoid.
  'quick-gelu': {
    name: 'quick-gelu',
    needs: [sigmoidPiece],
    wgsl: `
fn activate(x: f32) -> f32 { return max(x, -60.0) * sigmoid(1.702 * x); }
fn activateDerivative(x: f32) -> f32 {
  let s = sigmoid(1.702 * x);
  return s + 1.702 * clamp(x, -60.0, 60.0) * s * (1.0 - s);
}`,
  },
  relu: {
    name: 'relu',
    wgsl: `
fn activate(x: f32) -> f32 { return max(x, 0.0); }
fn activateDerivative(x: f32) -> f32 { return select(0.0, 1.0, x > 0.0); }`,
  },
};
