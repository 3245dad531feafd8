/** A photo tinted by class. */
import { type Colour, checkImage, classColour, type Image, type LabelMap, PixelError } from '../image/index.ts';

/** How {@link blendLabels} tints. */
export interface BlendOptions {
  /** Fraction of the class colour; 0.5 as in the paper's figures. */
  readonly opacity?: number;
  /** Draws thin light lines between classes. Default true. */
  readonly borders?: boolean;
  /** The class that stays untinted; null when every class is tinted. Default 0. */
  readonly background?: number | null;
  /** Colour of each class. Default: the PASCAL colour map. */
  readonly colour?: (label: number) => Colour;
}

/** The fraction of pixels of each class that occurs, largest first. */
export function classFractions(labels: ArrayLike<number>): { label: number; fraction: number }[] {
  const counts = new Map<number, number>();
  for (let i = 0; i < labels.length; i++) counts.set(labels[i]!, (counts.get(labels[i]!) ?? 0) + 1);
  return [...counts]
    .map(([label, count]) => ({ label, fraction: count / labels.length }))
    .sort((a, b) => b.fraction - a.fraction || a.label - b.label);
}

/**
 * Tints a photo by class: `(1 - opacity) * photo + opacity * colour`, rounded. Throws {@link PixelError} when photo
 * and labels differ in size.
 */
export function blendLabels(photo: Image, labels: LabelMap, options: BlendOptions = {}): Image {
  const { opacity = 0.5, borders = true, background = 0, colour = classColour } = options;
  checkImage('blendLabels', photo);
  const { width, height } = photo;
  if (labels.width !== width || labels.height !== height || labels.data.length !== width * height) {
    throw new PixelError(
      `blendLabels: photo and labels must have one size; got ${width} x ${height} and ${labels.width} x ${labels.height}`,
    );
  }
  const data = Uint8Array.from(photo.data);
  const colours = new Map<number, Colour>();
  for (let at = 0; at < width * height; at++) {
    const label = labels.data[at]!;
    if (label === background) continue;
    let tint = colours.get(label);
    if (!tint) colours.set(label, (tint = colour(label)));
    mix(data, at, tint, opacity);
  }
  if (borders) drawBorders(data, labels);
  return { width, height, data };
}

function drawBorders(pixels: Uint8Array, { width, height, data }: LabelMap): void {
  // One pixel wide on small photos, two on large ones.
  const both = Math.min(width, height) >= 360;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const label = data[at];
      const edge =
        (x + 1 < width && data[at + 1] !== label) ||
        (y + 1 < height && data[at + width] !== label) ||
        (both && ((x > 0 && data[at - 1] !== label) || (y > 0 && data[at - width] !== label)));
      if (edge) mix(pixels, at, [255, 255, 255], 0.75);
    }
  }
}

/** Mixes a colour into pixel number `at`. */
function mix(pixels: Uint8Array, at: number, colour: Colour, opacity: number): void {
  for (let c = 0; c < 3; c++) {
    const old = pixels[at * 3 + c]!;
    pixels[at * 3 + c] = Math.round(old + (colour[c]! - old) * opacity);
  }
}
