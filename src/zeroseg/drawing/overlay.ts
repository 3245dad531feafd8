/** Pictures of a segmentation: the photo tinted by class, names on the segments, and a legend. Plain pixels. */
import {
  type Colour,
  checkImage,
  classColour,
  type Image,
  type LabelMap,
  PixelError,
  resizeImage,
} from '../image/index.ts';
import { segmentCentres } from './label-positions.ts';
import type { Lettering, TextLine } from './lettering.ts';

/** How {@link blendLabels} tints. */
export interface BlendOptions {
  /** Share of the class colour; 0.5 as in the paper's figures. */
  readonly opacity?: number;
  /** Draws thin light lines between classes. Default true. */
  readonly borders?: boolean;
  /** The class that stays untinted; null when every class is tinted. Default 0. */
  readonly background?: number | null;
  /** Colour of each class. Default: the PASCAL colour map. */
  readonly colour?: (label: number) => Colour;
}

/** How {@link drawSegmentation} draws. */
export interface DrawOptions extends BlendOptions {
  /** Name of each class, by class number. A class without one (such as 255) is tinted and not named. */
  readonly names: readonly (string | undefined)[];
  readonly lettering: Lettering;
  /** Writes names on the segments. Default true. */
  readonly labels?: boolean;
  /** Adds the legend below: colour, name and share of pixels of each class. Default true. */
  readonly legend?: boolean;
}

/** The share of pixels of each class that occurs, largest first. */
export function classShares(labels: ArrayLike<number>): { label: number; share: number }[] {
  const counts = new Map<number, number>();
  for (let i = 0; i < labels.length; i++) counts.set(labels[i]!, (counts.get(labels[i]!) ?? 0) + 1);
  return [...counts]
    .map(([label, count]) => ({ label, share: count / labels.length }))
    .sort((a, b) => b.share - a.share || a.label - b.label);
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
  const canvas = new Canvas(width, height);
  canvas.data.set(photo.data);
  const colours = new Map<number, Colour>();
  for (let at = 0; at < width * height; at++) {
    const label = labels.data[at]!;
    if (label === background) continue;
    let tint = colours.get(label);
    if (!tint) colours.set(label, (tint = colour(label)));
    canvas.mix(at, tint, opacity);
  }
  if (borders) drawBorders(canvas, labels);
  return canvas;
}

function drawBorders(canvas: Canvas, { width, height, data }: LabelMap): void {
  // One pixel wide on small photos, two on large ones.
  const both = Math.min(width, height) >= 360;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const label = data[at];
      const edge =
        (x + 1 < width && data[at + 1] !== label) ||
        (y + 1 < height && data[at + width] !== label) ||
        (both && ((x > 0 && data[at - 1] !== label) || (y > 0 && data[at - width] !== label)));
      if (edge) canvas.mix(at, white, 0.75);
    }
  }
}

const white: Colour = [255, 255, 255];
const ink: Colour = [24, 26, 30];
const grey: Colour = [110, 115, 125];
const paper: Colour = [255, 255, 255];

/** Photos whose longer side is below this are enlarged, so that names can be read. */
const SMALLEST_SIDE = 320;
/** Segments with a smaller share of the photo are not named on it. */
const SMALLEST_NAMED = 0.004;

/**
 * The photo tinted by class, with names on the segments in white on dark boxes, and a legend below. Photos under 320
 * pixels are enlarged by a whole factor.
 *
 * ```ts
 * const picture = drawSegmentation(photo, labels, { names: ['background', 'dog', 'sofa'], lettering });
 * ```
 */
export function drawSegmentation(photo: Image, labels: LabelMap, options: DrawOptions): Image {
  const { names, lettering, background = 0, colour = classColour } = options;
  const factor = Math.ceil(SMALLEST_SIDE / Math.max(photo.width, photo.height));
  if (factor > 1) {
    checkImage('drawSegmentation', photo);
    photo = resizeImage(photo, photo.width * factor, photo.height * factor, 'bicubic');
    labels = enlarge(labels, factor);
  }
  const blended = blendLabels(photo, labels, options);
  const size = Math.round(Math.max(13, Math.min(30, Math.min(photo.width, photo.height) / 24)));

  const canvas = new Canvas(photo.width, photo.height, blended.data);
  if (options.labels ?? true) {
    const named = segmentCentres(labels.data, photo.width, photo.height, photo.width * photo.height * SMALLEST_NAMED)
      .filter(({ label }) => label !== background && names[label])
      .map((centre) => ({ ...centre, name: names[centre.label]!, colour: colour(centre.label) }));
    drawNames(canvas, named, lettering, size);
  }
  if (!(options.legend ?? true)) return canvas;

  const entries = classShares(labels.data)
    .filter(({ label }) => names[label])
    .map(({ label, share }) => ({
      name: names[label]!,
      share: formatShare(share),
      colour: label === background ? undefined : colour(label),
    }));
  return stack(canvas, drawLegend(canvas.width, entries, lettering, Math.min(size, 18)));
}

function formatShare(share: number): string {
  return share < 0.005 ? '< 1 %' : `${Math.round(share * 100)} %`;
}

