import { rounded } from '../host/index.ts';
import { type Colour, hexColour, type Region } from '../image/index.ts';
import type { ClassRegion } from './class-regions.ts';
import type { Polygon } from './outlines.ts';
import type { CocoRle } from './run-length.ts';

/** `x, y, width, height` in pixels from the upper left corner, as in COCO. */
type Box = readonly [x: number, y: number, width: number, height: number];

/** A class of a photo as JSON has it: `classes` of the files that `zeroseg segment` writes. */
export interface ClassRecord {
  /** In the label map: 0 is background. */
  readonly label: number;
  readonly name: string;
  /** What is drawn in the stead of a name whose letters no font has. */
  readonly drawn_as?: string;
  /** `#rrggbb` */
  readonly colour: string;
  /** Mean over its pixels of what the class scores there; null for background, which scores nothing, and where scores are not known. */
  readonly score: number | null;
  readonly pixels: number;
  /** Of all pixels, 0..1. */
  readonly fraction: number;
  readonly box: Box;
  readonly rle: CocoRle;
  /** Its connected parts, the largest first. Rings are `x, y, x, y, …` along the edges of pixels. */
  readonly parts: readonly {
    readonly pixels: number;
    readonly score: number | null;
    readonly box: Box;
    readonly polygon: Polygon;
  }[];
}

/** What {@link classRecord} takes beside the region. */
export interface ClassRecordOptions {
  readonly name: string;
  readonly colour: Colour;
  readonly drawnAs?: string | undefined;
}

/**
 * A class's region as a record for JSON; scores and fractions have six significant digits.
 *
 * ```ts
 * const { labels, names } = await model.segment(photo, ['dog', 'grass']);
 * const colours = nameColours(names);
 * const classes = classRegions(labels).map((one) => classRecord(one, { name: names[one.label], colour: colours[one.label] }));
 * ```
 */
export function classRecord(
  { label, pixels, fraction, box, score, rle, parts }: ClassRegion,
  { name, colour, drawnAs }: ClassRecordOptions,
): ClassRecord {
  const scoreOf = (value: number | undefined): number | null =>
    label === 0 || value === undefined ? null : rounded(value);
  return {
    label,
    name,
    ...(drawnAs !== undefined && { drawn_as: drawnAs }),
    colour: hexColour(colour),
    score: scoreOf(score),
    pixels,
    fraction: rounded(fraction),
    box: boxOf(box),
    rle,
    parts: parts.map((part) => ({
      pixels: part.pixels,
      score: scoreOf(part.score),
      box: boxOf(part.box),
      polygon: part.polygon,
    })),
  };
}

function boxOf({ x, y, width, height }: Region): Box {
  return [x, y, width, height];
}
