import { add, cast, scale } from '../../../kernels/elementwise/index.ts';
import { l2Normalize } from '../../../kernels/row-ops/index.ts';
import { noTrace, type Trace } from '../../../nn/layers/index.ts';
import { fill, label, type Tensor } from '../../../tensor/graph/index.ts';
import { ShapeError } from '../../../tensor/values/index.ts';
import { viewCount } from '../../image/index.ts';
import type { ZeroSegConfig } from '../config-groups.ts';
import { compositionTerm } from './composition.ts';
import { distillationTerm } from './distillation.ts';
import { matchingTerm } from './matching.ts';
import { reconstructionTerm } from './reconstruction.ts';
import type { LossContext, LossInputs, LossTerm } from './term.ts';

/**
 * The terms of the loss, in the order in which they are added up. Configuration, trainer, metrics, terminal and reports go through
 * this list.
 */
export const lossTerms: readonly LossTerm[] = [reconstructionTerm, distillationTerm, matchingTerm, compositionTerm];

/** The weight of a term; of a configuration that is older than the term, its default. */
export function weightOf(config: ZeroSegConfig, { weight, defaultWeight }: LossTerm): number {
  return config[weight] ?? defaultWeight;
}

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
  values: Readonly<Record<string, number>>,
): { name: string; value: number }[] {
  return lossTerms
    .filter((term) => weightOf(config, term) > 0)
    .map((term) => ({ name: term.name, value: weightOf(config, term) * (values[term.name] ?? Number.NaN) }));
}

/**
 * The loss of a step and what each weighted term adds to it, in one line; of the first and the last step, where two are given.
 *
 * ```ts
 * lossLine(config, [{ loss: 1.5, terms: { rec: 1, distill: 0.25, match: 0.25, compose: 0 } }]); // 'loss 1.500 (rec 1.00 + …)'
 * ```
 */
export function lossLine(
  config: ZeroSegConfig,
  steps: readonly { readonly loss: number; readonly terms: Readonly<Record<string, number>> }[],
): string {
  const from = (digits: number, values: readonly number[]) => values.map((v) => v.toPrecision(digits)).join(' → ');
  const loss = `loss ${from(
    4,
    steps.map((step) => step.loss),
  )}`;
  const weighted = steps.map(({ terms }) => weightedTerms(config, terms));
  const words = (weighted[0] ?? []).map(
    ({ name }, i) =>
      `${name} ${from(
        3,
        weighted.map((all) => all[i]?.value ?? Number.NaN),
      )}`,
  );
  return words.length > 0 ? `${loss} (${words.join(' + ')})` : loss;
}

/** The terms, scalars by name, and their weighted sum. A term that is not computed is 0. */
export interface Losses {
  readonly terms: Readonly<Record<string, Tensor>>;
  readonly total: Tensor;
  /** Nearest local view of each segment, u32 `[B, S]`; undefined where there are no local views. */
  readonly matchIndex: Tensor | undefined;
}

/** `L = w_rec·L_rec + w_dist·L_distill + w_match·L_match (+ w_compose·L_compose)`, in f32 also where the model computes in f16. */
export function losses(config: ZeroSegConfig, inputs: LossInputs, trace: Trace = noTrace): Losses {
  const { image, views } = inputs;
  const [count, expected] = [views.shape[1], viewCount(config.grids)];
  if (count !== expected) {
    throw new ShapeError('losses', `grids ${config.grids.join(', ')} have ${expected} views; got ${count}`, {
      views: views.shape,
    });
  }
  const compared = (x: Tensor) => (config.target_norm === 'l2' ? l2Normalize(cast(x, 'f32')) : cast(x, 'f32'));
  const context: LossContext = { ...inputs, config, compared, targets: compared(views), trace };
  const used = lossTerms.filter((term) => term.isAlwaysComputed || weightOf(config, term) > 0);
  const results = new Map(used.map((term) => [term, label(`loss.${term.name}`, () => term.compute(context))]));
  const values = new Map(lossTerms.map((term) => [term, results.get(term)?.loss ?? fill(image.device, [], 0)]));
  const total = label('loss.total', () =>
    used.map((term) => scale(values.get(term) as Tensor, weightOf(config, term))).reduce((sum, term) => add(sum, term)),
  );
  return {
    terms: Object.fromEntries([...values].map(([{ name }, value]) => [name, value])),
    total,
    matchIndex: [...results.values()].find((result) => result?.matchIndex)?.matchIndex,
  };
}