function enlarge(labels: LabelMap, factor: number): LabelMap {
  const width = labels.width * factor;
  const height = labels.height * factor;
  const data = new Uint16Array(width * height);
  for (let y = 0, at = 0; y < height; y++) {
    const row = Math.floor(y / factor) * labels.width;
    for (let x = 0; x < width; x++) data[at++] = labels.data[row + Math.floor(x / factor)]!;
  }
  return { width, height, data };
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

function drawNames(
  canvas: Canvas,
  named: readonly { name: string; x: number; y: number; colour: Colour }[],
  lettering: Lettering,
  size: number,
): void {
  const [padX, padY, stripe] = [Math.round(size * 0.4), Math.round(size * 0.12), Math.max(3, Math.round(size / 5))];
  const taken: Box[] = [];
  for (const { name, x, y, colour } of named) {
    const text = shorten(lettering, name, size, canvas.width - 2 * padX - stripe - 4);
    const width = text.width + 2 * padX + stripe;
    const height = text.height + 2 * padY;
    const left = Math.max(2, Math.min(canvas.width - width - 2, Math.round(x - width / 2)));
    // Its own place, then a little above or below; a name that still would cover another is left to the legend.
    const place = [0, -1, 1, -2, 2]
      .map((step) => Math.round(y - height / 2 + step * (height + 2)))
      .map((top) => ({ x: left, y: Math.max(2, Math.min(canvas.height - height - 2, top)), width, height }))
      .find((box) => !taken.some((other) => overlap(box, other)));
    if (!place) continue;
    taken.push(place);
    canvas.rectangle(place, ink, 0.78, Math.round(size / 5));
    canvas.rectangle({ ...place, width: stripe + Math.round(size / 5) }, colour, 1, Math.round(size / 5), stripe);
    canvas.text(text, place.x + stripe + padX, place.y + padY, white);
  }
}

function overlap(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/** The text, cut with an ellipsis when it is wider than `most`. */
function shorten(lettering: Lettering, text: string, size: number, most: number): TextLine {
  let line = lettering.line(text, size);
  const letters = [...text];
  while (line.width > most && letters.length > 1) {
    letters.pop();
    line = lettering.line(`${letters.join('').trimEnd()}…`, size);
  }
  return line;
}

/** Columns as wide as the widest entry, filled row by row. */
function drawLegend(
  width: number,
  entries: readonly { name: string; share: string; colour: Colour | undefined }[],
  lettering: Lettering,
  size: number,
): Canvas {
  const pad = Math.round(size * 0.9);
  const swatch = Math.round(size * 0.95);
  const gap = Math.round(size * 0.5);
  const items = entries.map(({ name, share, colour }) => {
    const value = lettering.line(share, size);
    const title = shorten(lettering, name, size, Math.max(size, width - 2 * pad - swatch - 2 * gap - value.width));
    return { title, value, colour, width: swatch + gap + title.width + gap + value.width };
  });
  const widest = items.reduce((most, item) => Math.max(most, item.width), 1);
  const space = Math.round(size * 1.4);
  const columns = Math.max(1, Math.floor((width - 2 * pad + space) / (widest + space)));
  const lineHeight = Math.round(size * 1.65);
  const canvas = new Canvas(width, 2 * pad + lineHeight * Math.ceil(items.length / columns));
  canvas.rectangle({ x: 0, y: 0, width, height: canvas.height }, paper, 1);

  items.forEach(({ title, value, colour }, i) => {
    const x = pad + (i % columns) * (widest + space);
    const y = pad + Math.floor(i / columns) * lineHeight;
    const top = y + Math.round((lineHeight - swatch) / 2);
    const box = { x, y: top, width: swatch, height: swatch };
    const round = Math.round(size / 5);
    canvas.rectangle(box, colour ?? grey, 1, round);
    if (!colour) canvas.rectangle({ x: x + 1, y: top + 1, width: swatch - 2, height: swatch - 2 }, paper, 1, round);
    const textTop = y + Math.round((lineHeight - title.height) / 2);
    canvas.text(title, x + swatch + gap, textTop, ink);
    canvas.text(value, x + swatch + gap + title.width + gap, textTop, grey);
  });
  return canvas;
}

function stack(above: Image, below: Image): Image {
  const data = new Uint8Array(above.data.length + below.data.length);
  data.set(above.data);
  data.set(below.data, above.data.length);
  return { width: above.width, height: above.height + below.height, data };
}

/** An image to draw on. What lies outside is not drawn. */
class Canvas implements Image {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;

  constructor(width: number, height: number, data: Uint8Array = new Uint8Array(width * height * 3)) {
    this.width = width;
    this.height = height;
    this.data = data;
  }

  /** Mixes a colour into pixel number `at`. */
  mix(at: number, colour: Colour, opacity: number): void {
    for (let c = 0; c < 3; c++) {
      const old = this.data[at * 3 + c]!;
      this.data[at * 3 + c] = Math.round(old + (colour[c]! - old) * opacity);
    }
  }

  /** Fills a rectangle with corners of the given radius; with `clip`, only its first columns. */
  rectangle({ x, y, width, height }: Box, colour: Colour, opacity: number, radius = 0, clip = width): void {
    for (let row = Math.max(0, -y); row < Math.min(height, this.height - y); row++) {
      for (let column = Math.max(0, -x); column < Math.min(clip, this.width - x); column++) {
        // How far into a corner's square the pixel's centre lies; inside the circle it is covered.
        const dx = Math.max(radius - column - 0.5, column + 0.5 - (width - radius), 0);
        const dy = Math.max(radius - row - 0.5, row + 0.5 - (height - radius), 0);
        const covered = radius === 0 ? 1 : Math.max(0, Math.min(1, radius + 0.5 - Math.hypot(dx, dy)));
        if (covered > 0) this.mix((y + row) * this.width + x + column, colour, opacity * covered);
      }
    }
  }

  /** Draws a line of text with its upper left corner at (x, y). */
  text(line: TextLine, x: number, y: number, colour: Colour): void {
    for (let row = Math.max(0, -y); row < Math.min(line.height, this.height - y); row++) {
      for (let column = Math.max(0, -x); column < Math.min(line.width, this.width - x); column++) {
        const covered = line.coverage[row * line.width + column]!;
        if (covered > 0) this.mix((y + row) * this.width + x + column, colour, covered / 255);
      }
    }
  }
}
