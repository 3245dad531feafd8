/**
 * What the teacher and the student see of a photo. The teacher looks at a centre square whole, in quarters, ninths
 * and sixteenths; the student sees the same square once.
 */
import { shownValue } from '../../gpu/index.ts';
import { LARGEST_GRID, MAX_GRIDS } from './grid-limits.ts';
import { centreRegion, checkImage, crop, type Image, PixelError, type Region, shortSideSize } from './image.ts';
import { clipMean, clipStd, type Rgb, toTensor } from './normalize.ts';
import { resizeImage } from './resize.ts';

/** Left, top, right, bottom; right and bottom are exclusive. */
export type GridBox = [x0: number, y0: number, x1: number, y1: number];

/** `native` cuts the views out of the photo's own pixels, `resized` out of the student's small square. */
export type ViewSource = 'native' | 'resized';

/** How {@link teacherViews} cuts and sizes. */
export interface ViewOptions {
  /** Cells along a side, one number for each grid: see {@link cellsAlong}. The paper's, and the default: 1, 2, 3, 4. */
  readonly grids?: readonly number[];
  /** Side of each view in pixels: what the teacher takes. Default 224. */
  readonly size?: number;
  /** Default `native`: enlarging a 56 pixel cell of the small square fourfold would show the teacher blur. */
  readonly source?: ViewSource;
  /** Side of the small square for `source: 'resized'`. Default: `size`. */
  readonly squareSize?: number;
  /** What views are normalised with. Default: the constants of OpenAI's CLIPs. */
  readonly mean?: Rgb;
  readonly std?: Rgb;
}

/** The grids of the paper. */
export const defaultGrids: readonly number[] = [1, 2, 3, 4];

/**
 * Cells along a side of a grid whose cells are `1/k` of the side. Those of a whole number lie beside each other; those of another overlap, by
 * about half: `2⌈k⌉ − 1` of them, evenly spread from one border to the other.
 *
 * ```ts
 * cellsAlong(4);     // 4
 * cellsAlong(8 / 3); // 5, each 3/8 of the side, from 0, 5/32, 10/32, 15/32 and 20/32 on
 * ```
 */
export function cellsAlong(k: number): number {
  return overlaps(k) ? 2 * Math.ceil(k) - 1 : k;
}

/** Whether the cells of a grid overlap. Only losses beyond the paper look at such views. */
export function overlaps(k: number): boolean {
  return !Number.isInteger(k);
}

/** Where the cells along a side of the given length begin and end. */
export function cellCuts(side: number, k: number): readonly (readonly [from: number, to: number])[] {
  if (!overlaps(k)) return Array.from({ length: k }, (_, i) => [(i * side) / k, ((i + 1) * side) / k] as const);
  const last = cellsAlong(k) - 1;
  const step = (side - side / k) / last;
  // Both from the borders, so that the last ends at the last.
  return Array.from({ length: last + 1 }, (_, i) => [i * step, side - (last - i) * step] as const);
}

/** Number of views: the sum of squares, 30 for the default grids. */
export function viewCount(grids: readonly number[]): number {
  checkGrids(grids);
  return grids.reduce((sum, k) => sum + cellsAlong(k) ** 2, 0);
}

/** Rows `from` up to `to` of features in the order of the grids. */
export interface RowRange {
  readonly from: number;
  readonly to: number;
}

/** Which views the paper's losses look at: none that overlap. Neighbours are one range. */
export interface ViewRows {
  /** The first view of the whole square; undefined where no grid is 1×1. */
  readonly whole: number | undefined;
  /** All views of a part, in their order. */
  readonly local: readonly RowRange[];
  /** Both, in their order. */
  readonly all: readonly RowRange[];
}

/**
 * Where the view of the whole square is, and where the others are, wherever the 1×1 grid stands.
 *
 * ```ts
 * viewRows([2, 1, 3]); // { whole: 4, local: [{ from: 0, to: 4 }, { from: 5, to: 14 }], all: [{ from: 0, to: 14 }] }
 * ```
 */
export function viewRows(grids: readonly number[]): ViewRows {
  checkGrids(grids);
  let whole: number | undefined;
  const local: RowRange[] = [];
  const all: RowRange[] = [];
  let from = 0;
  for (const k of grids) {
    const to = from + cellsAlong(k) ** 2;
    if (k === 1) whole ??= from;
    else if (!overlaps(k)) append(local, { from, to });
    if (!overlaps(k)) append(all, { from, to });
    from = to;
  }
  return { whole, local, all };
}

