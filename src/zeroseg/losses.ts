import { cast } from '../kernels/cast.ts';
import { l2Normalize } from '../kernels/layer-norm.ts';
import { slice } from '../kernels/layout.ts';
import { distill, reconstruction, segmentMatch } from '../kernels/losses.ts';
import { add, scale } from '../kernels/pointwise.ts';
import { fill } from '../tensor/fill.ts';
import { label } from '../tensor/record.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { composition } from './composition.ts';
import type { ZeroSegConfig } from './config.ts';
import type { Trace } from './model.ts';

/** The three terms and their weighted sum (section 8), with the composition loss where it has a weight; scalars. */
export interface Losses {
  readonly rec: Tensor;
  readonly distill: Tensor;
  readonly match: Tensor;
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
  trace: Trace = () => {},
): Losses {
  const { patch, norm_pix: normPixels, target_norm, feat_reduce: features, segment_reduce } = config;
  const unit = (x: Tensor) => (target_norm === 'l2' ? l2Normalize(cast(x, 'f32')) : cast(x, 'f32'));
  const nothing = () => fill(image.device, [], 0);

  const rec = label('loss.rec', () =>
    pred && mask ? reconstruction(image, cast(pred, 'f32'), mask, { patch, normPixels }) : nothing(),
  );
  const targets = unit(views);
  const dist = label('loss.distill', () => {
    const wanted = config.distill_views === 'first' ? slice(targets, 1, 0, 1) : targets;
    return distill(unit(global), wanted, { features });
  });
  // The whole image is no local view: only the cells of finer grids are.
  const first = config.grids[0] === 1 ? 1 : 0;
  const count = views.shape[1] as number;
  const matched = label('loss.match', () => {
    if (count <= first) return undefined;
    const local = slice(targets, 1, first, count);
    const options = { features, segments: segment_reduce } as const;
    const found = segmentMatch(unit(segments), local, options);
    trace('match_index', found.index);
    // All distances: another launch, computed only if somebody uses it.
    trace('match_distance', segmentMatch(unit(segments), local, { ...options, distances: true }).distance as Tensor);
    return found;
  });
  const match = matched?.loss ?? nothing();
  const wanted = config.w_compose > 0 && assigns && idsRestore;
  const compose = wanted
    ? composition({
        assigns: assigns.map((assign) => cast(assign, 'f32')),
        segments: unit(segments),
        views: targets,
        hasClassToken: config.seg_use_cls,
        idsRestore: config.seg_input === 'visible' ? idsRestore : undefined,
        grids: config.grids,
        by: config.compose_by,
      })
    : nothing();
  const total = label('loss.total', () => {
    const paper = add(add(scale(rec, config.w_rec), scale(dist, config.w_dist)), scale(match, config.w_match));
    return wanted ? add(paper, scale(compose, config.w_compose)) : paper;
  });
  return { rec, distill: dist, match, compose, total, matchIndex: matched?.index };
}
