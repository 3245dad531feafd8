/** What a GPU is given to cut a photo into views by `resizeCells`. */
import { cellsAlong, gridBoxes, viewCount } from './grid-views.ts';
import type { Image, Region } from './image.ts';
import { resizeTaps } from './resize.ts';

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
 * cut alike: one table holds both.
 */
export function cellTaps(side: number, grids: readonly number[], size: number): CellTaps {
  const columns: number[] = [];
  const parts: Int32Array[] = [];
  const origins = new Uint32Array(2 * viewCount(grids));
  let [view, weights] = [0, 0];
  for (const k of grids) {
    const cells = cellsAlong(k);
    const first = columns.length / 3;
    for (const [x0, , x1] of gridBoxes(side, [k]).slice(0, cells)) {
      const taps = resizeTaps(x1 - x0, size, 'bicubic');
      for (let i = 0; i < size; i++) {
        columns.push(x0 + (taps.first[i] as number), taps.count[i] as number, weights + i * taps.size);
      }
      parts.push(taps.weights);
      weights += taps.weights.length;
    }
    for (let cell = 0; cell < cells * cells; cell++) {
      origins.set([first + (cell % cells) * size, first + Math.floor(cell / cells) * size], 2 * view++);
    }
  }
  const all = new Int32Array(weights);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return { columns: Uint32Array.from(columns), weights: new Uint32Array(all.buffer), origins };
}

/** Weights of {@link cellTaps} at most, of squares up to that side. */
export function mostWeights(side: number, grids: readonly number[], size: number): number {
  // A cell is a pixel wider than its neighbours at most.
  const widest = (k: number): number => Math.ceil(2 * Math.max(1, Math.ceil(side / k) / size)) * 2 + 1;
  return grids.reduce((sum, k) => sum + cellsAlong(k) * size * widest(k), 0);
}

/** The pixels of a region as `red + 256 green + 65536 blue`, row by row, into `target`. */
export function packSquare({ width, data }: Image, region: Region, target: Uint32Array): void {
  let out = 0;
  for (let y = region.y; y < region.y + region.height; y++) {
    let at = 3 * (y * width + region.x);
    for (let x = 0; x < region.width; x++, at += 3) {
      target[out++] = (data[at] as number) | ((data[at + 1] as number) << 8) | ((data[at + 2] as number) << 16);
    }
  }
}
