import { max } from '../../kernels/axis/index.ts';
import { scale } from '../../kernels/elementwise/index.ts';
import { concat, slice } from '../../kernels/layout/index.ts';
import { softmax } from '../../kernels/row-ops/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import type { WorkOptions } from '../host/index.ts';
import { bestColumns } from './best-columns.ts';
import type { ScoreMaps } from './score-maps.ts';

/** What each pixel is, before any threshold, and with what probability. */
export interface PixelClasses {
  readonly labels: Uint16Array;
  readonly scores: Float32Array;
  /** Labels that are nowhere: see {@link QueryRules.area}. */
  readonly leftOut: readonly number[];
}

export interface QueryRules extends WorkOptions<never> {
  /** Label of each query: several may have the same. 0 is background. */
  readonly labels: ArrayLike<number>;
  /** λ, the factor on scores before the softmax over all queries. */
  readonly scale: number;
  /** A class other than background that has no more pixels than this share of all that are not background is left out (SCLIP's rule). */
  readonly area?: number | undefined;
}

/**
 * The class of each pixel by queries (SCLIP): P = softmax over all queries of λ · score, and a class has the largest P of its
 * queries, not their sum. `maps` gives a column for each query.
 */
export async function queryClasses(maps: ScoreMaps, pixels: number, rules: QueryRules): Promise<PixelClasses> {
  const { labels, scale: lambda, area, signal } = rules;
  const all = Array.from(labels, (_, q) => q);
  const found = await bestColumns(maps, all, pixels, lambda, { signal });
  const classes = Uint16Array.from(found.best, (q) => labels[q]!);
  const scores = Float32Array.from(found.sum, (total) => 1 / total);
  const small = area === undefined ? new Set<number>() : smallClasses(classes, new Set(Array.from(labels)), area);
  if (small.size === 0) return { labels: classes, scores, leftOut: [] };
  const left = all.filter((q) => !small.has(labels[q]!));
  const leftOut = [...small];
  if (left.length === 0) return { labels: classes, scores: scores.fill(0), leftOut };
  const again = await bestColumns(maps, left, pixels, lambda, { signal });
  for (let i = 0; i < pixels; i++) {
    classes[i] = labels[again.best[i]!]!;
    scores[i] = Math.exp(lambda * (again.top[i]! - found.top[i]!)) / found.sum[i]!;
  }
  return { labels: classes, scores, leftOut };
}

/** Classes, but background, that have no more than a share of all pixels that are not background; those without any too. */
function smallClasses(classes: Uint16Array, labels: ReadonlySet<number>, area: number): Set<number> {
  const counts = new Map<number, number>();
  for (const label of classes) counts.set(label, (counts.get(label) ?? 0) + 1);
  const least = area * (classes.length - (counts.get(0) ?? 0));
  return new Set([...labels].filter((label) => label !== 0 && (counts.get(label) ?? 0) <= least));
}

/** Probabilities of classes `[1, K, H, W]` out of all queries' scores `[1, Q, H, W]`: see {@link queryClasses}. Labels go up from 0. */
export function classProbabilities(scores: Tensor, labels: readonly number[], lambda: number): Tensor {
  const p = softmax(scale(scores, lambda), 1);
  const classes = Math.max(...labels) + 1;
  const largest = Array.from({ length: classes }, (_, c) => {
    const own = labels.flatMap((label, q) => (label === c ? [slice(p, 1, q, q + 1)] : []));
    return max(concat(own, 1), { axes: [1], keepDims: true });
  });
  return concat(largest, 1);
}
