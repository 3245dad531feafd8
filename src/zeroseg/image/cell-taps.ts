/** What a GPU is given to cut a photo into views by `resizeCells`. */
import { cellsAlong, gridBoxes, viewCount } from './grid-views.ts';
import { centreRegion, type Image, type Region, shortSideSize } from './image.ts';
import { resizeTaps, type Taps } from './resize.ts';

/** Weights of all cells of all grids of a square, in the layout of `resizeCells`. */
export interface CellTaps {
  /** `[W, 3]`, with `W = size · Σ cellsAlong(k)` */
  readonly columns: Uint32Array;
  readonly weights: Uint32Array;
  /** `[V, 2]`, the same for squares of every side. */
  readonly origins: Uint32Array;
}

/**
 * How the cells of a square of that side become views of `size` pixels, by the weights of {@link resizeImage}. Rows and columns of a square are
 * cut alike: one table holds both. The square may lie within a larger one, `margin` pixels from its borders.
 */
export function cellTaps(side: number, grids: readonly number[], size: number, margin = 0): CellTaps {
  const columns = new Uint32Array(3 * size * grids.reduce((sum, k) => sum + cellsAlong(k), 0));
  const origins = new Uint32Array(2 * viewCount(grids));
  // Cells of the same width have the same weights.
  const known = new Map<number, { readonly taps: Taps; readonly at: number }>();
  let [out, view, weights] = [0, 0, 0];
  for (const k of grids) {
    const cells = cellsAlong(k);
    const first = out / 3;
    for (const [x0, , x1] of gridBoxes(side, [k]).slice(0, cells)) {
      let found = known.get(x1 - x0);
      if (!found) {
        known.set(x1 - x0, (found = { taps: resizeTaps(x1 - x0, size, 'bicubic'), at: weights }));
        weights += found.taps.weights.length;
      }
      const { taps, at } = found;
      for (let i = 0; i < size; i++) {
        columns[out++] = margin + x0 + (taps.first[i] as number);
        columns[out++] = taps.count[i] as number;
        columns[out++] = at + i * taps.size;
      }
    }
    for (let cell = 0; cell < cells * cells; cell++) {
      origins[view++] = first + (cell % cells) * size;
      origins[view++] = first + Math.floor(cell / cells) * size;
    }
  }
  const all = new Int32Array(weights);
  for (const { taps, at } of known.values()) all.set(taps.weights, at);
  return { columns, weights: new Uint32Array(all.buffer), origins };
}

/** Weights of {@link cellTaps} at most, of squares up to that side. */
export function mostWeights(side: number, grids: readonly number[], size: number): number {
  // A cell is a pixel wider than its neighbours at most.
  const widest = (k: number): number => Math.ceil(2 * Math.max(1, Math.ceil(side / k) / size)) * 2 + 1;
  return grids.reduce((sum, k) => sum + cellsAlong(k) * size * widest(k), 0);
}

/** How {@link studentImage} cuts a photo, as one cell of a square around the centre square of the photo. */
export interface StudentTaps extends Omit<CellTaps, 'origins'> {
  /** By how much that square is larger at each side: in it is all that the cell is made of. */
  readonly margin: number;
}

/** What `resizeCells` is given to make {@link studentImage} of a photo of that size: first all columns, then all rows. */
export function studentTaps(width: number, height: number, size: number): StudentTaps {
  const resized = shortSideSize(width, height, size);
  const kept = centreRegion(...resized, size, size);
  const side = Math.min(width, height);
  const centre = centreRegion(width, height, side, side);
  const across = resizeTaps(width, resized[0], 'bicubic', kept.x, size);
  const down = resizeTaps(height, resized[1], 'bicubic', kept.y, size);
  const beyond = ({ first, count }: Taps, from: number): number =>
    Math.max(0, from - (first[0] as number), (first[size - 1] as number) + (count[size - 1] as number) - from - side);
  const margin = Math.max(beyond(across, centre.x), beyond(down, centre.y));
  const columns = new Uint32Array(6 * size);
  const weights = new Int32Array(across.weights.length + down.weights.length);
  let [out, used] = [0, 0];
  for (const [taps, from] of [
    [across, centre.x],
    [down, centre.y],
  ] as const) {
    for (let i = 0; i < size; i++) {
      columns[out++] = margin + (taps.first[i] as number) - from;
      columns[out++] = taps.count[i] as number;
      columns[out++] = used + i * taps.size;
    }
    weights.set(taps.weights, used);
    used += taps.weights.length;
  }
  return { columns, weights: new Uint32Array(weights.buffer), margin };
}

/** Weights of {@link studentTaps} at most, of photos whose shorter side is at most that. */
export function mostStudentWeights(side: number, size: number): number {
  // The longer side ends up a pixel less than its share at most.
  const scale = Math.max(1, (side / size) * (1 + 2 / size));
  return 2 * size * (Math.ceil(2 * scale) * 2 + 1);
}

/**
 * The pixels of a square region as `red + 256 green + 65536 blue`, row by row, into `target`. Of a region that sticks out, what lies beyond the
 * image is left as it was.
 */
export function packSquare({ width, height, data }: Image, { x, y, width: side }: Region, target: Uint32Array): void {
  const [left, right] = [Math.max(0, x), Math.min(width, x + side)];
  const bottom = Math.min(height, y + side);
  for (let row = Math.max(0, y); row < bottom; row++) {
    let at = 3 * (row * width + left);
    const end = (row - y) * side + right - x;
    for (let out = end - right + left; out < end; out++, at += 3) {
      target[out] = (data[at] as number) | ((data[at + 1] as number) << 8) | ((data[at + 2] as number) << 16);
    }
  }
}

/** The shades that make of a `resizeCells` what {@link unpackSquare} takes, once the channels are summed. */
export function packingShades(): Float32Array {
  return Float32Array.from({ length: 768 }, (_, i) => (i % 256) * 256 ** Math.floor(i / 256));
}

/** A square of pixels that are `red + 256 green + 65536 blue`. */
export function unpackSquare(packed: Float32Array, side: number): Image {
  const data = new Uint8Array(3 * packed.length);
  for (let i = 0, out = 0; i < packed.length; i++) {
    const pixel = packed[i] as number;
    data[out++] = pixel & 255;
    data[out++] = (pixel >> 8) & 255;
    data[out++] = pixel >> 16;
  }
  return { width: side, height: side, data };
}
