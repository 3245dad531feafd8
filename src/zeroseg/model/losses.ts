import { add, cast, scale } from '../../kernels/elementwise/index.ts';
import { concat, slice } from '../../kernels/layout/index.ts';
import { l2Normalize } from '../../kernels/row-ops/index.ts';
import { distill, reconstruction, segmentMatch } from '../../kernels/zeroseg/index.ts';
import { noTrace, type Trace } from '../../nn/layers/index.ts';
import { fill, label, type Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import { viewCount, viewRows } from '../image/index.ts';
import { composition } from './composition-loss.ts';
import type { ZeroSegConfig } from './config.ts';

export type LossTerm = 'rec' | 'distill' | 'match' | 'compose';

interface LossTermOf {
  readonly name: LossTerm;
  readonly weight: 'w_rec' | 'w_dist' | 'w_match' | 'w_compose';
  readonly title: string;
}

/** The terms of the loss, in the order in which they are added up, each with the key of its weight. All lists of terms are this one. */
export const lossTerms: readonly LossTermOf[] = [
  { name: 'rec', weight: 'w_rec', title: 'Reconstruction' },
  { name: 'distill', weight: 'w_dist', title: 'Distillation' },
  { name: 'match', weight: 'w_match', title: 'Segment matching' },
  { name: 'compose', weight: 'w_compose', title: 'Composition' },
];

/**
 * What each term adds to the loss: itself times its weight, so that they sum to the loss. Terms without a weight, which add
 * nothing, are left out.
 *
 * ```ts
 * weightedTerms(scenesConfig, { rec: 1, distill: 0.5, match: 0.25, compose: 0.125 });
 * // [{ name: 'rec', value: 0.1 }, { name: 'distill', value: 0.5 }, { name: 'match', value: 0.25 }, { name: 'compose', value: 1 }]
 * ```
 */
export function weightedTerms(
  config: ZeroSegConfig,
  values: Readonly<Record<LossTerm, number>>,
): { name: LossTerm; value: number }[] {
  return lossTerms
    .filter(({ weight }) => config[weight] > 0)
    .map(({ name, weight }) => ({ name, value: config[weight] * values[name] }));
}

/** The terms and their weighted sum (section 8), with the composition loss where it has a weight; scalars. */
export interface Losses extends Readonly<Record<LossTerm, Tensor>> {
  /** 0 unless `w_compose` is above 0. */
  readonly compose: Tensor;
  readonly total: Tensor;
  /** Nearest local view of each segment, u32 `[B, S]`; undefined where there are no local views. */
  readonly matchIndex: Tensor | undefined;
}

export interface LossInputs {
  readonly image: Tensor;
  /** Undefined where nothing is masked: the reconstruction loss is 0. */
  readonly pred: Tensor | undefined;
  readonly mask: Tensor | undefined;
  readonly segments: Tensor;
  readonly global: Tensor;
  /** Teacher features `[B, V, C]`, in the order of the grids. */
  readonly views: Tensor;
  /** Assignments of both stages, and the places of the kept patches: what the composition loss needs. */
  readonly assigns?: readonly Tensor[];
  readonly idsRestore?: Tensor;
}

/** `L = w_rec·L_rec + w_dist·L_distill + w_match·L_match (+ w_compose·L_compose)`, in f32 also where the model computes in f16. */
export function losses(
  config: ZeroSegConfig,
  { image, pred, mask, segments, global, views, assigns, idsRestore }: LossInputs,
  trace: Trace = noTrace,
): Losses {
  const { patch, norm_pix: normPixels, target_norm, feat_reduce: features, segment_reduce } = config;
  const unit = (x: Tensor) => (target_norm === 'l2' ? l2Normalize(cast(x, 'f32')) : cast(x, 'f32'));
  const nothing = () => fill(image.device, [], 0);

  const [count, expected] = [views.shape[1], viewCount(config.grids)];
  if (count !== expected) {
    throw new ShapeError('losses', `grids ${config.grids.join(', ')} have ${expected} views; got ${count}`, {
      views: views.shape,
    });
  }
  const { whole, local: parts } = viewRows(config.grids);

  const rec = label('loss.rec', () =>
    pred && mask ? reconstruction(image, cast(pred, 'f32'), mask, { patch, normPixels }) : nothing(),
  );
  const targets = unit(views);
  const dist = label('loss.distill', () => {
    if (config.distill_views === 'all') return distill(unit(global), targets, { features });
    if (whole === undefined)
      throw new ShapeError('losses', "'distill_views' first takes the 1×1 view; 'grids' has none");
    return distill(unit(global), slice(targets, 1, whole, whole + 1), { features });
  });
  // The whole image is no local view, wherever it stands: only the cells of finer grids are.
  const matched = label('loss.match', () => {
    if (parts.length === 0) return undefined;
    const cells = parts.map(({ from, to }) => slice(targets, 1, from, to));
    const local = cells.length === 1 ? (cells[0] as Tensor) : concat(cells, 1);
    const options = { features, segments: segment_reduce } as const;
    const found = segmentMatch(unit(segments), local, options);
    trace('match_index', found.index);
    // All distances: another launch, computed only if somebody uses it.
    trace('match_distance', segmentMatch(unit(segments), local, { ...options, distances: true }).distance as Tensor);
    return found;
  });
  const match = matched?.loss ?? nothing();
  const wanted = config.w_compose > 0;
  if (wanted && !(assigns && idsRestore)) {
    throw new ShapeError(
      'losses',
      'the composition loss has a weight, and takes assigns and idsRestore; got neither or one',
    );
  }
  const compose = wanted
    ? composition({
        assigns: (assigns as readonly Tensor[]).map((assign) => cast(assign, 'f32')),
        segments: unit(segments),
        views: targets,
        hasClassToken: config.seg_use_cls,
        idsRestore: config.seg_input === 'visible' ? idsRestore : undefined,
        grids: config.grids,
        by: config.compose_by,
      })
    : nothing();
  const terms = { rec, distill: dist, match, compose };
  const total = label('loss.total', () =>
    lossTerms
      .filter(({ name }) => name !== 'compose' || wanted)
      .map(({ name, weight }) => scale(terms[name], config[weight]))
      .reduce((sum, term) => add(sum, term)),
  );
  return { ...terms, total, matchIndex: matched?.index };
}
