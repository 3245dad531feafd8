import type { Piece } from './kernel.ts';

/**
 * What is infinite or not a number, told by bits: WGSL lets compilers take it that neither occurs, and they do (`x != x` is
 * false everywhere, `max(x, 0.0)` and `sign(x)` of NaN are 0 on the CPU adapters, SwiftShader's `exp` of NaN is infinite).
 * As i32, since CPUs have no other comparison of whole vectors.
 *
 * The rule that all ops keep, as NumPy and PyTorch do: NaN in, NaN out, wherever it stands. For what is the largest or smallest,
 * and for the order of a sort, NaN counts as more extreme than all numbers; of several, the first. What is computed (sums, products)
 * takes NaN along by itself; what chooses (a maximum, a comparison, a condition) must ask.
 */
export const notNumbers: Piece = {
  name: 'notNumbers',
  wgsl: `
fn isNan(x: f32) -> bool { return (bitcast<i32>(x) & 0x7fffffff) > 0x7f800000; }
fn signOf(x: f32) -> f32 { return select(sign(x), x, isNan(x)); }
// Not 0: NaN as well, and what adapters may take for 0.
fn isSomething(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) != 0u; }
fn isFinite(x: f32) -> bool { return (bitcast<i32>(x) & 0x7fffffff) < 0x7f800000; }
// NaN: literals of it are not allowed. Of any x, which keeps compilers from computing it.
fn nanFrom(x: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) | 0x7fc00000u); }`,
};

/**
 * `expBelow(d)`: e^d for d ≤ 0, differences to a maximum. Far enough below it is exactly 0: WGSL promises nothing of exp where it
 * underflows. NaN stays NaN.
 */
export const expBelow: Piece = {
  name: 'expBelow',
  needs: [notNumbers],
  wgsl: `
fn expBelow(d: f32) -> f32 { return select(select(exp(d), 0.0, d <= -104.0), d, isNan(d)); }`,
};

/**
 * Sum over the WG invocations of a workgroup; every invocation gets the result. All of them must call it, from uniform
 * control flow. The kernel declares `override WG`, a power of two.
 */
export const joinSum: Piece = {
  name: 'joinSum',
  // The barrier in front lets two calls follow each other: nobody may still be reading the previous result.
  wgsl: `
var<workgroup> joinSumCells: array<f32, WG>;
fn joinSum(value: f32, l: u32) -> f32 {
  workgroupBarrier();
  joinSumCells[l] = value;
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half = half / 2u) {
    if (l < half) {
      let a = joinSumCells[l];
      let b = joinSumCells[l + half];
      joinSumCells[l] = a + b;
    }
    workgroupBarrier();
  }
  return joinSumCells[0];
}`,
};

/**
 * `erf(x)` to 1e-7, absolute and relative: two polynomials and an exp, after Norbert Juffa's `my_erff`
 * (https://stackoverflow.com/a/35148199). Beyond 4 it is 1 in f32.
 */
export const erf: Piece = {
  name: 'erf',
  wgsl: `
fn erf(x: f32) -> f32 {
  let a = min(abs(x), 4.0);
  let s = a * a;
  // Both sides are computed, without a branch: threads diverge at almost every four numbers, and a divergent branch costs both sides
  // and more.
  // Far from 0 it is 1 - exp(p(a)), p without division.
  var p = (-1.72853470e-5 * a + 3.83197126e-4) * s + (-3.88396438e-3 * a + 2.42546219e-2);
  p = ((p * a - 1.06777877e-1) * a - 6.34846687e-1) * a - 1.28717512e-1;
  let y = 1.0 - exp(p * a - a);
  let q = ((((-5.96761703e-4 * s + 4.99119423e-3) * s - 2.67681349e-2) * s + 1.12819925e-1) * s - 3.76125336e-1) * s
    + 1.28379166e-1;
  return select(x + x * q, select(y, -y, x < 0.0), a > 0.927734375);
}`,
};

/**
 * Random bits by counter: Threefry-2x32, 20 rounds (Salmon et al., 2011). Additions, rotations and exclusive-ors of u32
 * only, so every platform makes the same bits. `key` is the seed, `counter` says which number of which stream.
 */
export const threefry: Piece = {
  name: 'threefry',
  wgsl: `
fn threefryRound(v: vec2u, bits: u32) -> vec2u {
  let x = v.x + v.y;
  return vec2u(x, ((v.y << bits) | (v.y >> (32u - bits))) ^ x);
}
fn threefry(key: vec2u, counter: vec2u) -> vec2u {
  let k2 = key.x ^ key.y ^ 0x1BD11BDAu;
  var v = counter + key;
  v = threefryRound(v, 13u); v = threefryRound(v, 15u); v = threefryRound(v, 26u); v = threefryRound(v, 6u);
  v += vec2u(key.y, k2 + 1u);
  v = threefryRound(v, 17u); v = threefryRound(v, 29u); v = threefryRound(v, 16u); v = threefryRound(v, 24u);
  v += vec2u(k2, key.x + 2u);
  v = threefryRound(v, 13u); v = threefryRound(v, 15u); v = threefryRound(v, 26u); v = threefryRound(v, 6u);
  v += vec2u(key.x, key.y + 3u);
  v = threefryRound(v, 17u); v = threefryRound(v, 29u); v = threefryRound(v, 16u); v = threefryRound(v, 24u);
  v += vec2u(key.y, k2 + 4u);
  v = threefryRound(v, 13u); v = threefryRound(v, 15u); v = threefryRound(v, 26u); v = threefryRound(v, 6u);
  v += vec2u(k2, key.x + 5u);
  return v;
}
// In (0, 1), never 0 or 1: the 23 upper bits, centred in their cells.
fn unitUniform(bits: u32) -> f32 { return (f32(bits >> 9u) + 0.5) * 1.1920928955078125e-7; }`,
};
