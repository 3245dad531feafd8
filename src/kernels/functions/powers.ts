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
  log,
  makeUnary,
  mul,
  type Operand,
  sub,
  where,
} from '../elementwise/index.ts';

/**
 * `a^b` element by element, broadcasting as {@link add}; one of the two may be a number. As in NumPy: NaN of a negative `a` unless `b` is
 * whole, 1 where `b` is 0 or `a` is 1. Gradients `dy · b · a^(b - 1)` and `dy · y · log(a)`, 0 where `b` or `a` is 0.
 *
 * ```ts
 * const x = tensor(device, [1, 2, 3]);
 * await read(pow(x, 3)); // [1, 8, 27]
 * await read(pow(2, x)); // [2, 4, 8]
 * ```
 *
 * @throws ShapeError when the shapes do not fit.
 */
export function pow(a: Operand, b: Operand): Tensor {
  return applyBinary(power, a, b);
}

/** `2^x`, exact where `x` is whole. The gradient is `dy · y · ln 2`. */
export function exp2(x: Tensor): Tensor {
  return applyUnary(exp2Kernels, x);
}

/**
 * Length of the hypotenuse, `√(a² + b²)`, without overflow on the way; broadcasting as {@link add}, one of the two may be a number. ∞ where one of
 * them is infinite, even beside NaN, as in NumPy. Gradients `dy · a / y` and `dy · b / y`; NaN where both are 0, as in PyTorch.
 *
 * ```ts
 * await read(hypot(tensor(device, [3, 3e30]), tensor(device, [4, 4e30]))); // [5, 5e30]
 * ```
 *
 * @throws ShapeError when the shapes do not fit.
 */
export function hypot(a: Operand, b: Operand): Tensor {
  return applyBinary(hypotenuse, a, b);
}

/** `1 / √x`: ∞ of 0, NaN of negative numbers. The gradient is `-dy · y / 2x`. */
export function rsqrt(x: Tensor): Tensor {
  return applyUnary(rsqrtKernels, x);
}

/** `1 / x`: infinite of 0. The gradient is `-dy / x²`. */
export function reciprocal(x: Tensor): Tensor {
  return applyUnary(reciprocalKernels, x);
}

/**
 * `a^b` as 2^(b log₂ a), to 1e-6 of its value. WGSL's loses as many digits as the exponent of the result has. So log₂ a is a whole number,
 * 12 bits, and a small rest; b is 12 bits and a rest; products of 12 bits are exact, and so are their differences to whole numbers. Bits
 * are cut off by masks: compilers take differences of sums apart.
 */
