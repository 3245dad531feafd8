import type { Colour } from './palette.ts';

/** White of D65, the one of sRGB. */
const WHITE: Colour = [0.95047, 1, 1.08883];

/**
 * CIE L\*a\*b\* of an sRGB colour: lightness 0..100, and how red (else green) and how yellow (else blue) it is.
 *
 * ```ts
 * labOf([255, 255, 255]); // [100, 0, 0]
 * ```
 */
export function labOf(colour: Colour): Colour {
  const [r, g, b] = colour.map((value) => {
    const c = value / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as unknown as Colour;
  const xyz: Colour = [
    0.4124564 * r + 0.3575761 * g + 0.1804375 * b,
    0.2126729 * r + 0.7151522 * g + 0.072175 * b,
    0.0193339 * r + 0.119192 * g + 0.9503041 * b,
  ];
  const [x, y, z] = xyz.map((value, i) => {
    const t = value / WHITE[i]!;
    return t > 216 / 24389 ? Math.cbrt(t) : ((24389 / 27) * t + 16) / 116;
  }) as unknown as Colour;
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/** How different two colours look: ΔE of 1976, the distance in CIE L\*a\*b\*. 2.3 is just seen; black and white are 100 apart. */
export function colourDistance(a: Colour, b: Colour): number {
  const [p, q] = [labOf(a), labOf(b)];
  return Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
}
