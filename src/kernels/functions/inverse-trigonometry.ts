import { notNumbers, type Piece } from '../../gpu/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import {
  add,
  applyBinary,
  applyUnary,
  type Binary,
  byKernel,
  div,
  makeUnary,
  mul,
  type Operand,
  sqrt,
  square,
  sub,
} from '../elementwise/index.ts';

/**
 * The angle in [-π/2, π/2] whose sine is `x`; NaN where |x| > 1. The gradient is `dy / √(1 - x²)`.
 *
 * ```ts
 * await read(asin(tensor(device, [0, 1]))); // [0, 1.5707964]
 * ```
 */
export function asin(x: Tensor): Tensor {
  return applyUnary(asinKernels, x);
}

/** The angle in [0, π] whose cosine is `x`; NaN where |x| > 1. The gradient is `-dy / √(1 - x²)`. */
export function acos(x: Tensor): Tensor {
  return applyUnary(acosKernels, x);
}

/** The angle in (-π/2, π/2) whose tangent is `x`; ±π/2 of ±∞. The gradient is `dy / (1 + x²)`. */
export function atan(x: Tensor): Tensor {
  return applyUnary(atanKernels, x);
}

/**
 * The angle in [-π, π] of the point with the height `y` and the breadth `x`, as in NumPy and PyTorch; signs of zeros and infinities count
 * as in C. Shapes broadcast as in {@link add}, and one of the two may be a number; of i32 and u32 it is f32. Gradients
 * `dy · x / (x² + y²)` and `-dy · y / (x² + y²)`.
 *
 * ```ts
 * await read(atan2(tensor(device, [1, -1]), -1)); // [2.3561945, -2.3561945], 3π/4 and -3π/4
 * ```
 *
 * @throws ShapeError when the shapes do not fit.
 */
export function atan2(y: Operand, x: Operand): Tensor {
  return applyBinary(angle, y, x);
}

/** To about 2e-7 of their value, after Cephes' `atanf`, `asinf` and `acosf`: WGSL's may be wrong by 4096 roundings. */
const arcTangent: Piece = {
  name: 'atanOf',
  needs: [notNumbers],
  wgsl: `
fn atanOf(x: f32) -> f32 {
  let a = abs(x);
  let isFar = a > 2.4142135623730950;
  let isMiddle = !isFar && a > 0.41421356237309503;
  let far = select(-1.0 / select(1.0, a, isFar), 0.0, bitcast<u32>(a) >= 0x7f800000u);
  let r = select(select(a, (a - 1.0) / (a + 1.0), isMiddle), far, isFar);
  let z = r * r;
  let y = select(select(0.0, 0.78539816339744831, isMiddle), 1.5707963267948966, isFar)
    + (r + r * z * (((8.05374449538e-2 * z - 1.38776856032e-1) * z + 1.99777106478e-1) * z - 3.33329491539e-1));
  return select(select(y, -y, bitcast<i32>(x) < 0), x, isNan(x));
}`,
};
const arcSine: Piece = {
  name: 'asinOf',
  needs: [notNumbers],
  wgsl: `
fn asinSmall(a: f32, z: f32) -> f32 {
  return a + a * z * ((((4.2163199048e-2 * z + 2.4181311049e-2) * z + 4.5470025998e-2) * z + 7.4953002686e-2) * z + 1.6666752422e-1);
}
fn outside(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x3f800000u; }
// Of what is more than a half: the angle from there to 1.
fn asinRest(a: f32) -> f32 {
  let z = 0.5 * (1.0 - min(a, 1.0));
  return 2.0 * asinSmall(sqrt(z), z);
}
fn asinOf(x: f32) -> f32 {
  let a = abs(x);
  let y = select(asinSmall(a, a * a), 1.5707963267948966 - asinRest(a), a > 0.5);
  return select(select(y, -y, bitcast<i32>(x) < 0), nanFrom(x), outside(x));
}
fn acosOf(x: f32) -> f32 {
  let rest = asinRest(abs(x));
  let near = 1.5707963267948966 - asinSmall(x, x * x);
  let y = select(near, select(rest, 3.1415926535897932 - rest, x < 0.0), abs(x) > 0.5);
  return select(y, nanFrom(x), outside(x));
}`,
};
/** Two sizes by their bits, as a part of the larger one: below the least normal number bits count, which adapters may take for 0. */
const partPiece: Piece = {
  name: 'partOf',
  wgsl: `
fn ordinary(bits: u32, large: u32) -> f32 {
  let x = bitcast<f32>(bits);
  // Times 2^64 or 2^-64.
  let raised = select(x * 18446744073709551616.0, f32(bits) * 2.5849394142282115e-26, bits < 0x00800000u);
  return select(select(x, x * 5.421010862427522e-20, large >= 0x5d800000u), raised, large < 0x21800000u);
}
fn partOf(bits: u32, large: u32) -> f32 { return ordinary(bits, large) / ordinary(large, large); }`,
};
const pointAngle: Piece = {
  name: 'atan2Of',
  needs: [arcTangent, partPiece],
  wgsl: `
fn atan2Of(y: f32, x: f32) -> f32 {
  let up = bitcast<u32>(y) & 0x7fffffffu;
  let along = bitcast<u32>(x) & 0x7fffffffu;
  let large = max(up, along);
  let small = min(up, along);
  // Of nothing, and of two infinities: as of 0 and of 1.
  let part = select(partOf(small, max(large, 1u)), f32(small == large), large == 0x7f800000u);
  let tangent = atanOf(select(part, 0.0, large == 0u));
  let steep = select(tangent, 1.5707963267948966 - tangent, up > along);
  let turned = select(steep, 3.1415926535897932 - steep, bitcast<i32>(x) < 0);
  return select(select(turned, -turned, bitcast<i32>(y) < 0), nanFrom(x), large > 0x7f800000u);
}`,
};

