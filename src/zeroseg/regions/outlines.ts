import type { LabelMap } from '../image/index.ts';

/**
 * A closed line along the edges of pixels, `x, y, x, y, …` in pixels from the upper left corner of the image, without the first point
 * again at the end: a pixel (x, y) reaches to (x + 1, y + 1).
 */
export type Ring = readonly number[];

/** What encloses a connected part: one ring around it, clockwise as one sees it, and one around each hole, the other way. */
export interface Polygon {
  readonly outer: Ring;
  readonly holes: readonly Ring[];
}

/** Right along the upper edge, down, left, up: the pixel lies to the right of the way. */
const dx = [1, 0, -1, 0] as const;
const dy = [0, 1, 0, -1] as const;

/**
 * The polygon of each connected part, by the number that `partAt` gives it. Exact: filled, the polygons are the label map.
 * Pixels that touch at a corner only are not connected, so a ring may touch itself there and never crosses.
 */
export function traceOutlines({ width, height, data }: LabelMap, partAt: (x: number, y: number) => number): Polygon[] {
  // Every ring has an upper edge, where it is begun and found again.
  const isTraced = new Uint8Array(width * height);
  const polygons: { outer: Ring; holes: Ring[] }[] = [];
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      if ((y > 0 && data[at - width] === data[at]) || isTraced[at]) continue;
      const { ring, area } = traceRing(data, width, height, x, y, isTraced);
      const part = partAt(x, y);
      // The first upper edge of a part in reading order is on its outer ring.
      if (area > 0) polygons[part] = { outer: ring, holes: [] };
      else polygons[part]!.holes.push(ring);
    }
  }
  return polygons;
}

function traceRing(
  data: ArrayLike<number>,
  width: number,
  height: number,
  startX: number,
  startY: number,
  isTraced: Uint8Array,
): { ring: number[]; area: number } {
  const label = data[startY * width + startX];
  const isInside = (x: number, y: number): boolean =>
    x >= 0 && y >= 0 && x < width && y < height && data[y * width + x] === label;
  const ring: number[] = [];
  // Twice the area, by the trapezoids under the horizontal edges: positive when it runs clockwise.
  let area = 0;
  let [x, y, way] = [startX, startY, 0];
  do {
    if (way === 0) {
      isTraced[y * width + x] = 1;
      area -= y;
    } else if (way === 2) area += y + 1;
    const [aheadX, aheadY] = [x + dx[way]!, y + dy[way]!];
    const left = (way + 3) & 3;
    const isOpen = isInside(aheadX, aheadY);
    const turnsLeft = isOpen && isInside(aheadX + dx[left]!, aheadY + dy[left]!);
    if (!isOpen || turnsLeft) {
      // The corner of the pixel that the edge leads to.
      ring.push(x + (way <= 1 ? 1 : 0), y + (way === 1 || way === 2 ? 1 : 0));
    }
    if (turnsLeft) [x, y, way] = [aheadX + dx[left]!, aheadY + dy[left]!, left];
    else if (isOpen) [x, y] = [aheadX, aheadY];
    else way = (way + 1) & 3;
  } while (x !== startX || y !== startY || way !== 0);
  return { ring, area };
}
