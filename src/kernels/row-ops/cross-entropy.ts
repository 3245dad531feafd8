import { empty, fill, over, type Tensor } from '../../tensor/graph/index.ts';
import { holds, normalizeAxis, ShapeError, sameShape } from '../../tensor/values/index.ts';
import { checkChoice, checkFloats, checkOptions, checkTensors, rowKernel } from '../axis/index.ts';
import { moveAxis, reshape } from '../layout/index.ts';
import type { Reduction } from './losses.ts';
import { sumOverRow } from './softmax.ts';
import { type Back, lossesByOps, reduced, topAndLogSum, weightedRows } from './weighted-cross-entropy.ts';

export interface CrossEntropyOptions {
  /** Rows with this class do not count, as 255 in label maps, or -100 of i32. Default: all count. */
  readonly ignoreIndex?: number | undefined;
  /** `[C]`: how much rows of each class count; the mean is over the sum of these. No gradient flows to it. Default: all 1. */
  readonly weights?: Tensor | undefined;
  /** Part of each row's target that goes to all classes alike, 0 to 1. Default: 0. */
  readonly labelSmoothing?: number;
  /** The axis of the classes in `logits`; 1 for `[B, C, H, W]`. Default: the last. */
  readonly axis?: number;
  /** `'none'`: the loss of each row, f32, in the shape of the classes. Default: `'mean'`, over the rows that count. */
  readonly reduction?: Reduction | 'none';
}

/**
 * Cross entropy of logits `[…, C]` and classes, u32 or i32 `[…]`: the mean over rows of `log(sum_c exp(x_c)) - x_class`. If no row
 * counts it is 0. A class that does not exist makes it NaN, as logits that are NaN or ∞ do, or nothing but -∞; so do the row's
 * gradients. Rows that do not count may hold anything.
 *
 * The gradient is `softmax(x) - one_hot(class)` over the number of rows that count, and 0 for rows that do not. With label smoothing ε
 * and weights w, as in PyTorch, a row's loss is `(1 - ε) w_class l_class + ε / C · sum_c w_c l_c`, where `l = -logSoftmax(x)`.
 *
 * ```ts
 * const logits = tensor(device, [0, 0, 1, 3], [2, 2]);
 * const classes = tensor(device, new Uint32Array([0, 1]));
 * await read(crossEntropy(logits, classes)); // [0.41]
 * await read(crossEntropy(logits, classes, { labelSmoothing: 0.1 })); // [0.46]
 * ```
 *
 * @throws ShapeError when the shapes do not fit, classes are neither u32 nor i32, or an option is out of its range.
 */
export function crossEntropy(logits: Tensor, classes: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const op = 'crossEntropy';
  checkOptions(op, options, ['ignoreIndex', 'weights', 'labelSmoothing', 'axis', 'reduction']);
  const { ignoreIndex, weights, labelSmoothing = 0, axis = -1, reduction = 'mean' } = options;
  checkFloats(op, { logits });
  checkTensors(op, { classes, ...(weights && { weights }) });
  const x = logits.shape.length > 0 ? moveAxis(logits, normalizeAxis(op, axis, logits.shape), -1) : logits;
  const C = x.shape.at(-1) ?? 0;
  if (logits.shape.length === 0 || !sameShape(x.shape.slice(0, -1), classes.shape)) {
    throw new ShapeError(op, 'logits must be […, C] and classes […]', {
      logits: logits.shape,
      classes: classes.shape,
    });
  }
  const { dtype } = classes;
  if (dtype !== 'u32' && dtype !== 'i32') {
    throw new ShapeError(op, `classes must be u32 or i32; these are ${dtype}`, { classes: classes.shape });
  }
  if (C === 0) throw new ShapeError(op, 'there must be at least one class', { logits: logits.shape });
  if (ignoreIndex !== undefined && !holds[dtype](ignoreIndex)) {
    throw new ShapeError(op, `${ignoreIndex} is no class: ignoreIndex must be a ${dtype}`, { classes: classes.shape });
  }
  if (weights && !sameShape(weights.shape, [C])) {
    throw new ShapeError(op, 'weights must be [C]', { logits: logits.shape, weights: weights.shape });
  }
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
    throw new ShapeError(op, `labelSmoothing must be from 0 to 1; it is ${labelSmoothing}`);
  }
  checkChoice(op, 'reduction', reduction, ['mean', 'sum', 'none']);
  // As u32, a class below 0 is beyond all others, which there is not either.
  const words = over(classes, [classes.size], 'u32');
  const params = { ignored: (ignoreIndex ?? 0) >>> 0, ignores: Number(ignoreIndex !== undefined) };
  const rows = reshape(x, [classes.size, C]);
  const parts =
    weights || labelSmoothing > 0
      ? weightedRows(rows, words, weights ?? fill(x.device, [C], 1), { ...params, smoothing: labelSmoothing })
      : plainRows(rows, words, params);
  return reduction === 'none' ? reshape(parts(reduction), classes.shape) : parts(reduction);
}

