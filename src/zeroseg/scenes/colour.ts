/** Colours of scenes: out of hue, saturation and brightness, and back into words. */
import type { Random } from '../../nn/layers/index.ts';
import { type Colour, hsv } from '../image/index.ts';

/** Uniform in [low, high). */
export function between(draw: Random, low: number, high: number): number {
  return low + (high - low) * draw();
}

/** One of the elements. */
export function pick<T>(draw: Random, list: readonly T[]): T {
  return list[Math.floor(draw() * list.length)] as T;
}

/** {@link hsv} with each coordinate drawn out of a range. */
export function drawColour(draw: Random, hue: Range, saturation: Range, value: Range): Colour {
  return hsv(between(draw, ...hue), between(draw, ...saturation), between(draw, ...value));
}

export type Range = readonly [low: number, high: number];

/** Any colour. */
export function anyColour(draw: Random): Colour {
  return drawColour(draw, [0, 1], [0, 0.9], [0.15, 1]);
}

/** All that {@link colourName} says. */
export const colourNames = [
  'black',
  'white',
  'grey',
  'pink',
  'red',
  'brown',
  'yellow',
  'green',
  'blue',
  'purple',
] as const;

/**
 * What people would call a colour, roughly; undefined between two names. Orange is never said: it is a fruit as well.
 *
 * ```ts
 * colourName([220, 30, 40]); // 'red'
 * ```
 */
export function colourName([red, green, blue]: Colour): (typeof colourNames)[number] | undefined {
  const high = Math.max(red, green, blue);
  const range = high - Math.min(red, green, blue);
  const saturation = high > 0 ? range / high : 0;
  if (high < 60) return 'black';
  if (saturation < 0.15) return high > 215 ? 'white' : high < 190 ? 'grey' : undefined;
  if (saturation < 0.3) return undefined;
  const sector =
    high === red ? (green - blue) / range : high === green ? 2 + (blue - red) / range : 4 + (red - green) / range;
  const hue = (((sector / 6) % 1) + 1) % 1;
  if (hue < 0.03 || hue >= 0.96) return saturation < 0.5 ? 'pink' : 'red';
  if (hue < 0.11) return high < 190 ? 'brown' : undefined;
  if (hue < 0.19) return hue > 0.12 && high > 180 ? 'yellow' : undefined;
  if (hue < 0.46) return hue > 0.22 ? 'green' : undefined;
  if (hue < 0.7) return hue > 0.5 ? 'blue' : undefined;
  if (hue < 0.84) return 'purple';
  return hue > 0.86 ? 'pink' : undefined;
}
