import type { LabelMap, Region } from '../image/index.ts';
import { type Polygon, traceOutlines } from './outlines.ts';
import { connectedParts } from './parts.ts';
import { type CocoRle, checkLabels, classRle } from './run-length.ts';

/** All pixels of one class. */
export interface ClassRegion {
  readonly label: number;
  readonly pixels: number;
  /** Of all pixels, 0..1. */
  readonly fraction: number;
  /** The smallest rectangle around all of it. */
  readonly box: Region;
  /** Mean of the scores of its pixels; undefined where no scores were given. */
  readonly score: number | undefined;
  readonly rle: CocoRle;
  /** Its connected parts (four neighbours), the largest first. */
  readonly parts: readonly RegionPart[];
}

/** A connected part of a class. */
export interface RegionPart {
  readonly pixels: number;
  readonly box: Region;
  readonly score: number | undefined;
  readonly polygon: Polygon;
}

/** What {@link classRegions} takes beside the labels. */
export interface ClassRegionsOptions {
  /** For each row, from the top, what each of its pixels scores: see `labelScores`. */
  readonly scores?: Iterable<ArrayLike<number>> | undefined;
}

/**
 * Where each class of a label map is: its area, box, run lengths and polygons, the largest class first. Everything is exact to the
 * pixel.
 *
 * ```ts
 * const { labels, names } = await model.segment(photo, ['dog', 'grass']);
 * for (const { label, fraction, parts } of classRegions(labels)) console.log(names[label], fraction, parts[0].polygon.outer);
 * ```
 *
 * @throws PixelError when there is not a label for every pixel.
 */
export function classRegions(labels: LabelMap, { scores }: ClassRegionsOptions = {}): ClassRegion[] {
  checkLabels('classRegions', labels);
  const total = labels.width * labels.height;
  const { list, partAt } = connectedParts(labels, scores);
  const polygons = traceOutlines(labels, partAt);
  const rles = classRle(labels);
  const byLabel = new Map<number, number[]>();
  for (const [number, { label }] of list.entries()) {
    const numbers = byLabel.get(label);
    if (numbers) numbers.push(number);
    else byLabel.set(label, [number]);
  }
  const mean = (sum: number, pixels: number): number | undefined => (scores ? sum / pixels : undefined);
  return [...byLabel]
    .map(([label, numbers]): ClassRegion => {
      let [pixels, sum] = [0, 0];
      let box = list[numbers[0]!]!.box;
      for (const number of numbers) {
        const part = list[number]!;
        pixels += part.pixels;
        sum += part.scoreSum;
        box = around(box, part.box);
      }
      const parts = numbers.map((number): RegionPart => {
        const part = list[number]!;
        return {
          pixels: part.pixels,
          box: part.box,
          score: mean(part.scoreSum, part.pixels),
          polygon: polygons[number]!,
        };
      });
      parts.sort((a, b) => b.pixels - a.pixels);
      return { label, pixels, fraction: pixels / total, box, score: mean(sum, pixels), rle: rles.get(label)!, parts };
    })
    .sort((a, b) => b.pixels - a.pixels || a.label - b.label);
}

function around(a: Region, b: Region): Region {
  const [x, y] = [Math.min(a.x, b.x), Math.min(a.y, b.y)];
  const right = Math.max(a.x + a.width, b.x + b.width);
  const bottom = Math.max(a.y + a.height, b.y + b.height);
  return { x, y, width: right - x, height: bottom - y };
}
