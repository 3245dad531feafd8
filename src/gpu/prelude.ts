import type { Piece } from './kernel.ts';

/**
 * Sum, maximum and minimum over the WG invocations of a workgroup; every invocation gets the result. All of them must
 * call it, from uniform control flow. The kernel declares `override WG`, a power of two.
 */
export const joinSum: Piece = join('joinSum', '0.0', 'a + b');
export const joinMax: Piece = join('joinMax', '-3.40282346e38', 'max(a, b)');
export const joinMin: Piece = join('joinMin', '3.40282346e38', 'min(a, b)');

function join(name: string, empty: string, combine: string): Piece {
  return {
    name,
    // The barrier in front lets two calls follow each other: nobody may still be reading the previous result.
    wgsl: `
var<workgroup> ${name}Cells: array<f32, WG>;
fn ${name}(value: f32, l: u32) -> f32 {
  workgroupBarrier();
  ${name}Cells[l] = value;
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half = half / 2u) {
    if (l < half) {
      let a = ${name}Cells[l];
      let b = ${name}Cells[l + half];
      ${name}Cells[l] = ${combine};
    }
    workgroupBarrier();
  }
  return ${name}Cells[0];
}
const ${name}Empty = f32(${empty});`,
  };
}

/** `erf(x)` to about 1e-7: the rational functions of FreeBSD's msun (`s_erf.c`), in f32. */
export const erf: Piece = {
  name: 'erf',
  wgsl: `
fn erf(x: f32) -> f32 {
  let a = abs(x);
  if (a < 0.84375) {
    // erf(x) = x + x * P(x^2) / Q(x^2)
    let z = x * x;
    let p = 1.28379167095512558561e-01 + z * (-3.25042107247001499370e-01 + z * (-2.84817495755985104766e-02
      + z * (-5.77027029648944159157e-03 + z * -2.37630166566501626084e-05)));
    let q = 1.0 + z * (3.97917223959155352819e-01 + z * (6.50222499887672944485e-02 + z * (5.08130628187576562776e-03
      + z * (1.32494738004321644526e-04 + z * -3.96022827877536812320e-06))));
    return x + x * (p / q);
  }
  if (a >= 4.0) { return sign(x); }
  var y: f32;
  if (a < 1.25) {
    let s = a - 1.0;
    let p = -2.36211856075265944077e-03 + s * (4.14856118683748331666e-01 + s * (-3.72207876035701323847e-01
      + s * (3.18346619901161753674e-01 + s * (-1.10894694282396677476e-01 + s * (3.54783043256182359371e-02
      + s * -2.16637559486879084300e-03)))));
    let q = 1.0 + s * (1.06420880400844228286e-01 + s * (5.40397917702171048937e-01 + s * (7.18286544141962662868e-02
      + s * (1.26171219808761642112e-01 + s * (1.36370839120290507362e-02 + s * 1.19844998467991074170e-02)))));
    y = 8.45062911510467529297e-01 + p / q;
  } else {
    let s = 1.0 / (a * a);
    var r: f32;
    if (a < 2.857142857) {
      r = (-9.86494403484714822705e-03 + s * (-6.93858572707181764372e-01 + s * (-1.05586262253232909814e+01
        + s * (-6.23753324503260060396e+01 + s * (-1.62396669462573470355e+02 + s * (-1.84605092906711035994e+02
        + s * (-8.12874355063065934246e+01 + s * -9.81432934416914548592e+00)))))))
        / (1.0 + s * (1.96512716674392571292e+01 + s * (1.37657754143519042600e+02 + s * (4.34565877475229228821e+02
        + s * (6.45387271733267880336e+02 + s * (4.29008140027567833386e+02 + s * (1.08635005541779435134e+02
        + s * (6.57024977031928170135e+00 + s * -6.04244152148580987438e-02))))))));
    } else {
      r = (-9.86494292470009928597e-03 + s * (-7.99283237680523006574e-01 + s * (-1.77579549177547519889e+01
        + s * (-1.60636384855821916062e+02 + s * (-6.37566443368389627722e+02 + s * (-1.02509513161107724954e+03
        + s * -4.83519191608651397019e+02))))))
        / (1.0 + s * (3.03380607434824582924e+01 + s * (3.25792512996573918826e+02 + s * (1.53672958608443695994e+03
        + s * (3.19985821950859553908e+03 + s * (2.55305040643316442583e+03 + s * (4.74528541206955367215e+02
        + s * -2.24409524465858183362e+01)))))));
    }
    y = 1.0 - exp(-a * a - 0.5625 + r) / a;
  }
  return select(y, -y, x < 0.0);
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
