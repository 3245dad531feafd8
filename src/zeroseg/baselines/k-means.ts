import { ArgumentError } from '../../gpu/index.ts';
import { random } from '../../nn/layers/index.ts';
import { unitRows } from '../host/index.ts';
import type { Baseline, BaselineContext, GridFeatures } from './baseline.ts';
import { enlargeLabels, nearestNames } from './patch-labels.ts';

const CLUSTERS = 8;

/**
 * The patches of a student's encoder in eight clusters, each named by the teacher: by the mean of its `value` features, as unit
 * vectors, over the cluster's patches.
 */
export const clusters: Baseline = {
  name: 'kmeans',
  title: 'k-means of patches',
  note: "the shipped student's patches in 8 clusters, named by the teacher",
  labels: (_, { student, ...context }) => student && clusterLabels(student, context),
};

/** Patches in clusters, each named by the teacher's features at its patches. */
function clusterLabels(
  { features: patches, grid }: GridFeatures,
  { dense, text, width, seed }: Omit<BaselineContext, 'student'>,
): Uint16Array {
  const count = grid.rows * grid.cols;
  const { cluster, centres } = kMeans(patches, patches.length / count, CLUSTERS, seed);
  const features = unitRows(dense.value, width);
  // The teacher's patch at the middle of each of the student's; their grids may differ.
  const under = Uint32Array.from({ length: count }, (_, at) => {
    const row = Math.floor(((Math.floor(at / grid.cols) + 0.5) * dense.grid.rows) / grid.rows);
    const col = Math.floor((((at % grid.cols) + 0.5) * dense.grid.cols) / grid.cols);
    return row * dense.grid.cols + col;
  });
  const rows = new Float32Array(count * width);
  under.forEach((from, at) => {
    rows.set(features.subarray(from * width, (from + 1) * width), at * width);
  });
  const clusters = (centres.length * count) / patches.length;
  const named = nearestNames(meanRows(rows, width, cluster, clusters), text, width);
  const labels = Array.from(cluster, (c) => 1 + named[c]!);
  return enlargeLabels(labels, grid);
}

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
      let min = Number.POSITIVE_INFINITY;
      for (let c = 0; c < begun; c++) {
        const d = distance(row, centres, c);
        if (d < min) [best, min] = [c, d];
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
  const counts = new Float64Array(clusters);
  for (let row = 0; row < cluster.length; row++) {
    const c = cluster[row]!;
    counts[c]!++;
    for (let i = 0; i < width; i++) sums[c * width + i]! += rows[row * width + i]!;
  }
  return sums.map((sum, at) => sum / (counts[Math.floor(at / width)]! || 1));
}
