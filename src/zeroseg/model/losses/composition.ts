import { mean, sum } from '../../../kernels/axis/index.ts';
import { addScalar, cast, clamp, div, mul, sqrt, square, sub } from '../../../kernels/elementwise/index.ts';
import { permute, slice } from '../../../kernels/layout/index.ts';
import { matmul } from '../../../kernels/matmul/index.ts';
import { unshuffle } from '../../../kernels/zeroseg/index.ts';
import { fill, type Tensor, tensor } from '../../../tensor/graph/index.ts';
import { ShapeError } from '../../../tensor/values/index.ts';
import { cellCuts } from '../../image/index.ts';
import type { LossTerm } from './term.ts';

/** {@link composition} of the model's segments: a term beyond the paper. */
export const compositionTerm: LossTerm = {
  name: 'compose',
  title: 'Composition',
  about: 'Views made of their segments',
  weight: 'w_compose',
  defaultWeight: 0,
  compute({ assigns, idsRestore, segments, targets, compared, config }) {
    if (!assigns || !idsRestore) {
      throw new ShapeError(
        'losses',
        'the composition loss has a weight, and takes assigns and idsRestore; got neither or one',
      );
    }
    const loss = composition({
      assigns: assigns.map((assign) => cast(assign, 'f32')),
      segments: compared(segments),
      views: targets,
      hasClassToken: config.seg_use_cls,
      idsRestore: config.seg_input === 'visible' ? idsRestore : undefined,
      grids: config.grids,
      by: config.compose_by,
    });
    return { loss };
  },
};

/** What {@link composition} compares, and where it lies. */
export interface CompositionInputs {
  /** Assignments of the two stages as they were made, `[B, G1, n]` and `[B, G2, G1]`; with a class token, `[B, G1, 1 + n]`. */
  readonly assigns: readonly Tensor[];
  /** Whether the first member is a class token, which is nowhere in the image. Default: no. */
  readonly hasClassToken?: boolean;
  /** Segments g `[B, G2, C]`. */
  readonly segments: Tensor;
  /** Teacher features `[B, V, C]`, in the order of the grids. */
  readonly views: Tensor;
  /** Puts the n kept patches back among all N, u32 `[B, N]`. Left out where the members are all patches, in their places. */
  readonly idsRestore?: Tensor | undefined;
  /** Sides of the view grids. */
  readonly grids: readonly number[];
  /** By what the segments of a view count: their area (the default), or its root. */
  readonly by?: 'area' | 'root';
}

/**
 * The composition loss: a view is made of the segments that it shows. With `r[i, p]` 1 where patch p belongs to segment i (the
 * product of the two hard assignments, straight-through) and `b[j, p]` the fraction of patch p inside of view j,
 *
 *     a[j, i] = sum_p b[j, p] r[i, p] / sum_p b[j, p]        over the patches that are kept
 *     L       = sum_j w_j mean_c (sum_i a[j, i] g_i - v_j)^2 / sum_j w_j,   w_j = min(1, sum_p b[j, p])
 *
 * so views of which no patch is kept do not count. It is no part of the paper. The matching loss lets a segment take any view of
 * the image, wherever it lies, and every segment the same one; here the place of a segment's patches says which views it must
 * explain, so the teacher's own grids tell patches of different things apart. Squares, where the paper's losses have absolute
 * differences: a segment that is one of many things with a small probability each is then pulled to the mean of what it may be,
 * which already leans to the right name; the median does not.
 *
 * CLIP names the thing in a picture, not its largest part: by area, a segment of a small thing takes some of the ground around it to
 * weigh enough. `by: 'root'` counts `sqrt(A + 1/4) - 1/2` for an area of A patches, nearly A for a fraction of one:
 *
 *     a[j, i] = s(A[j, i]) / sum_i s(A[j, i]),   A[j, i] = sum_p b[j, p] r[i, p]
 *
 * ```ts
 * composition({ assigns, segments, views, idsRestore, grids: [1, 2, 3, 4] }); // a scalar
 * ```
 */
export function composition(inputs: CompositionInputs): Tensor {
  const { assigns, segments, views, idsRestore, grids, by = 'area', hasClassToken = false } = inputs;
  const { device } = segments;
  const [first, second] = assigns as [Tensor, Tensor];
  const groups = segments.shape[1] as number;
  // [B, n, G2], then [B, N, G2] with zeros where a patch is masked.
  const all = permute(matmul(second, first), [0, 2, 1]);
  const members = hasClassToken ? slice(all, 1, 1, all.shape[1] as number) : all;
  const placed = idsRestore ? unshuffle(members, fill(device, [1, 1, groups], 0), idsRestore) : members;
  const patches = placed.shape[1] as number;
  const cover = viewCover(grids, Math.round(Math.sqrt(patches)));
  const covered = matmul(tensor(device, cover, [1, cover.length / patches, patches]), placed);
  const kept = sum(covered, { axes: 2, keepDims: true });
  const fractions =
    by === 'area' ? div(covered, addScalar(kept, 1e-6)) : ofTheWhole(addScalar(sqrt(addScalar(covered, 0.25)), -0.5));
  const distance = mean(square(sub(matmul(fractions, segments), views)), { axes: 2, keepDims: true });
  const weight = clamp(kept, 0, 1);
  return div(sum(mul(distance, weight)), addScalar(sum(weight), 1e-6));
}

/** Each row's values as fractions of their sum. */
function ofTheWhole(x: Tensor): Tensor {
  return div(x, addScalar(sum(x, { axes: 2, keepDims: true }), 1e-6));
}

/**
 * How much of each patch of a `side` × `side` grid lies inside of each view, in 0..1: `[V, side²]`, views in the order of
 * `grids`, each grid row by row.
 */
export function viewCover(grids: readonly number[], side: number): Float32Array {
  const rows: number[] = [];
  for (const k of grids) {
    const inside = cellCuts(side, k).map(([from, to]) =>
      Array.from({ length: side }, (_, at) => Math.max(0, Math.min(at + 1, to) - Math.max(at, from))),
    );
    for (const down of inside)
      for (const across of inside) for (const y of down) for (const x of across) rows.push(y * x);
  }
  return Float32Array.from(rows);
}