function plainRows(logits: Tensor, classes: Tensor, ignored: { ignored: number; ignores: number }) {
  const [N, C] = logits.shape as [number, number];
  const rows = { outer: N, length: C, inner: 1 };
  const parts = empty(logits, [N], 'f32');
  const counts = empty(logits, [N], 'f32');
  const statistics = empty(logits, [N, 2], 'f32');
  forward({ logits, classes, parts, counts, statistics }, rows, ignored);
  const back: Back = (dy, inverse, params) => {
    const dLogits = empty(logits);
    backward({ logits, classes, counts, statistics, inverse, dy, dLogits }, rows, params);
    return dLogits;
  };
  return reduced(logits, parts, counts, back, (x) => lossesByOps(x, classes, ignored));
}

const forward = /*#__PURE__*/ rowKernel({
  name: 'cross-entropy',
  elements: { logits: 'read T' },
  perRow: { classes: 'read u32', parts: 'write f32', counts: 'write f32', statistics: 'write f32' },
  params: { ignored: 'u32', ignores: 'u32' },
  use: [sumOverRow],
  body: (code) => `
  ${topAndLogSum(code)}
  if (lead) {
    let class_ = classes[row];
    let isOut = params.ignores == 1u && class_ == params.ignored;
    // The backward needs to know as well.
    if (class_ >= params.length * PER && !isOut) { logSum = nanOf(logSum); }
    statistics[2u * row] = top;
    statistics[2u * row + 1u] = logSum;
    counts[row] = f32(!isOut);
    if (isOut) { parts[row] = 0.0; }
    else if (class_ < params.length * PER) { parts[row] = (top - ${code.at('logits', 'class_')}) + logSum; }
    else { parts[row] = logSum; }
  }`,
});

const backward = /*#__PURE__*/ rowKernel({
  name: 'cross-entropy backward',
  elements: { logits: 'read T', dLogits: 'write T' },
  perRow: { classes: 'read u32', counts: 'read f32', statistics: 'read f32', inverse: 'read f32', dy: 'read f32' },
  params: { isMean: 'u32', isNone: 'u32' },
  body: ({ write }) => `
  let top = statistics[2u * row];
  let logSum = statistics[2u * row + 1u];
  var factor = dy[select(0u, row, params.isNone == 1u)] * select(1.0, inverse[0], params.isMean == 1u);
  // Exponentials of NaN need not be NaN.
  if ((bitcast<i32>(logSum) & 0x7fffffff) > 0x7f800000) { factor = logSum; }
  let class_ = classes[row];
  let isOut = counts[row] == 0.0;
  ${write(
    'dLogits',
    'select(factor * (exp(logits - top - logSum) - select(F(0.0), F(1.0), place == P(class_))), F(0.0), isOut)',
  )}`,
});