const rest = (x: Tensor) => sub(1, square(x));
const asinKernels = /*#__PURE__*/ makeUnary('asin', {
  forward: 'asinOf(x)',
  gradient: 'dy / sqrt((1.0 - x) * (1.0 + x))',
  second: (x) => div(x, mul(rest(x), sqrt(rest(x)))),
  use: [arcSine],
});
const acosKernels = /*#__PURE__*/ makeUnary('acos', {
  forward: 'acosOf(x)',
  gradient: '-dy / sqrt((1.0 - x) * (1.0 + x))',
  second: (x) => div(mul(x, -1), mul(rest(x), sqrt(rest(x)))),
  use: [arcSine],
});
const atanKernels = /*#__PURE__*/ makeUnary('atan', {
  forward: 'atanOf(x)',
  gradient: 'dy / (1.0 + x * x)',
  // Finite on the way, as squares may not be.
  second: (x) => {
    const d = add(square(x), 1);
    return mul(div(x, d), div(-2, d));
  },
  use: [arcTangent],
});

/** `a / (a² + b²)`, whose squares alone would overflow, or vanish. */
const slopePiece: Piece = {
  name: 'slopeOf',
  needs: [notNumbers, partPiece],
  wgsl: `
fn slopeOf(a: f32, b: f32) -> f32 {
  let one = bitcast<u32>(a) & 0x7fffffffu;
  let other = bitcast<u32>(b) & 0x7fffffffu;
  let m = max(one, other);
  let p = partOf(one, m);
  let q = select(partOf(other, m), 1.0, other == 0x7f800000u);
  let y = p / (p * p + q * q) / bitcast<f32>(m);
  return select(select(y, -y, bitcast<i32>(a) < 0), a + b, isNan(a) || isNan(b));
}`,
};
/**
 * `a / (a² + b²)` as an op. How it changes is made of it again, `s = slope(a, b)` and `t = slope(b, a)`: `t² - s²` by a and `-2st` by b, so that
 * derivatives of any order overflow or vanish only where they do in truth.
 */
const slope: Binary = {
  name: 'atan2-slope',
  forward: 'slopeOf(a, b)',
  da: (dy, a, b) => mul(mul(dy, -1), squaresOfSlopes(a, b)),
  db: (dy, a, b) => mul(mul(dy, -1), slopes(a, b)),
  use: [slopePiece],
};
const slopeOf = (a: Operand, b: Operand) => applyBinary(slope, a, b);
/** `2st` and `s² - t²`. */
const slopes = (a: Operand, b: Operand) => mul(mul(slopeOf(a, b), 2), slopeOf(b, a));
const squaresOfSlopes = (a: Operand, b: Operand) =>
  mul(sub(slopeOf(a, b), slopeOf(b, a)), add(slopeOf(a, b), slopeOf(b, a)));
const angle: Binary = {
  name: 'atan2',
  forward: 'atan2Of(a, b)',
  whole: '',
  da: /*#__PURE__*/ byKernel(
    { name: 'atan2-backward-a', expression: 'dy * slopeOf(b, a)', use: [slopePiece] },
    { a: (a, b) => mul(slopes(a, b), -1), b: (a, b) => squaresOfSlopes(a, b) },
  ),
  db: /*#__PURE__*/ byKernel(
    { name: 'atan2-backward-b', expression: '-dy * slopeOf(a, b)', use: [slopePiece] },
    { a: (a, b) => squaresOfSlopes(a, b), b: slopes },
  ),
  use: [pointAngle],
};
