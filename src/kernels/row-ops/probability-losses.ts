// Losses between probabilities. Each is computed in f32, and is a scalar unless it is not reduced.
import { notNumbers } from '../../gpu/index.ts';
import { fill, type Tensor } from '../../tensor/graph/index.ts';
import { type Shape, ShapeError, sameShape } from '../../tensor/values/index.ts';
import { checkChoice, checkOptions, checkTensors, mean, sum } from '../axis/index.ts';
import { greater } from '../comparison/index.ts';
import {
  add,
  applyBinary,
  type Binary,
  byKernel,
  cast,
  exp,
  log,
  mul,
  neg,
  type Operand,
  sigmoid,
  sigmoidPiece,
  sub,
  where,
} from '../elementwise/index.ts';
import { log1pPiece, softplus } from '../functions/index.ts';
import type { Reduction } from './losses.ts';

export interface BinaryCrossEntropyOptions {
  /** What each element's loss is multiplied by; broadcasts. The mean is over the number of elements. Default: 1. */
  readonly weights?: Operand;
  /** What losses of targets of 1 are multiplied by; broadcasts. Above 1, fewer positives are missed. Default: 1. */
  readonly positiveWeight?: Operand;
  /** Default: `'mean'`. */
  readonly reduction?: Reduction | 'none';
}

/**
 * Binary cross entropy of logits and targets (0 to 1, or a mask) of one shape: the mean of `log(1 + e^x) - x t`, which is
 * `t log(1 + e^-x) + (1 - t) log(1 + e^x)`, exact where the loss is small too. PyTorch's `binary_cross_entropy_with_logits`. The gradients are
 * `(sigmoid(x) - t) / n` and `-x / n`; a mask has none.
 *
 * ```ts
 * const logits = tensor(device, [0, 2, -3]);
 * await read(binaryCrossEntropyWithLogits(logits, tensor(device, [1, 1, 0]))); // [0.289]
 * ```
 *
 * @throws ShapeError when the shapes differ, or weights do not broadcast to them.
 */
export function binaryCrossEntropyWithLogits(
  logits: Tensor,
  targets: Tensor,
  options: BinaryCrossEntropyOptions = {},
): Tensor {
  const op = 'binaryCrossEntropyWithLogits';
  checkOptions(op, options, ['weights', 'positiveWeight', 'reduction']);
  const { weights, positiveWeight, reduction = 'mean' } = options;
  checkTensors(op, { logits, targets });
  const shapes = { logits: logits.shape, targets: targets.shape };
  if (!sameShape(logits.shape, targets.shape)) throw new ShapeError(op, 'both must have one shape', shapes);
  const [x, t] = [cast(logits, 'f32'), cast(targets, 'f32')];
  let losses =
    positiveWeight === undefined
      ? applyBinary(binary, x, t)
      : add(mul(mul(t, inF32(positiveWeight)), softplus(neg(x))), mul(sub(1, t), softplus(x)));
  if (weights !== undefined) losses = mul(losses, inF32(weights));
  checkStretched(op, losses, logits.shape, shapes);
  return reduceLosses(op, losses, reduction);
}

function inF32(operand: Operand): Operand {
  return typeof operand === 'number' ? operand : cast(operand, 'f32');
}

export interface KlDivergenceOptions {
  /** Whether the target is given as logarithms too. Default: false. */
  readonly logTarget?: boolean;
  /** `'batchMean'` is the sum over the length of the first axis, the divergence itself; `'mean'` is over all elements. Default: `'mean'`. */
  readonly reduction?: Reduction | 'batchMean' | 'none';
}

/**
 * Kullback-Leibler divergence of a target `p` from `q`, which is given as `logQ`: the mean of `p (log p - log q)` over all elements, 0 where
 * `p` is 0. PyTorch's `kl_div(logQ, p)`. The gradients are those of the formula: `-p` for `logQ`, `1 + log p - log q` for `p`.
 *
 * ```ts
 * const loss = klDivergence(logSoftmax(student), softmax(teacher), { reduction: 'batchMean' });
 * ```
 *
 * @throws ShapeError when the shapes differ.
 */
export function klDivergence(logQ: Tensor, p: Tensor, options: KlDivergenceOptions = {}): Tensor {
  const op = 'klDivergence';
  checkOptions(op, options, ['logTarget', 'reduction']);
  const { logTarget = false, reduction = 'mean' } = options;
  checkChoice(op, 'reduction', reduction, ['mean', 'sum', 'batchMean', 'none']);
  checkTensors(op, { logQ, p });
  const shapes = { logQ: logQ.shape, p: p.shape };
  if (!sameShape(logQ.shape, p.shape)) throw new ShapeError(op, 'both must have one shape', shapes);
  if (reduction === 'batchMean' && !p.shape[0]) {
    throw new ShapeError(op, 'a mean over the batch needs a first axis that is not empty', shapes);
  }
  const [target, other] = [cast(p, 'f32'), cast(logQ, 'f32')];
  const probability = logTarget ? exp(target) : target;
  const isThere = greater(probability, 0);
  // Where p is 0, neither its logarithm nor that of q must be met: both may be infinite.
  const ofTarget = logTarget ? where(isThere, target, 0) : log(where(isThere, target, 1));
  const losses = mul(probability, sub(ofTarget, where(isThere, other, 0)));
  if (reduction === 'batchMean') return mul(sum(losses), 1 / (p.shape[0] as number));
  return reduceLosses(op, losses, reduction);
}

/** Losses as they are, added up, or averaged; the mean of none is 0. */
export function reduceLosses(op: string, losses: Tensor, reduction: Reduction | 'none'): Tensor {
  checkChoice(op, 'reduction', reduction, ['mean', 'sum', 'none']);
  if (reduction === 'none') return losses;
  if (losses.size === 0) return fill(losses.device, [], 0);
  return reduction === 'mean' ? mean(losses) : sum(losses);
}

/** What broadcasts with losses must not make more of them. */
export function checkStretched(op: string, losses: Tensor, shape: Shape, shapes: Record<string, Shape>): void {
  if (sameShape(losses.shape, shape)) return;
  throw new ShapeError(op, 'weights must broadcast to the shape of the losses', { ...shapes, weighted: losses.shape });
}

const binary: Binary = {
  name: 'binary-cross-entropy',
  forward: 'a * (select(1.0, 0.0, a < 0.0) - b) + select(log1pOf(exp(-min(abs(a), 104.0))), a, isNan(a))',
  da: /*#__PURE__*/ byKernel(
    {
      name: 'binary-cross-entropy-backward-a',
      expression: 'dy * (select(sigmoid(a), a, isNan(a)) - b)',
      use: [sigmoidPiece, notNumbers],
    },
    {
      a: (a) => {
        const s = sigmoid(a as Tensor);
        return mul(s, sub(1, s));
      },
      b: () => -1,
    },
  ),
  db: /*#__PURE__*/ byKernel({ name: 'binary-cross-entropy-backward-b', expression: '-dy * a' }, { a: () => -1 }),
  use: [log1pPiece, sigmoidPiece, notNumbers],
};
