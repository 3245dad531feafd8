/** From features of a grid, or labels of it, to a label for each pixel. */
import { argmaxColumns, dot, unitRows } from '../host/index.ts';
import { resizeBilinear } from '../image/index.ts';
import { pixelSegments } from '../inference/index.ts';
import type { CellScores } from './baseline.ts';
import type { PatchGrid } from './patch-grid.ts';

/** Cosines of `features` `[n, width]` with `text` `[K, width]`, class by class: `[K, n]`. */
export function cosineMaps(features: ArrayLike<number>, text: ArrayLike<number>, width: number): Float32Array {
  const [rows, classes] = [unitRows(features, width), unitRows(text, width)];
  const [n, count] = [rows.length / width, classes.length / width];
  const out = new Float32Array(count * n);
  for (let k = 0; k < count; k++) {
    for (let row = 0; row < n; row++) out[k * n + row] = dot(rows, classes, width, row * width, k * width);
  }
  return out;
}

/** The name of each row: the index of the largest cosine with `text` `[K, width]`; the first on ties. */
export function nearestNames(features: ArrayLike<number>, text: ArrayLike<number>, width: number): number[] {
  const maps = cosineMaps(features, text, width);
  const n = features.length / width;
  return Array.from(argmaxColumns(maps, maps.length / n, n));
}

/**
 * The label of each pixel by what cells score: enlarged bilinearly name by name, then the largest; 1 + its index. CLIP as a dense classifier,
 * and so a grid of crops (spec §14).
 */
export function cellLabels({ scores, grid: { rows, cols, height, width } }: CellScores): Uint16Array {
  const names = scores.length / (rows * cols);
  const large = resizeBilinear(scores, names, rows, cols, height, width);
  return new Uint16Array(argmaxColumns(large, names, height * width).map((name) => 1 + name));
}

/** Labels of patches as a label map, with the borders that a student's would have: bilinear maps, one a label, and the largest. */
export function enlargeLabels(labels: ArrayLike<number>, { rows, cols, height, width }: PatchGrid): Uint16Array {
  const used = [...new Set(Array.from(labels))].sort((a, b) => a - b);
  const maps = Float32Array.from({ length: used.length * rows * cols }, (_, at) => {
    const patch = at % (rows * cols);
    return labels[patch] === used[Math.floor(at / (rows * cols))] ? 1 : 0;
  });
  return Uint16Array.from(pixelSegments(maps, rows, cols, height, width), (segment) => used[segment]!);
}
