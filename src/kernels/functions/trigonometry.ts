import { notNumbers, type Piece } from '../../gpu/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { add, applyUnary, makeUnary, mul } from '../elementwise/index.ts';

/**
 * Sine of an angle in radians, of any size; NaN of ±∞. The gradient is `dy · cos(x)`.
 *
 * ```ts
 * await read(sin(tensor(device, [0, Math.PI / 2]))); // [0, 1]
 * ```
 */
export function sin(x: Tensor): Tensor {
  return applyUnary(sinKernels, x);
}

/** Cosine of an angle in radians, as {@link sin}. The gradient is `-dy · sin(x)`. */
export function cos(x: Tensor): Tensor {
  return applyUnary(cosKernels, x);
}

/** Tangent of an angle in radians, as {@link sin}. The gradient is `dy · (1 + y²)`. */
export function tan(x: Tensor): Tensor {
  return applyUnary(tanKernels, x);
}

/**
 * Sine and cosine to about 1e-7 of their value. WGSL's may be wrong by 2⁻¹¹ between -π and π and by anything beyond. The angle is reduced
 * by whole numbers: 24 bits of it times those bits of 2/π that count (Payne and Hanek, 1983; after Norbert Juffa,
 * https://stackoverflow.com/a/30465751), then Cephes' polynomials.
 */
const sinCos: Piece = {
  name: 'sinCos',
  needs: [notNumbers],
  wgsl: `
const twoOverPi = array<u32, 8>(0u, 0x28be60dbu, 0x9391054au, 0x7f09d5f4u, 0x7d4d3770u, 0x36d8a566u, 0x4f10e410u, 0x7f9458eau);
// The upper and lower half of a product.
fn wide(a: u32, b: u32) -> vec2u {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
  return vec2u((a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u), a * b);
}
fn quartersOf(word: u32, next: u32, shift: u32) -> u32 { return select((word << shift) | (next >> (32u - shift)), word, shift == 0u); }
fn sinCos(x: f32) -> vec2f {
  let bits = bitcast<u32>(x) & 0x7fffffffu;
  var r = x;
  var quarter = 0u;
  // Beyond π/4.
  if (bits > 0x3f490fdau) {
    let exponent = (bits >> 23u) - 126u;
    let first = min(exponent >> 5u, 4u);
    let shift = exponent & 31u;
    var table = twoOverPi;
    let words = vec4u(table[first], table[first + 1u], table[first + 2u], table[first + 3u]);
    let mantissa = (bits << 8u) | 0x80000000u;
    // The fixed-point product: two bits of quarter turns, 62 of their fraction.
    let last = wide(mantissa, quartersOf(words.z, words.w, shift));
    let middle = wide(mantissa, quartersOf(words.y, words.z, shift));
    var low = middle.y + last.x;
    var high = mantissa * quartersOf(words.x, words.y, shift) + middle.x + select(0u, 1u, low < last.x);
    quarter = high >> 30u;
    // To the nearest quarter: a fraction of a half or more is one below the next.
    high = high & 0x3fffffffu;
    let isAbove = high >= 0x20000000u;
    quarter += select(0u, 1u, isAbove);
    if (isAbove) {
      low = ~low + 1u;
      high = 0x3fffffffu - high + select(0u, 1u, low == 0u);
    }
    let part = (f32(high) * 4294967296.0 + f32(low)) * 3.406121580086554e-19;
    let isNegative = bitcast<i32>(x) < 0;
    r = select(part, -part, isAbove != isNegative);
    if (isNegative) { quarter = 0u - quarter; }
  }
  let z = r * r;
  let s = r + r * z * ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1);
  let c = 1.0 - 0.5 * z + z * z * ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2);
  let turned = select(vec2f(s, c), vec2f(c, -s), (quarter & 1u) == 1u);
  return select(select(turned, -turned, (quarter & 2u) == 2u), vec2f(nanFrom(x)), bits >= 0x7f800000u);
}
fn sinOf(x: f32) -> f32 { return sinCos(x).x; }
fn cosOf(x: f32) -> f32 { return sinCos(x).y; }
fn tanOf(x: f32) -> f32 { let y = sinCos(x); return y.x / y.y; }`,
};

const use = [sinCos];
const sinKernels = /*#__PURE__*/ makeUnary('sin', {
  forward: 'sinOf(x)',
  gradient: 'dy * cosOf(x)',
  second: (_, y) => mul(y, -1),
  use,
});
const cosKernels = /*#__PURE__*/ makeUnary('cos', {
  forward: 'cosOf(x)',
  gradient: '-dy * sinOf(x)',
  second: (_, y) => mul(y, -1),
  use,
});
const tanKernels = /*#__PURE__*/ makeUnary('tan', {
  forward: 'tanOf(x)',
  gradient: 'dy * (1.0 + y * y)',
  second: (_, y) => mul(mul(y, 2), add(mul(y, y), 1)),
  use,
});
