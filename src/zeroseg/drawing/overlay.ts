/** Pictures of a segmentation: the photo tinted by class, names on the segments, and a legend. */
import { type Colour, checkImage, classColour, type Image, type LabelMap, resizeImage } from '../image/index.ts';
import { type BlendOptions, blendLabels, classFractions } from './blend.ts';
import type { Drawing, Shape } from './drawing.ts';
import { segmentCentres } from './label-positions.ts';
import { estimatedLettering, type Lettering, type TextSize } from './lettering.ts';
import { blankSheet, paste } from './tiles.ts';

/** How {@link drawSegmentation} draws. */
export interface DrawOptions extends BlendOptions {
  /** Name of each class, by class number. A class without one (such as 255) is tinted and not named. */
  readonly names: readonly (string | undefined)[];
  /** Measures names. Default: {@link estimatedLettering}. */
  readonly lettering?: Lettering | undefined;
  /** Writes names on the segments. Default true. */
  readonly labels?: boolean;
  /** Adds the legend below: colour, name and fraction of pixels of each class. Default true. */
  readonly legend?: boolean;
}

const white: Colour = [255, 255, 255];
const ink: Colour = [24, 26, 30];
const grey: Colour = [110, 115, 125];

/** Photos whose longer side is below this are enlarged, so that names can be read. */
const SMALLEST_SIDE = 320;
/** Segments with a smaller fraction of the photo are not named on it. */
const SMALLEST_NAMED = 0.004;
/** Nor are those with a smaller fraction of the largest segment of their class: crumbs do not repeat its name. */
const SMALLEST_REPEATED = 0.3;

/**
 * The photo tinted by class, with names on the segments in white on dark boxes, and a legend below. Photos under 320
 * pixels are enlarged by a whole factor. Names and legend are shapes over the pixels: see {@link svgOf}.
 *
 * ```ts
 * const picture = drawSegmentation(photo, labels, { names: ['background', 'dog', 'sofa'] });
 * svgOf(picture); // boxes, names and legend
 * ```
 */
export function drawSegmentation(photo: Image, labels: LabelMap, options: DrawOptions): Drawing {
  const { names, lettering = estimatedLettering, background = 0, colour = classColour } = options;
  const factor = Math.ceil(SMALLEST_SIDE / Math.max(photo.width, photo.height));
  if (factor > 1) {
    checkImage('drawSegmentation', photo);
    photo = resizeImage(photo, photo.width * factor, photo.height * factor, 'bicubic');
    labels = enlarge(labels, factor);
  }
  const blended = blendLabels(photo, labels, options);
  const size = Math.round(Math.max(13, Math.min(30, Math.min(photo.width, photo.height) / 24)));

  const shapes: Shape[] = [];
  if (options.labels ?? true) {
    const largest = new Map<number, number>();
    const named = segmentCentres(labels.data, photo.width, photo.height, photo.width * photo.height * SMALLEST_NAMED)
      .filter(({ label, area }) => {
        // The largest of each class comes first.
        if (!largest.has(label)) largest.set(label, area);
        return label !== background && names[label] && area >= SMALLEST_REPEATED * (largest.get(label) as number);
      })
      .map((centre) => ({ ...centre, name: names[centre.label]!, colour: colour(centre.label) }));
    shapes.push(...nameShapes(blended, named, lettering, size));
  }
  if (!(options.legend ?? true)) return { ...blended, shapes };

  const entries = classFractions(labels.data)
    .filter(({ label }) => names[label])
    .map(({ label, fraction }) => ({
      name: names[label]!,
      fraction: wholePercent(fraction),
      colour: label === background ? undefined : colour(label),
    }));
  const legend = legendShapes(blended, entries, lettering, Math.min(size, 18));
  const sheet = blankSheet(blended.width, blended.height + legend.height);
  paste(sheet, blended, 0, 0);
  return { ...sheet, shapes: [...shapes, ...legend.shapes] };
}

