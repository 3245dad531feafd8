/** What a student's scores stand beside: label maps that are made without one. Plain arithmetic on features and labels. */
import { ArgumentError } from '../../gpu/index.ts';
import { random } from '../../nn/layers/index.ts';
import { argmaxColumns, dot, unitRows } from '../host/index.ts';
import { type LabelMap, PixelError, resizeBilinear } from '../image/index.ts';
import { pixelSegments } from '../inference/index.ts';

/** What {@link kMeans} found. */
export interface Clusters {
  /** The cluster of each row. */
  readonly cluster: Uint32Array;
  /** Their means, `[k, width]`; fewer than asked for where fewer rows differ. */
  readonly centres: Float32Array;
}

/**
 * Lloyd's k-means of `rows` `[n, width]` by squared distance, begun as k-means++ says (Arthur and Vassilvitskii, 2007): each
 * next centre is a row drawn in proportion to its squared distance from those before. Ends when no row moves, or after
 * `rounds`. The same for the same seed.
 *
 * ```ts
 * kMeans(Float32Array.of(0, 0.1, 5, 5.1), 1, 2, 1).cluster; // two and two
 * ```
 */
export function kMeans(rows: Float32Array, width: number, clusters: number, seed: number, rounds = 50): Clusters {
  const count = rows.length / width;
  if (!Number.isInteger(count) || count < 1 || !Number.isInteger(clusters) || clusters < 1) {
    throw new ArgumentError(
      `kMeans: rows must be [n, width] with n from 1, and clusters a whole number from 1; got ${rows.length} values of width ${width}, ${clusters} clusters`,
    );
  }
  const distance = (row: number, centres: Float64Array, centre: number): number => {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += (rows[row * width + i]! - centres[centre * width + i]!) ** 2;
    return sum;
  };
  const all = new Float64Array(clusters * width);
  const near = new Float64Array(count).fill(Number.POSITIVE_INFINITY);
  const draw = random(seed, 'k-means');
  let begun = 0;
  let next = Math.floor(draw() * count);
  while (next >= 0) {
    all.set(rows.subarray(next * width, (next + 1) * width), begun * width);
    for (let row = 0; row < count; row++) near[row] = Math.min(near[row]!, distance(row, all, begun));
    begun++;
    const total = near.reduce((sum, value) => sum + value, 0);
    next = -1;
    if (begun === clusters || total === 0) continue;
    let left = draw() * total;
    for (let row = 0; row < count && left >= 0; row++) {
      if (near[row]! > 0) [next, left] = [row, left - near[row]!];
    }
  }

  const centres = all.subarray(0, begun * width);
  const cluster = new Uint32Array(count);
  for (let round = 0; round < rounds; round++) {
    let moved = round === 0;
    for (let row = 0; row < count; row++) {
      let best = 0;
      let least = Number.POSITIVE_INFINITY;
      for (let c = 0; c < begun; c++) {
        const d = distance(row, centres, c);
        if (d < least) [best, least] = [c, d];
      }
      if (cluster[row] !== best) moved = true;
      cluster[row] = best;
    }
    if (!moved) break;
    const means = meanRows(rows, width, cluster, begun);
    // A cluster that lost all of its rows stays where it was.
    for (let c = 0; c < begun; c++)
      if (cluster.includes(c)) centres.set(means.subarray(c * width, (c + 1) * width), c * width);
  }
  return { cluster, centres: Float32Array.from(centres) };
}

/** The mean of the rows of each cluster, `[clusters, width]`; zeros where there is none. */
export function meanRows(
  rows: Float32Array,
  width: number,
  cluster: ArrayLike<number>,
  clusters: number,
): Float64Array {
  const sums = new Float64Array(clusters * width);
  const many = new Float64Array(clusters);
  for (let row = 0; row < cluster.length; row++) {
    const c = cluster[row]!;
    many[c]!++;
    for (let i = 0; i < width; i++) sums[c * width + i]! += rows[row * width + i]!;
  }
  return sums.map((sum, at) => sum / (many[Math.floor(at / width)]! || 1));
}

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

/** A grid of patches or crops in a picture. */
export interface PatchGrid {
  readonly rows: number;
  readonly cols: number;
  readonly height: number;
  readonly width: number;
}

/**
 * The label of each pixel out of features of a grid, `[rows · cols, width]`: cosines with `text` `[K, width]`, enlarged
 * bilinearly class by class, then the largest; 1 + its index. CLIP as a dense classifier, and so a grid of crops
 * (section 14).
 */
export function denseLabels(
  features: ArrayLike<number>,
  text: ArrayLike<number>,
  width: number,
  grid: PatchGrid,
): Uint16Array {
  const { rows, cols, height } = grid;
  const maps = cosineMaps(features, text, width);
  const classes = maps.length / (rows * cols);
  const large = resizeBilinear(maps, classes, rows, cols, height, grid.width);
  return new Uint16Array(argmaxColumns(large, classes, height * grid.width).map((name) => 1 + name));
}

/** The label that most pixels of each whole patch have, row by row; the smallest on ties. */
export function majorityLabels({ width, height, data }: LabelMap, patch: number): Uint16Array {
  const [rows, cols] = [Math.floor(height / patch), Math.floor(width / patch)];
  if (rows < 1 || cols < 1) {
    throw new PixelError(`majorityLabels: the map must hold a patch of ${patch} pixels; got ${width} x ${height}`);
  }
  const out = new Uint16Array(rows * cols);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const counts = new Map<number, number>();
      for (let y = row * patch; y < (row + 1) * patch; y++) {
        for (let x = col * patch; x < (col + 1) * patch; x++) {
          const label = data[y * width + x]!;
          counts.set(label, (counts.get(label) ?? 0) + 1);
        }
      }
      const [first] = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
      out[row * cols + col] = first![0];
    }
  }
  return out;
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

/**
 * What guessing scores. A guesser that says label c with probability p(c), the share of pixels that have it, whatever the picture
 * shows, is right on p(c)² of all pixels for c, and
 *
 *     IoU(c) = p² / (2p − p²) = p / (2 − p)        accuracy = Σ p²
 *
 * in expectation, whether it guesses for every pixel anew, once a segment, or once a picture: expected counts are the same.
 * `counts`: pixels of each label.
 *
 * ```ts
 * chanceScores([0, 50, 50]); // { iou: [null, 1 / 3, 1 / 3], accuracy: 0.5 }
 * ```
 */
export function chanceScores(counts: ArrayLike<number>): { iou: (number | null)[]; accuracy: number | null } {
  const all = Array.from(counts);
  const total = all.reduce((sum, value) => sum + value, 0);
  const iou = all.map((count) => (count === 0 ? null : count / (2 * total - count)));
  return { iou, accuracy: total === 0 ? null : all.reduce((sum, count) => sum + (count / total) ** 2, 0) };
}
