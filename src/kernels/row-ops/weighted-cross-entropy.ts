// The cross entropy of rows whose classes have weights, or whose targets are smoothed.
import { differentiable, empty, type Tensor } from '../../tensor/graph/index.ts';
import { type RowCode, rowKernel, sum, total, weightedMean } from '../axis/index.ts';
import { notEqual } from '../comparison/index.ts';
import { castFloat, mul, stopGradient, sub, where } from '../elementwise/index.ts';
import { oneHot, reshape } from '../layout/index.ts';
import { logSoftmax, sumOverRow } from './softmax.ts';

/** A loss of rows, once it is known how they are reduced. */
export type Rows = (reduction: 'mean' | 'sum' | 'none') => Tensor;

/** Launches the gradient; `inverse` is one over the sum of the counts. */
export type Back = (dy: Tensor, inverse: Tensor, params: { isMean: number; isNone: number }) => Tensor;

/** Losses `parts` of rows that count for `counts`, and the same by ops. */
export function reduced(
  logits: Tensor,
  parts: Tensor,
  counts: Tensor,
  back: Back,
  plain: (logits: Tensor) => Tensor,
): Rows {
  return (reduction) => {
    const isMean = Number(reduction === 'mean');
    const isNone = Number(reduction === 'none');
    const mean = isMean ? weightedMean(parts, counts) : undefined;
    const y = mean?.y ?? (isNone ? parts : total(parts, 1));
    // What is bound in place of the count is never read otherwise.
    const backward = (dy: Tensor) => [back(dy, mean?.inverse ?? dy, { isMean, isNone })];
    return differentiable(y, [logits], backward, (x) => {
      const losses = plain(x as Tensor);
      return isNone ? losses : mul(sum(losses), mean?.inverse ?? 1);
    });
  };
}

/** Losses `[N]` by ops, for gradients of gradients. Rows that do not count may hold anything. */
export function lossesByOps(
  logits: Tensor,
  classes: Tensor,
  { ignored, ignores, smoothing = 0 }: Omit<Params, 'smoothing'> & { readonly smoothing?: number },
  weights?: Tensor,
): Tensor {
  const [N, C] = logits.shape as [number, number];
  const wide = castFloat(logits, 'f32');
  const counted = ignores ? notEqual(classes, ignored) : undefined;
  const logs = logSoftmax(counted ? where(reshape(counted, [N, 1]), wide, 0) : wide);
  const weighted = weights ? mul(logs, castFloat(weights, 'f32')) : logs;
  const own = sum(where(oneHot(classes, C), weighted, 0), { axes: 1 });
  const all = smoothing > 0 ? mul(sum(weighted, { axes: 1 }), smoothing / C) : 0;
  const losses = sub(mul(own, smoothing - 1), all);
  return counted ? where(counted, losses, 0) : losses;
}

interface Params {
  readonly ignored: number;
  readonly ignores: number;
  readonly smoothing: number;
}

export function weightedRows(logits: Tensor, classes: Tensor, weights: Tensor, params: Params): Rows {
  const [N, C] = logits.shape as [number, number];
  const rows = { outer: N, length: C, inner: 1 };
  const along = castFloat(stopGradient(weights), logits.dtype as 'f32' | 'f16');
  const parts = empty(logits, [N], 'f32');
  const counts = empty(logits, [N], 'f32');
  const statistics = empty(logits, [N, 3], 'f32');
  // Of all classes together, so that the number of loads of a row does not matter.
  const some = { ...params, share: params.smoothing / C };
  forward({ logits, classes, weights: along, parts, counts, statistics }, rows, some);
  const back: Back = (dy, inverse, how) => {
    const dLogits = empty(logits);
    const bound = { logits, classes, weights: along, counts, statistics, inverse, dy, dLogits };
    backward(bound, rows, { ...some, ...how });
    return dLogits;
  };
  return reduced(logits, parts, counts, back, (x) => lossesByOps(x, classes, params, along));
}

const params = { ignored: 'u32', ignores: 'u32', smoothing: 'f32', share: 'f32' } as const;

/** The maximum and the logarithm of the sum stay apart: added, large logits would round the logarithm away. */
export const topAndLogSum = ({ each, inRow, max, sum }: RowCode): string => `var tops = F(-3.40282346e38);
  ${each(`tops = max(tops, ${inRow('logits', '-3.40282346e38')});`)}
  let top = ${max('tops')};
  var sums = F(0.0);
  ${each(`sums += ${inRow('exp(logits - top)', '0.0')};`)}
  var logSum = logOf(${sum('sums')});`;

const forward = /*#__PURE__*/ rowKernel({
  name: 'weighted-cross-entropy',
  elements: { logits: 'read T' },
  along: ['weights'],
  perRow: { classes: 'read u32', parts: 'write f32', counts: 'write f32', statistics: 'write f32' },
  params,
  use: [sumOverRow],
  body: (code) => `
  ${topAndLogSum(code)}
  let class_ = classes[row];
  var owns = F(0.0);
  var alls = F(0.0);
  var spreads = F(0.0);
  ${code.each(`owns += ${code.inRow('select(F(0.0), weights, place == P(class_))', '0.0')};
    alls += ${code.inRow('weights', '0.0')};
    spreads += ${code.inRow('weights * ((top - logits) + logSum)', '0.0')};`)}
  let own = ${code.sum('owns')};
  let all = ${code.sum('alls')};
  let spread = ${code.sum('spreads')};
  if (lead) {
    let isOut = params.ignores == 1u && class_ == params.ignored;
    // The backward needs to know as well.
    if (class_ >= params.length * PER && !isOut) { logSum = nanOf(logSum); }
    statistics[3u * row] = top;
    statistics[3u * row + 1u] = logSum;
    statistics[3u * row + 2u] = all;
    counts[row] = select(own, 0.0, isOut);
    var loss = logSum;
    if (class_ < params.length * PER) {
      loss = (1.0 - params.smoothing) * own * ((top - ${code.at('logits', 'class_')}) + logSum);
      // Without smoothing, logits of -∞ are nothing that is missing.
      if (params.smoothing > 0.0) { loss += params.share * spread; }
    }
    parts[row] = select(loss, 0.0, isOut);
  }`,
});

const backward = /*#__PURE__*/ rowKernel({
  name: 'weighted-cross-entropy backward',
  elements: { logits: 'read T', dLogits: 'write T' },
  along: ['weights'],
  perRow: { classes: 'read u32', counts: 'read f32', statistics: 'read f32', inverse: 'read f32', dy: 'read f32' },
  params: { ...params, isMean: 'u32', isNone: 'u32' },
  body: ({ write }) => `
  let top = statistics[3u * row];
  let logSum = statistics[3u * row + 1u];
  var factor = dy[select(0u, row, params.isNone == 1u)] * select(1.0, inverse[0], params.isMean == 1u);
  // Exponentials of NaN need not be NaN.
  if ((bitcast<i32>(logSum) & 0x7fffffff) > 0x7f800000) { factor = logSum; }
  let class_ = classes[row];
  let isOut = params.ignores == 1u && class_ == params.ignored;
  let own = (1.0 - params.smoothing) * counts[row];
  let all = own + params.share * statistics[3u * row + 2u];
  ${write(
    'dLogits',
    'select(factor * (all * exp(logits - top - logSum) - select(F(0.0), F(own), place == P(class_)) - params.share * weights), F(0.0), isOut)',
  )}`,
});
