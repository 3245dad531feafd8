import { scale, stopGradient, straightThrough } from '../../kernels/elementwise/index.ts';
import { takeRows } from '../../kernels/layout/index.ts';
import { matmul } from '../../kernels/matmul/index.ts';
import { l2Normalize, softmax } from '../../kernels/row-ops/index.ts';
import { medoids } from '../../kernels/zeroseg/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
export interface KMeansOptions {
  /** The factor on cosines: the larger, the harder queries win. */
  readonly scale: number;
  readonly iterations: number;
  /**
   * Where the first iteration begins: at the queries, or at as many keys of the image, its {@link medoids}; the queries then only say
   * how many. Default: `'queries'`.
   */
  readonly init?: 'queries' | 'medoids';
  /** How many medoids. Default: as many as there are queries. */
  readonly groups?: number | undefined;
}

/** What {@link sphericalKMeans} gives. */
export interface KMeansResult {
  /** `[B, G, D]`, each of length √D, as a normalised vector has it. */
  readonly queries: Tensor;
  /** `scale · cos(q, k)` `[B, G, N]`. */
  readonly logits: Tensor;
}

/**
 * Spherical k-means over the keys of each image, begun at its queries: in each iteration every query becomes the mean direction of
 * the keys that it wins, softly,
 *
 *     a[g, n] = softmax over g of scale · cos(q_g, k_n)        q_g ← Σ_n a[g, n] k_n / |k_n|
 *
 * so groups follow what this image holds, where learnt queries alone cut every image at the same places of feature space. It is no
 * part of the paper; Slot Attention (Locatello et al. 2020, https://arxiv.org/abs/2006.15055) and kMaX-DeepLab (Yu et al. 2022,
 * https://arxiv.org/abs/2207.04044) find groups likewise.
 *
 * Begun at learnt queries, k-means often leaves small things with what surrounds them: no query starts near. `init: 'medoids'` begins
 * at the image's own keys instead, spread over all that it holds.
 *
 * Gradients pass through the last iteration only: what those before it arrive at is taken for a fixed point (Chang et al. 2022,
 * https://arxiv.org/abs/2207.00787). Through all of them they grow by up to the factor in each, and training stalls. To the queries
 * that were given they go straight through (Jia et al. 2022, https://arxiv.org/abs/2210.08990); medoids are constants.
 *
 * ```ts
 * const { queries, logits } = sphericalKMeans(q, k, { scale: 16, iterations: 3 }); // [B, G, D], [B, G, N]
 * ```
 *
 * @throws ShapeError unless `queries` is `[B, G, D]` and `keys` `[B, N, D]`.
 */
export function sphericalKMeans(
  queries: Tensor,
  keys: Tensor,
  { scale: factor, iterations, init = 'queries', groups: count }: KMeansOptions,
): KMeansResult {
  const [batch, groups, width] = queries.shape;
  if (queries.shape.length !== 3 || keys.shape.length !== 3 || keys.shape[0] !== batch || keys.shape[2] !== width) {
    const shapes = { queries: queries.shape, keys: keys.shape };
    throw new ShapeError('sphericalKMeans', 'queries must be [B, G, D] and keys [B, N, D]', shapes);
  }
  const directions = l2Normalize(keys);
  const cosines = (q: Tensor) => scale(matmul(q, directions, { transposeB: true }), factor);
  const moved = (q: Tensor) => l2Normalize(matmul(softmax(cosines(q), 1), directions));
  const given = init === 'medoids' ? medoidRows(directions, count ?? (groups as number)) : l2Normalize(queries);
  let q = given;
  for (let iteration = 1; iteration < iterations; iteration++) q = moved(q);
  if (iterations > 0) q = moved(straightThrough(q, given));
  return { queries: scale(q, Math.sqrt(width as number)), logits: cosines(q) };
}

/** As many rows as stand for all others, as constants. */
function medoidRows(directions: Tensor, count: number): Tensor {
  const similarity = matmul(directions, directions, { transposeB: true });
  return stopGradient(takeRows(directions, medoids(similarity, count)));
}
