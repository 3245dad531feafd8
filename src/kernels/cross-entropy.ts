import { differentiable } from '../tensor/grad.ts';
import { empty } from '../tensor/record.ts';
import { ShapeError } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { lineKernel } from './line-kernel.ts';
import { checkChoice, checkOptions } from './operands.ts';
import { total, weightedMean } from './total.ts';

export interface CrossEntropyOptions {
  /** Rows with this class do not count, as 255 in label maps. Default: all count. */
  readonly ignoreIndex?: number | undefined;
  /** Default: `'mean'`, over the rows that count. */
  readonly reduction?: 'mean' | 'sum';
}

/**
 * Cross entropy of logits `[N, C]` and classes, u32 `[N]`: the mean over rows of `log(sum_c exp(x_c)) - x_class`. If no row
 * counts it is 0. A class that does not exist makes it not a number.
 *
 * The gradient is `softmax(x) - one_hot(class)` over the number of rows that count.
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
  checkChoice('crossEntropy', 'reduction', reduction, ['mean', 'sum']);
  const lines = { outer: N, length: C, inner: 1 };

  const parts = empty(logits, [N], 'f32');
  const counts = empty(logits, [N], 'f32');
  const statistics = empty(logits, [N, 2], 'f32');
  // No class is as large as that: the launch could not hold its logits.
  const ignored = ignoreIndex ?? 0xffffffff;
  forward({ logits, classes, parts, counts, statistics }, lines, { ignored });
  const mean = weightedMean(parts, counts);
  const y = reduction === 'mean' ? mean.y : total(parts, 1);

  return differentiable(y, [logits], (dy) => {
    const dLogits = empty(logits);
    const isMean = Number(reduction === 'mean');
    // What is bound in place of the count is never read otherwise.
    const inverse = isMean ? mean.inverse : dy;
    backward({ logits, classes, counts, statistics, inverse, dy, dLogits }, lines, { isMean });
    return [dLogits];
  });
}

// The maximum and the logarithm of the sum stay apart: added, large logits would round the logarithm away.
const forward = lineKernel({
  name: 'cross-entropy',
  elements: { logits: 'read T' },
  perLine: { classes: 'read u32', parts: 'write f32', counts: 'write f32', statistics: 'write f32' },
  params: { ignored: 'u32' },
  body: ({ each, inLine, max, sum, at }) => `
  var tops = F(-3.40282346e38);
  ${each(`tops = max(tops, ${inLine('logits', '-3.40282346e38')});`)}
  let top = ${max('tops')};
  var sums = F(0.0);
  ${each(`sums += ${inLine('exp(logits - top)', '0.0')};`)}
  let logSum = log(${sum('sums')});
  if (lead) {
    let class_ = classes[line];
    statistics[2u * line] = top;
    statistics[2u * line + 1u] = logSum;
    counts[line] = f32(class_ != params.ignored);
    if (class_ == params.ignored) { parts[line] = 0.0; }
    else if (class_ < params.length * PER) { parts[line] = (top - ${at('logits', 'class_')}) + logSum; }
    else { parts[line] = bitcast<f32>(0x7fc00000u | class_); }
  }`,
});

const backward = lineKernel({
  name: 'cross-entropy backward',
  elements: { logits: 'read T', dLogits: 'write T' },
  perLine: { classes: 'read u32', counts: 'read f32', statistics: 'read f32', inverse: 'read f32', dy: 'read f32' },
  params: { isMean: 'u32' },
  body: ({ write }) => `
  let top = statistics[2u * line];
  let logSum = statistics[2u * line + 1u];
  let factor = dy[0] * select(1.0, inverse[0], params.isMean == 1u) * counts[line];
  let class_ = classes[line];
  ${write('dLogits', 'factor * (exp(logits - top - logSum) - select(F(0.0), F(1.0), place == P(class_)))')}`,
});
