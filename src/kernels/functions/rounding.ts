import { notNumbers, type Piece } from '../../gpu/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import {
  applyBinary,
  applyUnary,
  type Binary,
  byKernel,
  makeUnary,
  type Operand,
  stopGradient,
} from '../elementwise/index.ts';

/** The largest whole number that is not above `x`; i32 and u32 stay as they are. No gradient flows: it is 0 wherever it exists. */
export function floor(x: Tensor): Tensor {
  return stopGradient(applyUnary(floorKernels, x));
}

/** The smallest whole number that is not below `x`; i32 and u32 stay as they are. No gradient flows. */
export function ceil(x: Tensor): Tensor {
  return stopGradient(applyUnary(ceilKernels, x));
}

/** `x` without what is behind the point: the next whole number towards 0; i32 and u32 stay as they are. No gradient flows. */
export function trunc(x: Tensor): Tensor {
  return stopGradient(applyUnary(truncKernels, x));
}

/**
 * The nearest whole number, of two the even one, as in NumPy and PyTorch. No gradient flows; {@link straightThrough} makes one.
 *
 * ```ts
 * await read(round(tensor(device, [0.5, 1.5, -2.6]))); // [0, 2, -3]
 * ```
 */
export function round(x: Tensor): Tensor {
  return stopGradient(applyUnary(roundKernels, x));
}

/**
 * What is left of `a` after whole multiples of `b`, with the sign of `b`, as in Python: `a - b · floor(a / b)`, exact. Shapes broadcast
 * as in {@link add}. NaN where `b` is 0 or `a` is infinite; of i32 and u32, 0 where `b` is 0, as in NumPy. Gradients `dy` and `-dy · floor(a / b)`.
 *
 * ```ts
 * await read(remainder(tensor(device, [-1, 5]), 3)); // [2, 2]
 * ```
 *
 * @throws ShapeError when the shapes do not fit.
 */
export function remainder(a: Operand, b: Operand): Tensor {
  return applyBinary(remainderOfTwo, a, b);
}

/**
 * How often `b` goes into `a` as a whole, rounded down: `floor(a / b)`, Python's `//`, with `a = b · floorDivide(a, b) + remainder(a, b)`.
 * Shapes broadcast as in {@link add}. Where `b` is 0 it is `a / b`, and of i32 and u32 0, as in NumPy. No gradient flows: it is 0 wherever it exists.
 *
 * ```ts
 * await readI32(floorDivide(tensor(device, new Int32Array([-7, 7])), 2)); // [-4, 3]
 * ```
 *
 * @throws ShapeError when the shapes do not fit.
 */
export function floorDivide(a: Operand, b: Operand): Tensor {
  return stopGradient(applyBinary(quotientRoundedDown, a, b));
}

/** Eight bits of the quotient at a time, in whole numbers: a quotient of floats is off by more than 1 from 2²⁴ on. */
const remainderPiece: Piece = {
  name: 'remainderOf',
  needs: [notNumbers],
  wgsl: `
fn mantissaOf(bits: u32) -> u32 { return (bits & 0x007fffffu) | select(0u, 0x00800000u, bits >= 0x00800000u); }
fn remainderOf(a: f32, b: f32) -> f32 {
  let aBits = bitcast<u32>(a) & 0x7fffffffu;
  let bBits = bitcast<u32>(b) & 0x7fffffffu;
  if (aBits >= 0x7f800000u || bBits < 0x00800000u || bBits > 0x7f800000u) { return nanFrom(select(a, b, isNan(b))); }
  var rest = aBits;
  if (aBits >= bBits) {
    let divisor = mantissaOf(bBits);
    let exponent = max(1u, bBits >> 23u);
    var left = max(1u, aBits >> 23u) - exponent;
    var m = mantissaOf(aBits) % divisor;
    while (left > 0u) {
      let step = min(8u, left);
      m = (m << step) % divisor;
      left -= step;
    }
    // Back to a float: its highest bit to where the exponent begins, unless it is below the least normal number.
    let up = min(countLeadingZeros(m) - 8u, exponent - 1u);
    let shifted = m << up;
    rest = select(0u, select(shifted, (shifted & 0x007fffffu) | ((exponent - up) << 23u), shifted >= 0x00800000u), m != 0u);
  }
  let differs = ((bitcast<u32>(a) ^ bitcast<u32>(b)) & 0x80000000u) != 0u && rest != 0u;
  let signed = bitcast<f32>(rest | (bitcast<u32>(a) & 0x80000000u));
  return select(signed, signed + b, differs);
}`,
};

/** Of whole numbers, where a quotient is not whole and below 0. WGSL's of 0 are those of 1. */
const signsDiffer = 'a % b != 0 && ((a % b) ^ b) < 0';

const use = [notNumbers];
const floorKernels = /*#__PURE__*/ makeUnary('floor', { forward: 'select(floor(x), x, isNan(x))', whole: 'a', use });
const ceilKernels = /*#__PURE__*/ makeUnary('ceil', { forward: 'select(ceil(x), x, isNan(x))', whole: 'a', use });
const truncKernels = /*#__PURE__*/ makeUnary('trunc', { forward: 'select(trunc(x), x, isNan(x))', whole: 'a', use });
const roundKernels = /*#__PURE__*/ makeUnary('round', { forward: 'select(round(x), x, isNan(x))', whole: 'a', use });
const remainderOfTwo: Binary = {
  name: 'remainder',
  forward: 'remainderOf(a, b)',
  whole: `select(a % b, a % b + b, ${signsDiffer})`,
  da: (dy) => dy,
  // The quotient itself may be rounded up to the next whole number.
  db: /*#__PURE__*/ byKernel({
    name: 'remainder-backward-b',
    expression: '-dy * round((a - remainderOf(a, b)) / b)',
    use: [remainderPiece],
  }),
  use: [remainderPiece],
};
const quotientRoundedDown: Binary = {
  name: 'floorDivide',
  forward: 'floorDivided(a, b)',
  whole: `select(select(a / b, a / b - 1, ${signsDiffer}), 0, b == 0)`,
  da: (dy) => dy,
  db: (dy) => dy,
  use: [
    {
      name: 'floorDivided',
      needs: [remainderPiece],
      wgsl: `
fn floorDivided(a: f32, b: f32) -> f32 {
  let bBits = bitcast<u32>(b) & 0x7fffffffu;
  if (bBits < 0x00800000u || isNan(a) || isNan(b)) { return a / b; }
  // A whole number, but for the rounding of a division; of an infinite b, what is left of a is a or b.
  if (bBits == 0x7f800000u && isFinite(a)) { return select(0.0, -1.0, a != 0.0 && (a < 0.0) != (b < 0.0)); }
  return round((a - remainderOf(a, b)) / b);
}`,
    },
  ],
};
