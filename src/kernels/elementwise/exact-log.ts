import type { Piece } from '../../gpu/index.ts';

/**
 * `ln` and `−ln(1 − v)` with + and · only: the built-in log may be off by 2⁻²¹ near 1 (WGSL, section 15.7), and −ln(−ln u)
 * makes all of that where u is near 1. The polynomial is that of Cephes' logf: ln(1 + f) for 1 + f in [√½, √2].
 */
export const exactLog: Piece = {
  name: 'exactLog',
  wgsl: `
fn logPolynomial(f: f32) -> f32 {
  return ((((((((7.0376836292e-2 * f - 1.1514610310e-1) * f + 1.1676998740e-1) * f - 1.2420140846e-1) * f
    + 1.4249322787e-1) * f - 1.6668057665e-1) * f + 2.0000714765e-1) * f - 2.4999993993e-1) * f + 3.3333331174e-1);
}
fn logNearOne(f: f32) -> f32 {
  let z = f * f;
  return f + (f * z * logPolynomial(f) - 0.5 * z);
}
// For normal, positive x: x = 2^k (1 + f).
fn exactLog(x: f32) -> f32 {
  let bits = bitcast<u32>(x) + (0x3f800000u - 0x3f3504f3u);
  let k = f32(i32(bits >> 23u) - 127);
  let f = bitcast<f32>((bits & 0x007fffffu) + 0x3f3504f3u) - 1.0;
  return logNearOne(f) + k * -2.12194440e-4 + k * 0.693359375;
}`,
};
