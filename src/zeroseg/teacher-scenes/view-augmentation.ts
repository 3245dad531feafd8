/** Changes of colour, sharpness and noise of a view. */
import type { Random } from '../../nn/layers/index.ts';
import { clipMean, clipStd, type Image } from '../image/index.ts';

/** How a view is altered, so that a teacher recognises things in drawings of other styles. */
export interface Augmentation {
  /** Rows of a matrix of red, green, blue and a constant, on values in 0..1. */
  readonly colours: readonly number[];
  /** Weight of the neighbours on either side: 0 is sharp. */
  readonly blur: number;
  /** Deviation of the noise. */
  readonly noise: number;
  /** Adjectives of such a picture. */
  readonly qualities: readonly string[];
  /** Whether things have their colours still. */
  readonly isTrueColour: boolean;
}

export function drawAugmentation(draw: Random, strength: number): Augmentation {
  const around = (reach: number) => (2 * draw() - 1) * reach * strength;
  const chance = (probability: number) => draw() < probability * strength;
  const gain = 2 ** around(0.5);
  const contrast = 2 ** around(0.5);
  const tints = [1 + around(0.12), 1 + around(0.12), 1 + around(0.12)];
  const isGrey = chance(0.08);
  const isTurned = chance(0.12);
  const isInverted = chance(0.02);
  const saturation = isGrey ? 0 : 2 ** around(0.8);
  const turn = isTurned ? draw() * 2 * Math.PI : around(0.25);
  const [cos, sin] = [Math.cos(turn) * saturation, Math.sin(turn) * saturation];
  const factor = gain * contrast * (isInverted ? -1 : 1);
  // Turned about grey, as in SVG's feColorMatrix, around the middle of the range.
  const light = [0.213, 0.715, 0.072];
  const sines = [-0.213, -0.715, 0.928, 0.143, 0.14, -0.283, -0.787, 0.715, 0.072];
  const colours = Array.from({ length: 12 }, (_, at) => {
    const [row, column] = [Math.floor(at / 4), at % 4];
    if (column === 3) return 0.5 - 0.5 * (tints[row] as number) * contrast * (isInverted ? -1 : 1);
    const own = row === column ? 1 : 0;
    const turned =
      (light[column] as number) + cos * (own - (light[column] as number)) + sin * (sines[row * 3 + column] as number);
    return (tints[row] as number) * factor * turned;
  });
  const [isBlurred, isNoisy] = [chance(0.15), chance(0.2)];
  const blur = isBlurred ? 0.1 + 0.23 * draw() : 0;
  const noise = isNoisy ? 0.08 * draw() : 0;
  const qualities = [
    ...(isGrey ? ['black and white'] : []),
    ...(gain < 0.8 ? ['dark'] : gain > 1.25 ? ['bright'] : []),
    ...(blur > 0.2 ? ['blurry', 'low resolution'] : []),
    ...(noise > 0.05 ? ['pixelated', 'jpeg corrupted'] : []),
  ];
  return { colours, blur, noise, qualities, isTrueColour: !(isGrey || isTurned || isInverted) };
}

/** Writes the altered view, normalised with CLIP's constants, into `target` `[3, side, side]`. */
export function augmentedPixels(
  view: Image,
  { colours, blur, noise }: Augmentation,
  draw: Random,
  target: Float32Array,
): void {
  const { width: side, data } = view;
  const pixels = side * side;
  for (let c = 0; c < 3; c++) {
    const [r, g, b, shift] = colours.slice(c * 4, c * 4 + 4) as [number, number, number, number];
    for (let i = 0; i < pixels; i++) {
      const value = (r * data[i * 3]! + g * data[i * 3 + 1]! + b * data[i * 3 + 2]!) / 255 + shift;
      target[c * pixels + i] = Math.max(0, Math.min(1, value));
    }
    const plane = target.subarray(c * pixels, (c + 1) * pixels);
    if (blur > 0) {
      smooth(plane, side, 1, side, blur);
      smooth(plane, side, side, 1, blur);
    }
    for (let i = 0; i < pixels; i++) {
      const value = plane[i]! + (noise > 0 ? noise * 1.7 * (2 * draw() - 1) : 0);
      plane[i] = (Math.max(0, Math.min(1, value)) - clipMean[c]!) / clipStd[c]!;
    }
  }
}

/** Mixes every value with those before and after it, `step` apart, in lines that begin `line` apart. */
function smooth(plane: Float32Array, side: number, step: number, line: number, weight: number): void {
  for (let row = 0; row < side; row++) {
    let before = plane[row * line]!;
    for (let i = 0; i < side; i++) {
      const at = row * line + i * step;
      const value = plane[at]!;
      const after = i + 1 < side ? plane[at + step]! : value;
      plane[at] = value + weight * (before + after - 2 * value);
      before = value;
    }
  }
}