function append(ranges: RowRange[], { from, to }: RowRange): void {
  const last = ranges.at(-1);
  if (last?.to === from) ranges[ranges.length - 1] = { from: last.from, to };
  else ranges.push({ from, to });
}

function checkGrids(grids: readonly number[]): void {
  const fits = (k: unknown): boolean => typeof k === 'number' && k >= 1 && k <= LARGEST_GRID;
  if (!Array.isArray(grids) || grids.length === 0 || grids.length > MAX_GRIDS || !grids.every(fits)) {
    throw new PixelError(
      `grids: a list of up to ${MAX_GRIDS} numbers from 1 to ${LARGEST_GRID}, such as 1,2,3,4; got ${shownValue(grids)}`,
    );
  }
}

/**
 * The boxes that cut a square of the given side, grid after grid, each row by row. Cuts are at `floor(i * side / k)`,
 * so the boxes of a grid are disjoint and cover the square; overlapping ones are cut down to whole pixels too.
 *
 * ```ts
 * gridBoxes(100, [1, 2]); // [[0,0,100,100], [0,0,50,50], [50,0,100,50], [0,50,50,100], [50,50,100,100]]
 * ```
 */
export function gridBoxes(side: number, grids: readonly number[]): GridBox[] {
  checkGrids(grids);
  const boxes: GridBox[] = [];
  for (const k of grids) {
    const cuts = cellCuts(side, k).map(([from, to]) => [Math.floor(from), Math.floor(to)] as const);
    for (const [top, bottom] of cuts) for (const [left, right] of cuts) boxes.push([left, top, right, bottom]);
  }
  return boxes;
}

/**
 * The teacher's inputs for one photo, packed as `[views, 3, size, size]`: the centre square cut by {@link gridBoxes},
 * each cell resized with Pillow's bicubic filter and normalised with the teacher's constants.
 *
 * Writes into `target` when given: 18 MB at the defaults, which are better not asked for anew for every photo.
 *
 * Throws {@link PixelError} when the square is smaller than the finest grid, so that a cell would be empty.
 *
 * ```ts
 * const views = teacherViews(photo); // Float32Array of 30 * 3 * 224 * 224
 * ```
 */
export function teacherViews(image: Image, options: ViewOptions = {}, target?: Float32Array): Float32Array {
  const {
    grids = defaultGrids,
    size = 224,
    source = 'native',
    squareSize = size,
    mean = clipMean,
    std = clipStd,
  } = options;
  const { photo, region } = viewSquare(image, { grids, source, squareSize });
  const square = crop(photo, region);
  const boxes = gridBoxes(square.width, grids);
  const length = 3 * size * size;
  const packed = target ?? new Float32Array(boxes.length * length);
  if (packed.length !== boxes.length * length) {
    throw new PixelError(`teacherViews: the target must hold ${boxes.length * length} values; got ${packed.length}`);
  }
  boxes.forEach(([x0, y0, x1, y1], view) => {
    const cell = crop(square, { x: x0, y: y0, width: x1 - x0, height: y1 - y0 });
    toTensor(resizeImage(cell, size, size, 'bicubic'), mean, std, packed, view * length);
  });
  return packed;
}

/**
 * The square that {@link teacherViews} cuts, as a region of the photo or of the student's small square.
 *
 * @throws PixelError when it is smaller than the finest grid, so that a cell would be empty.
 */
export function viewSquare(
  image: Image,
  { grids, source, squareSize }: Required<Pick<ViewOptions, 'grids' | 'source' | 'squareSize'>>,
): { readonly photo: Image; readonly region: Region } {
  checkImage('teacherViews', image);
  const photo = source === 'native' ? image : studentImage(image, squareSize);
  const side = Math.min(photo.width, photo.height);
  const finest = Math.ceil(Math.max(...grids));
  if (side < finest) {
    throw new PixelError(
      `teacherViews: a ${image.width} x ${image.height} photo cannot be cut into ${finest} x ${finest} views; leave it out`,
    );
  }
  return { photo, region: centreRegion(photo.width, photo.height, side, side) };
}

/**
 * The square that the student trains on: shorter side to `size` with Pillow's bicubic filter, then the centre crop.
 * Only pixels inside the crop are computed.
 *
 * ```ts
 * const x = toTensor(studentImage(photo, 224), imagenetMean, imagenetStd);
 * ```
 */
export function studentImage(image: Image, size = 224): Image {
  const [width, height] = shortSideSize(image.width, image.height, size);
  return resizeImage(image, width, height, 'bicubic', centreRegion(width, height, size, size));
}
