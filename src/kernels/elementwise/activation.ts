import { notNumbers, type Piece } from '../../gpu/index.ts';
/** The activations that a matmul can apply to its result. `gelu` is the exact one, with erf. */
export type Activation = (typeof activations)[number];
export const activations = ['gelu', 'gelu-tanh', 'quick-gelu', 'relu'] as const;

/**
 * WGSL functions `activate(x: f32) -> f32` and `activateGradient(x: f32, dy: f32) -> f32`, the gradient at the input `x` when `dy`
 * arrives at the result.
 */
export function activationPiece(form: Activation): Piece {
  return pieces[form];
}

/**
 * `1 / (1 + exp(-x))`. Where exp overflows it is exactly 0, so that x times it is 0 for all finite x. Says nothing of NaN: whoever
 * multiplies it by x need not ask, others must.
 */
export const sigmoidPiece: Piece = {
  name: 'sigmoid',
  wgsl: 'fn sigmoid(x: f32) -> f32 { return 1.0 / (1.0 + exp(min(-x, 100.0))); }',
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

// Forms of GELU are x times something between 0 and 1, and their derivatives have a term that is x times something that is 0 far
// out: both take NaN along, and make NaN of -∞ (and derivatives of ∞), as in PyTorch. Bounds are on the other factor only: min and
// max lose NaN.
const geluGradient = 'fn activateGradient(x: f32, dy: f32) -> f32 { return dy * activateDerivative(x); }';

const pieces: Readonly<Record<Activation, Piece>> = {
  // x Φ(x), and Φ(x) + x φ(x). From 0 on Φ is 1 - φ(x) R(x), and φ(-x) R(-x) below, where R is Mills' ratio: one exp for both, no branch, and far
  // out below 0 no difference of two numbers near 1. R is a polynomial of 1 / (1 + |x| / 4), in Abramowitz and Stegun's form (26.2.17): fitted to
  // 4e-9 of Φ, and to 7e-5 of it where that is small. Beyond 15 φ is 0 in f32.
  gelu: {
    name: 'gelu',
    wgsl: `
fn normalDensity(x: f32) -> f32 {
  let t = min(abs(x), 15.0);
  return 0.3989422804014327 * exp(-0.5 * t * t);
}
fn normalBelow(x: f32, density: f32) -> f32 {
  let k = 1.0 / (1.0 + 0.25 * min(abs(x), 15.0));
  let ratio = (((((-0.22988467 * k + 0.85711189) * k - 0.66984686) * k + 0.7042643) * k + 0.06314024) * k + 0.28074576) * k
    + 0.24778346;
  let tail = density * k * ratio;
  return select(1.0 - tail, tail, x < 0.0);
}
fn activate(x: f32) -> f32 { return x * normalBelow(x, normalDensity(x)); }
fn activateDerivative(x: f32) -> f32 {
  let density = normalDensity(x);
  return normalBelow(x, density) + x * density;
}
${geluGradient}`,
  },
  // 0.5 x (1 + tanh u) with u = √(2/π) (x + 0.044715 x³) is x sigmoid(2u). Below -13 that is 0.
  'gelu-tanh': {
    name: 'gelu-tanh',
    needs: [sigmoidPiece],
    wgsl: `
fn activate(x: f32) -> f32 {
  let bounded = clamp(x, -13.0, 13.0);
  return x * sigmoid(1.59576912160573071 * (bounded + 0.044715 * bounded * bounded * bounded));
}
fn activateDerivative(x: f32) -> f32 {
  let bounded = clamp(x, -13.0, 13.0);
  let s = sigmoid(1.59576912160573071 * (bounded + 0.044715 * bounded * bounded * bounded));
  return s + x * (s * (1.0 - s) * 1.59576912160573071 * (1.0 + 0.134145 * bounded * bounded));
}
${geluGradient}`,
  },
  // x sigmoid(1.702 x), OpenAI's CLIP.
  'quick-gelu': {
    name: 'quick-gelu',
    needs: [sigmoidPiece],
    wgsl: `
fn activate(x: f32) -> f32 { return x * sigmoid(1.702 * x); }
fn activateDerivative(x: f32) -> f32 {
  let s = sigmoid(1.702 * x);
  return s + x * (1.702 * s * (1.0 - s));
}
${geluGradient}`,
  },
  // As PyTorch's, the gradient passes where x is NaN, and is 0 elsewhere, whatever arrives.
  relu: {
    name: 'relu',
    needs: [notNumbers],
    wgsl: `
fn activate(x: f32) -> f32 { return select(max(x, 0.0), x, isNan(x)); }
fn activateGradient(x: f32, dy: f32) -> f32 { return select(0.0, dy, x > 0.0 || isNan(x)); }`,
  },
};
