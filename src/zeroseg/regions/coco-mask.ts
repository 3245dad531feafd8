import { ArgumentError, shownValue } from '../../gpu/index.ts';
import { maxPixels } from '../image/index.ts';
import { decodeRle } from './run-length.ts';

/** A mask as COCO's annotations hold it: polygons `x, y, x, y, …`, or run lengths down the columns, as numbers or as text. */
export type CocoSegmentation =
  | readonly (readonly number[])[]
  | { readonly size: readonly [height: number, width: number]; readonly counts: string | readonly number[] };

/** A boundary is followed on a grid so many times finer than the pixels. */
const FINER = 5;
/** Steps along a boundary on the finer grid, over all polygons of a mask. */
const MOST_STEPS = 2 ** 28;

/**
 * The mask of an annotation as `pycocotools` makes it (`annToMask`): 1 inside, 0 outside, row by row `[height · width]`. Several
 * polygons are laid over each other.
 *
 * @throws ArgumentError for what is no segmentation of an image of this size.
 */
export function cocoMask(segmentation: CocoSegmentation, height: number, width: number): Uint8Array {
  const isSide = (side: number): boolean => Number.isInteger(side) && side > 0;
  if (!isSide(height) || !isSide(width) || height * width > maxPixels) {
    throw new ArgumentError(
      `cocoMask: height and width must be whole numbers of pixels; got ${shownValue([height, width])}`,
    );
  }
  if (Array.isArray(segmentation)) return fromPolygons(segmentation, height, width);
  const { size, counts } = (segmentation ?? {}) as Exclude<CocoSegmentation, readonly unknown[]>;
  if (!Array.isArray(size) || size[0] !== height || size[1] !== width) {
    throw new ArgumentError(
      `cocoMask: run lengths must be of ${height} x ${width} pixels; got size ${shownValue(size)}`,
    );
  }
  return typeof counts === 'string'
    ? (decodeRle({ size, counts }).data as Uint8Array)
    : fromCounts(counts, height, width);
}

function fromCounts(counts: unknown, height: number, width: number): Uint8Array {
  const out = new Uint8Array(height * width);
  let at = 0;
  if (!Array.isArray(counts))
    throw new ArgumentError(`cocoMask: counts must be text or numbers; got ${shownValue(counts)}`);
  for (const [i, length] of counts.entries()) {
    if (!Number.isInteger(length) || length < 0 || at + length > out.length) {
      throw new ArgumentError(
        `cocoMask: run ${i + 1} of ${shownValue(length)} pixels ends outside of ${height} x ${width}`,
      );
    }
    if (i % 2 === 1) for (let p = at; p < at + length; p++) out[(p % height) * width + Math.floor(p / height)] = 1;
    at += length;
  }
  if (at !== out.length) throw new ArgumentError(`cocoMask: the runs take ${at} of ${height} x ${width} pixels`);
  return out;
}

function fromPolygons(polygons: readonly unknown[], height: number, width: number): Uint8Array {
  const out = new Uint8Array(height * width);
  let steps = 0;
  for (const [i, polygon] of polygons.entries()) {
    const isPolygon =
      Array.isArray(polygon) &&
      polygon.length >= 6 &&
      polygon.length % 2 === 0 &&
      polygon.every((value) => Number.isFinite(value) && Math.abs(value) < 2 ** 24);
    if (!isPolygon) {
      throw new ArgumentError(
        `cocoMask: polygon ${i + 1} must be an even number of coordinates x, y, at least three points; got ${shownValue(polygon)}`,
      );
    }
    steps += boundaryLength(polygon);
    if (steps > MOST_STEPS)
      throw new ArgumentError(`cocoMask: polygon ${i + 1} reaches far beyond its ${height} x ${width} pixels`);
    fillPolygon(polygon, height, width, out);
  }
  return out;
}

function boundaryLength(polygon: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < polygon.length; i++)
    sum += FINER * Math.abs(polygon[i]! - polygon[(i + 2) % polygon.length]!) + 1;
  return sum;
}

/**
 * Adds the inside of a polygon. Its boundary is walked on the finer grid; wherever a step crosses the middle of a column of pixels, the
 * pixels of the column from there on, and of all columns behind it, change sides. That last is pycocotools': its run lengths go on from the
 * end of a column to the next, which matters where a polygon leaves the image.
 */
function fillPolygon(polygon: readonly number[], height: number, width: number, out: Uint8Array): void {
  const total = height * width;
  const changes = new Uint8Array(total + 1);
  let [lastX, lastY] = [Number.NaN, Number.NaN];
  const visit = (x: number, y: number): void => {
    if (!Number.isNaN(lastX) && x !== lastX) {
      const column = ((x < lastX ? x : x - 1) + 0.5) / FINER - 0.5;
      if (Number.isInteger(column) && column >= 0 && column <= width - 1) {
        const row = (Math.min(y, lastY) + 0.5) / FINER - 0.5;
        changes[column * height + Math.ceil(Math.min(Math.max(row, 0), height))]! ^= 1;
      }
    }
    [lastX, lastY] = [x, y];
  };
  const fine = (value: number): number => Math.trunc(FINER * value + 0.5);
  for (let i = 0; i < polygon.length; i += 2) {
    const [fromX, fromY] = [fine(polygon[i]!), fine(polygon[i + 1]!)];
    const [toX, toY] = [fine(polygon[(i + 2) % polygon.length]!), fine(polygon[(i + 3) % polygon.length]!)];
    walk(fromX, fromY, toX, toY, visit);
  }
  let inside = 0;
  for (let p = 0, x = 0, y = 0; p < total; p++) {
    inside ^= changes[p]!;
    if (inside) out[y * width + x] = 1;
    if (++y === height) [x, y] = [x + 1, 0];
  }
}

/** The points of a line on the finer grid, from its beginning to its end: a point for every step along its longer axis. */
function walk(fromX: number, fromY: number, toX: number, toY: number, visit: (x: number, y: number) => void): void {
  const [dx, dy] = [Math.abs(toX - fromX), Math.abs(toY - fromY)];
  const isFlat = dx >= dy;
  // Rounding is from the end with the smaller coordinate, whichever way the line is walked.
  const isBackwards = isFlat ? fromX > toX : fromY > toY;
  const [startX, startY, endX, endY] = isBackwards ? [toX, toY, fromX, fromY] : [fromX, fromY, toX, toY];
  const length = isFlat ? dx : dy;
  const slope = length === 0 ? 0 : isFlat ? (endY - startY) / dx : (endX - startX) / dy;
  for (let i = 0; i <= length; i++) {
    const step = isBackwards ? length - i : i;
    if (isFlat) visit(startX + step, Math.trunc(startY + slope * step + 0.5));
    else visit(Math.trunc(startX + slope * step + 0.5), startY + step);
  }
}
