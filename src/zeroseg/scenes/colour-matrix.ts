/** Changes of an object's colours, as one matrix. */
import type { Random } from '../../nn/layers/index.ts';
import { between } from './colour.ts';

/** `[3, 4]`: rows for red, green and blue; columns for red, green, blue, and what is added (0..255). */
export type ColourMatrix = readonly [
  ...[redOfRed: number, redOfGreen: number, redOfBlue: number, red: number],
  ...[greenOfRed: number, greenOfGreen: number, greenOfBlue: number, green: number],
  ...[blueOfRed: number, blueOfGreen: number, blueOfBlue: number, blue: number],
];

/** Leaves all colours as they are. */
export const unchanged: ColourMatrix = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0];

/** What red, green and blue have of lightness, as in SVG's `feColorMatrix`. */
export const lightness = [0.213, 0.715, 0.072] as const;

/**
 * Brightness by ±15 %, contrast by ±15 %, saturation by ±30 %, hue by ±15°, times `strength`, as one matrix: the hue and
 * the saturation of SVG's `feColorMatrix`, which keep brightness. `base`: the saturation and the turn (in radians) that these are added to.
 */
export function jitterColours(
  draw: Random,
  strength: number,
  base: { readonly saturation?: number; readonly turn?: number } = {},
): ColourMatrix {
  const brightness = 1 + between(draw, -0.15, 0.15) * strength;
  const contrast = 1 + between(draw, -0.15, 0.15) * strength;
  const saturation = (base.saturation ?? 1) * Math.max(0, 1 + between(draw, -0.3, 0.3) * strength);
  const turn = (base.turn ?? 0) + (between(draw, -15, 15) * strength * Math.PI) / 180;
  if (saturation === 1 && turn === 0 && strength === 0) return unchanged;
  const [cos, sin] = [Math.cos(turn) * saturation, Math.sin(turn) * saturation];
  const gain = brightness * contrast;
  const [r, g, b] = lightness;
  const shift = 128 * (1 - contrast);
  return [
    gain * (r + cos * (1 - r) - sin * r),
    gain * (g - cos * g - sin * g),
    gain * (b - cos * b + sin * (1 - b)),
    shift,
    gain * (r - cos * r + sin * 0.143),
    gain * (g + cos * (1 - g) + sin * 0.14),
    gain * (b - cos * b - sin * 0.283),
    shift,
    gain * (r - cos * r - sin * (1 - r)),
    gain * (g - cos * g + sin * g),
    gain * (b + cos * (1 - b) + sin * b),
    shift,
  ];
}
