import { differentiable, empty, type Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import { checkChoice, checkOptions, rowKernel, total, weightedMean } from '../axis/index.ts';
import { sumOverRow } from './softmax.ts';

export interface CrossEntropyOptions {
  /** Rows with this class do not count, as 255 in label maps. Default: all count. */
  readonly ignoreIndex?: number | undefined;
  /** Default: `'mean'`, over the rows that count. */
  readonly reduction?: 'mean' | 'sum';
}

/**
 * Cross entropy of logits `[N, C]` and classes, u32 `[N]`: the mean over rows of `log(sum_c exp(x_c)) - x_class`. If no row
 * counts it is 0. A class that does not exist makes it NaN, as logits that are NaN or ∞ do, or nothing but -∞; so do the row's
 * gradients. Rows that do not count may hold anything.
 *
 * The gradient is `softmax(x) - one_hot(class)` over the number of rows that count, and 0 for rows that do not.
 *
 * ```ts
 * const logits = tensor(device, [0, 0, 1, 3], [2, 2]);
 * await read(crossEntropy(logits, tensor(device, new Uint32Array([0, 1])))); // [0.41]
 * ```
 */
export function crossEntropy(logits: Tensor, classes: Tensor, options: CrossEntropyOptions = {}): Tensor {
  checkOptions('crossEntropy', options, ['ignoreIndex', 'reduction']);
  const [N = 0, C = 0] = logits.shape;
  if (logits.shape.length !== 2 || classes.shape.length !== 1 || classes.shape[0] !== N) {
    throw new ShapeError('crossEntropy', 'logits must be [N, C] and classes [N]', {
      logits: logits.shape,
      classes: classes.shape,
    });
  }
  if (classes.dtype !== 'u32') {
    throw new ShapeError('crossEntropy', `classes must be u32; these are ${classes.dtype}`, { classes: classes.shape });
  }
  if (C === 0) throw new ShapeError('crossEntropy', 'there must be at least one class', { logits: logits.shape });
  const { ignoreIndex, reduction = 'mean' } = options;
  if (ignoreIndex !== undefined && !(Number.isInteger(ignoreIndex) && ignoreIndex >= 0 && ignoreIndex < 2 ** 32)) {
    throw new ShapeError('crossEntropy', `${ignoreIndex} is no class: ignoreIndex must be a u32`, {
      classes: classes.shape,
    });
  }
  checkChoice('crossEntropy', 'reduction', reduction, ['mean', 'sum']);
  const rows = { outer: N, length: C, inner: 1 };

  const parts = empty(logits, [N], 'f32');
  const counts = empty(logits, [N], 'f32');
  const statistics = empty(logits, [N, 2], 'f32');
  const ignored = { ignored: ignoreIndex ?? 0, ignores: Number(ignoreIndex !== undefined) };
  forward({ logits, classes, parts, counts, statistics }, rows, ignored);
  const mean = weightedMean(parts, counts);
  const y = reduction === 'mean' ? mean.y : total(parts, 1);

  return differentiable(y, [logits], (dy) => {
    const dLogits = empty(logits);
    const isMean = Number(reduction === 'mean');
    // What is bound in place of the count is never read otherwise.
    const inverse = isMean ? mean.inverse : dy;
    backward({ logits, classes, counts, statistics, inverse, dy, dLogits }, rows, { isMean });
    return [dLogits];
  });
}

// The maximum and the logarithm of the sum stay apart: added, large logits would round the logarithm away.
const forward = /*#__PURE__*/ rowKernel({
  name: 'cross-entropy',
  elements: { logits: 'read T' },
  perRow: { classes: 'read u32', parts: 'write f32', counts: 'write f32', statistics: 'write f32' },
  params: { ignored: 'u32', ignores: 'u32' },
  use: [sumOverRow],
  body: ({ each, inRow, max, sum, at }) => `
  var tops = F(-3.40282346e38);
  ${each(`tops = max(tops, ${inRow('logits', '-3.40282346e38')});`)}
  let top = ${max('tops')};
  var sums = F(0.0);
  ${each(`sums += ${inRow('exp(logits - top)', '0.0')};`)}
  var logSum = logOf(${sum('sums')});
  if (lead) {
    let class_ = classes[row];
    let isOut = params.ignores == 1u && class_ == params.ignored;
    // The backward needs to know as well.
    if (class_ >= params.length * PER && !isOut) { logSum = nanOf(logSum); }
    statistics[2u * row] = top;
    statistics[2u * row + 1u] = logSum;
    counts[row] = f32(!isOut);
    if (isOut) { parts[row] = 0.0; }
    else if (class_ < params.length * PER) { parts[row] = (top - ${at('logits', 'class_')}) + logSum; }
    else { parts[row] = logSum; }
  }`,
});

const backward = /*#__PURE__*/ rowKernel({
  name: 'cross-entropy backward',
  elements: { logits: 'read T', dLogits: 'write T' },
  perRow: { classes: 'read u32', counts: 'read f32', statistics: 'read f32', inverse: 'read f32', dy: 'read f32' },
  params: { isMean: 'u32' },
  body: ({ write }) => `
  let top = statistics[2u * row];
  let logSum = statistics[2u * row + 1u];
  var factor = dy[0] * select(1.0, inverse[0], params.isMean == 1u);
  // Exponentials of NaN need not be NaN.
  if ((bitcast<i32>(logSum) & 0x7fffffff) > 0x7f800000) { factor = logSum; }
  let class_ = classes[row];
  let isOut = counts[row] == 0.0;
  ${write(
    'dLogits',
    'select(factor * (exp(logits - top - logSum) - select(F(0.0), F(1.0), place == P(class_))), F(0.0), isOut)',
  )}`,
});