/** `42 %` of a fraction in 0..1, and `< 1 %` of what is hardly there. */
export function wholePercent(fraction: number): string {
  return fraction < 0.005 ? '< 1 %' : `${Math.round(fraction * 100)} %`;
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

/** Boxes with the names of segments, in white on dark, each with a stripe of its colour. */
function nameShapes(
  photo: Image,
  named: readonly { name: string; x: number; y: number; colour: Colour }[],
  lettering: Lettering,
  size: number,
): Shape[] {
  const [padX, padY, stripe] = [Math.round(size * 0.4), Math.round(size * 0.12), Math.max(3, Math.round(size / 5))];
  const radius = Math.round(size / 5);
  const shapes: Shape[] = [];
  const taken: Box[] = [];
  for (const { name, x, y, colour } of named) {
    const text = shorten(lettering, name, size, photo.width - 2 * padX - stripe - 4);
    const width = text.width + 2 * padX + stripe;
    const height = text.height + 2 * padY;
    const left = Math.max(2, Math.min(photo.width - width - 2, Math.round(x - width / 2)));
    // Its own place, then a little above or below; a name that still would cover another is left to the legend.
    const place = [0, -1, 1, -2, 2]
      .map((step) => Math.round(y - height / 2 + step * (height + 2)))
      .map((top) => ({ x: left, y: Math.max(2, Math.min(photo.height - height - 2, top)), width, height }))
      .find((box) => !taken.some((other) => overlap(box, other)));
    if (!place) continue;
    taken.push(place);
    shapes.push(
      { kind: 'rectangle', ...place, colour: ink, opacity: 0.78, radius },
      { kind: 'rectangle', ...place, width: stripe, colour, radius, corners: 'left' },
      textShape(text, place.x + stripe + padX, place.y + padY, white),
    );
  }
  return shapes;
}

function overlap(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/** A line of text that was measured. */
interface Line extends TextSize {
  readonly text: string;
  readonly size: number;
}

/** The text, cut with an ellipsis when it is wider than `max`. */
function shorten(lettering: Lettering, text: string, size: number, max: number): Line {
  const letters = [...text];
  let line = { text, size, ...lettering.measure(text, size) };
  while (line.width > max && letters.length > 1) {
    letters.pop();
    const short = `${letters.join('').trimEnd()}…`;
    line = { text: short, size, ...lettering.measure(short, size) };
  }
  return line;
}

/** A line with its upper left corner at (x, y). */
function textShape({ text, size, ascent }: Line, x: number, y: number, colour: Colour): Shape {
  return { kind: 'text', x, y: y + ascent, text, size, colour };
}

/** Below the photo, in columns as wide as the widest entry, filled row by row. */
function legendShapes(
  photo: Image,
  entries: readonly { name: string; fraction: string; colour: Colour | undefined }[],
  lettering: Lettering,
  size: number,
): { height: number; shapes: Shape[] } {
  const { width } = photo;
  const pad = Math.round(size * 0.9);
  const swatch = Math.round(size * 0.95);
  const gap = Math.round(size * 0.5);
  const items = entries.map(({ name, fraction, colour }) => {
    const value = shorten(lettering, fraction, size, width);
    const title = shorten(lettering, name, size, Math.max(size, width - 2 * pad - swatch - 2 * gap - value.width));
    return { title, value, colour, width: swatch + gap + title.width + gap + value.width };
  });
  const widest = items.reduce((max, item) => Math.max(max, item.width), 1);
  const space = Math.round(size * 1.4);
  const columns = Math.max(1, Math.floor((width - 2 * pad + space) / (widest + space)));
  const lineHeight = Math.round(size * 1.65);
  const radius = Math.round(size / 5);
  const shapes = items.flatMap(({ title, value, colour }, i): Shape[] => {
    const x = pad + (i % columns) * (widest + space);
    const y = photo.height + pad + Math.floor(i / columns) * lineHeight;
    const top = y + Math.round((lineHeight - swatch) / 2);
    const textTop = y + Math.round((lineHeight - title.height) / 2);
    const box = {
      kind: 'rectangle',
      x,
      y: top,
      width: swatch,
      height: swatch,
      colour: colour ?? grey,
      radius,
    } as const;
    const inside = { ...box, x: x + 1, y: top + 1, width: swatch - 2, height: swatch - 2, colour: white };
    return [
      box,
      ...(colour ? [] : [inside]),
      textShape(title, x + swatch + gap, textTop, ink),
      textShape(value, x + swatch + gap + title.width + gap, textTop, grey),
    ];
  });
  return { height: 2 * pad + lineHeight * Math.ceil(items.length / columns), shapes };
}
