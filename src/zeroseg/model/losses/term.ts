import { concat, slice } from '../../../kernels/layout/index.ts';
import type { Trace } from '../../../nn/layers/index.ts';
import type { Tensor } from '../../../tensor/graph/index.ts';
import type { RowRange } from '../../image/index.ts';
import type { ZeroSegConfig } from '../config-groups.ts';

/** What the model made of a batch, and what it is to be compared with. */
export interface LossInputs {
  /** `[B, 3, S, S]`. */
  readonly image: Tensor;
  /** Predicted pixels `[B, N, patch² · 3]`. Undefined where nothing is masked: the reconstruction loss is 0. */
  readonly pred: Tensor | undefined;
  /** 1 where a patch is masked, `[B, N]`. */
  readonly mask: Tensor | undefined;
  /** `[B, S, C]`. */
  readonly segments: Tensor;
  /** `[B, C]`. */
  readonly global: Tensor;
  /** Teacher features `[B, V, C]`, in the order of the grids. */
  readonly views: Tensor;
  /** Assignments of both stages, and the places of the kept patches: what the composition loss needs. */
  readonly assigns?: readonly Tensor[];
  readonly idsRestore?: Tensor;
}

/** {@link LossInputs}, and what several terms make of them. */
export interface LossContext extends LossInputs {
  readonly config: ZeroSegConfig;
  /** Features as they are compared: in f32, and as unit vectors where `target_norm` says so. */
  readonly compared: (features: Tensor) => Tensor;
  /** The teacher's features as they are compared, `[B, V, C]`. */
  readonly targets: Tensor;
  readonly trace: Trace;
}

/** What a term computes. */
export interface TermResult {
  /** A scalar in f32. */
  readonly loss: Tensor;
  /** Nearest local view of each segment, u32 `[B, S]`, of a term that looks for it. */
  readonly matchIndex?: Tensor;
}

/** A term of the loss. To add one: a file that exports such a record, and a line in `lossTerms`. */
export interface LossTerm {
  /** Its key in metrics, and its name on the terminal. */
  readonly name: string;
  /** Above its curve in a training report. */
  readonly title: string;
  /** What a low value means, in a few words for somebody who does not know the paper. */
  readonly about: string;
  /** The key of its weight in a configuration. */
  readonly weight: `w_${string}`;
  readonly defaultWeight: number;
  /** Whether it is computed with a weight of 0 too, to be looked at. Default: no; its value is then 0. */
  readonly isAlwaysComputed?: boolean;
  /** Undefined where there is nothing to compare: the term is then 0. */
  compute(context: LossContext): TermResult | undefined;
}

/** The rows of `targets` `[B, V, C]` that the ranges hold, in their order; undefined where there are none. */
export function viewsAt(targets: Tensor, ranges: readonly RowRange[]): Tensor | undefined {
  const parts = ranges.map(({ from, to }) => slice(targets, 1, from, to));
  return parts.length > 1 ? concat(parts, 1) : parts[0];
}