export const powPiece: Piece = {
  name: 'powOf',
  needs: [notNumbers, exactLog],
  wgsl: `
fn leading(x: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u); }
// Of normal, positive a.
fn powOfPositive(a: f32, b: f32) -> f32 {
  let bits = bitcast<u32>(a) + (0x3f800000u - 0x3f3504f3u);
  let k = f32(i32(bits >> 23u) - 127);
  let f = bitcast<f32>((bits & 0x007fffffu) + 0x3f3504f3u) - 1.0;
  // log(1 + f) = f - f²/2 + f³ p(f), as an upper part and the rest.
  let fUpper = leading(f);
  let half = 0.5 * fUpper * fUpper;
  let upper = leading(f - half);
  let rest = ((f - upper) - half) - 0.5 * (f - fUpper) * (f + fUpper) + f * f * f * logPolynomial(f);
  let product = upper * 1.4423828125;
  let logUpper = leading(product);
  let logRest = (product - logUpper) + upper * 3.1222839e-4 + rest * 1.44269504;
  // Beyond, the result is 0, 1 or infinite.
  let y = clamp(b, -4294967296.0, 4294967296.0);
  let yUpper = leading(y);
  let yRest = y - yUpper;
  let one = yUpper * k;
  let two = yUpper * logUpper;
  let three = yRest * k + yRest * logUpper + y * logRest;
  let fraction = (one - round(one)) + (two - round(two)) + three;
  let whole = round(fraction);
  let t = fraction - whole;
  let power = 1.0 + t * ((((((1.535336188319500e-4 * t + 1.339887440266574e-3) * t + 9.618437357674640e-3) * t
    + 5.550332471162809e-2) * t + 2.402264791363012e-1) * t + 6.931472028550421e-1));
  let n = i32(clamp(round(one) + round(two) + whole, -252.0, 252.0));
  let n1 = n / 2;
  return power * bitcast<f32>((n1 + 127) << 23u) * bitcast<f32>((n - n1 + 127) << 23u);
}
fn powOf(a: f32, b: f32) -> f32 {
  let size = bitcast<u32>(a) & 0x7fffffffu;
  let exponent = bitcast<u32>(b) & 0x7fffffffu;
  if (exponent < 0x00800000u || bitcast<u32>(a) == 0x3f800000u) { return 1.0; }
  if (isNan(a)) { return a; }
  if (isNan(b)) { return b; }
  let isNegative = bitcast<i32>(a) < 0;
  let isWhole = exponent >= 0x4b000000u || trunc(b) == b;
  let isOdd = isWhole && exponent < 0x4b800000u && (u32(abs(b)) & 1u) == 1u;
  let isBelow = bitcast<i32>(b) < 0;
  var y = 0.0;
  if (size < 0x00800000u || size >= 0x7f800000u || exponent >= 0x7f800000u) {
    // 0 or ∞, of which the bits of a keep compilers from computing; ±1 to an infinite power is 1.
    let grows = (size > 0x3f800000u) != isBelow;
    y = select(bitcast<f32>(select(0u, 0x7f800000u, grows)), 1.0, size == 0x3f800000u);
  } else if (isNegative && !isWhole) {
    return nanFrom(a);
  } else {
    y = powOfPositive(bitcast<f32>(size), b);
  }
  return select(y, -y, isNegative && isOdd);
}
fn powTowardsA(a: f32, b: f32, dy: f32) -> f32 {
  return select(dy * b * powOf(a, b - 1.0), 0.0, (bitcast<u32>(b) & 0x7fffffffu) < 0x00800000u);
}
fn powTowardsB(a: f32, b: f32, dy: f32) -> f32 {
  let size = bitcast<u32>(a) & 0x7fffffffu;
  let logarithm = select(exactLog(a), a, size >= 0x7f800000u);
  let back = select(dy * powOf(a, b) * logarithm, nanFrom(a), bitcast<i32>(a) < 0 && size >= 0x00800000u);
  let atZero = select(0.0, -dy * powOf(a, b), bitcast<u32>(b) >= 0x80800000u);
  return select(back, select(atZero, b, isNan(b)), size < 0x00800000u);
}`,
};

/** `b · a^(b - 1)`, the slope by a: 0 where b is 0. Parts of slopes are ops, because a product of theirs would be 0 · ∞ where a is 0. */
const slopeByA: Binary = {
  name: 'pow-slope-a',
  forward: 'powTowardsA(a, b, 1.0)',
  da: (dy, a, b) => mul(dy, changeByA(a, b)),
  db: (dy, a, b) => mul(dy, mixedChange(a, b)),
  use: [powPiece],
};
/** `a^b log(a)`, the slope by b: 0 where a is 0 and b is not below. */
const slopeByB: Binary = {
  name: 'pow-slope-b',
  forward: 'powTowardsB(a, b, 1.0)',
  da: (dy, a, b) => mul(dy, mixedChange(a, b)),
  db: (dy, a, b) => mul(dy, changeByB(a, b)),
  use: [powPiece],
};
/** `a^b log²(a)`, as 0 there. */
const changeOfSlopeByB: Binary = {
  name: 'pow-change-b',
  forward: 'powTowardsB(a, b, exactLog(a))',
  da: (dy, a, b) => mul(dy, add(mul(applyBinary(slopeByB, a, less(b)), 2), mul(b, changeByB(a, less(b))))),
  db: (dy, a, b) => mul(dy, mul(changeByB(a, b), typeof a === 'number' ? Math.log(a) : log(a))),
  use: [powPiece],
};
const less = (b: Operand): Operand => (typeof b === 'number' ? b - 1 : sub(b, 1));
const changeByB = (a: Operand, b: Operand) => applyBinary(changeOfSlopeByB, a, b);
/** d²y / da². Of a b of 0, and of a number that makes it 0, there is none. */
function changeByA(a: Operand, b: Operand): Operand {
  if (typeof b !== 'number') return where(b, mul(b, applyBinary(slopeByA, a, less(b))), 0);
  const factor = b * (b - 1);
  return factor === 0 ? 0 : mul(pow(a, b - 2), factor);
}
/** d²y / da db. */
function mixedChange(a: Operand, b: Operand): Tensor {
  return add(pow(a, less(b)), mul(b, applyBinary(slopeByB, a, less(b))));
}

const power: Binary = {
  name: 'pow',
  forward: 'powOf(a, b)',
  da: /*#__PURE__*/ byKernel(
    { name: 'pow-backward-a', expression: 'powTowardsA(a, b, dy)', use: [powPiece] },
    { a: changeByA, b: mixedChange },
  ),
  db: /*#__PURE__*/ byKernel(
    { name: 'pow-backward-b', expression: 'powTowardsB(a, b, dy)', use: [powPiece] },
    { a: mixedChange, b: changeByB },
  ),
  use: [powPiece],
};
const exp2Kernels = /*#__PURE__*/ makeUnary('exp2', {
  forward: 'powOf(2.0, x)',
  gradient: 'dy * y * 0.69314718',
  second: (_, y) => mul(y, Math.LN2 ** 2),
  use: [powPiece],
});

/** Squares neither overflow nor vanish: both numbers are scaled by a power of 2. */
const hypotPiece: Piece = {
  name: 'hypotOf',
  needs: [notNumbers],
  wgsl: `
// The factor, and its reciprocal.
fn hypotScale(a: f32, b: f32) -> vec2f {
  let top = max(abs(a), abs(b));
  let small = select(vec2f(1.0), vec2f(1.2676506002282294e30, 7.888609052210118e-31), top < 9.094947017729282e-13);
  return select(small, vec2f(1.3552527156068805e-20, 7.378697629483821e19), top > 4.611686018427388e18);
}
fn hypotOf(a: f32, b: f32) -> f32 {
  let s = hypotScale(a, b);
  let u = a * s.x;
  let v = b * s.x;
  let y = sqrt(u * u + v * v) * s.y;
  let infinite = select(abs(b), abs(a), bitcast<u32>(abs(a)) == 0x7f800000u);
  return select(y, infinite, bitcast<u32>(infinite) == 0x7f800000u);
}
// a / hypot(a, b).
fn hypotPart(a: f32, b: f32) -> f32 {
  let s = hypotScale(a, b).x;
  let u = a * s;
  let v = b * s;
  return u / sqrt(u * u + v * v);
}`,
};

/** How `a / √(a² + b²)` changes with a, and with b. */
function withItself(a: Operand, b: Operand): Tensor {
  const y = hypot(a, b);
  const part = div(b, y);
  return div(mul(part, part), y);
}
function withOther(a: Operand, b: Operand): Tensor {
  const y = hypot(a, b);
  return mul(div(div(a, y), y), mul(div(b, y), -1));
}
const hypotenuse: Binary = {
  name: 'hypot',
  forward: 'hypotOf(a, b)',
  da: /*#__PURE__*/ byKernel(
    { name: 'hypot-backward-a', expression: 'dy * hypotPart(a, b)', use: [hypotPiece] },
    { a: withItself, b: withOther },
  ),
  db: /*#__PURE__*/ byKernel(
    { name: 'hypot-backward-b', expression: 'dy * hypotPart(b, a)', use: [hypotPiece] },
    { a: withOther, b: (a, b) => withItself(b, a) },
  ),
  use: [hypotPiece],
};
const rsqrtKernels = /*#__PURE__*/ makeUnary('rsqrt', {
  forward: '1.0 / sqrt(x)',
  gradient: 'dy * (-0.5 / x / sqrt(x))',
  second: (x, y) => div(mul(y, 0.75), mul(x, x)),
});
const reciprocalKernels = /*#__PURE__*/ makeUnary('reciprocal', {
  forward: '1.0 / x',
  gradient: '-(dy / x) / x',
  second: (_, y) => mul(mul(y, y), mul(y, 2)),
});
