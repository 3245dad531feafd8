// Losses of differences and of angles. Each is computed in f32, and is a scalar unless it is not reduced.
import { notNumbers } from '../../gpu/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { ShapeError, sameShape } from '../../tensor/values/index.ts';
import { checkNumber, checkOptions, checkTensors, sum } from '../axis/index.ts';
import { greater, lessEqual } from '../comparison/index.ts';
import {
  abs,
  add,
  applyUnary,
  cast,
  div,
  makeUnary,
  maximum,
  minimum,
  mul,
  relu,
  sub,
  where,
} from '../elementwise/index.ts';
import { norm } from '../statistics/index.ts';
import type { Reduction } from './losses.ts';
import { reduceLosses } from './probability-losses.ts';

export interface HuberOptions {
  /** Where the parabola becomes a line. Default: 1. */
  readonly delta?: number;
  /** Default: `'mean'`. */
  readonly reduction?: Reduction | 'none';
}

/**
 * Huber loss of tensors of one shape: the mean of `d² / 2` where `d = a - b` is at most `delta`, and of `delta (|d| - delta / 2)` beyond. The
 * gradient is `d`, held between ±`delta`, over the number of elements. PyTorch's `smooth_l1_loss` with `beta` is this with `delta = beta`,
 * over `beta`.
 *
 * ```ts
 * await read(huber(tensor(device, [0, 3]), tensor(device, [0.5, 0]), { reduction: 'sum' })); // [2.625]
 * ```
 *
 * @throws ShapeError when the shapes differ, or `delta` is not above 0.
 */
export function huber(a: Tensor, b: Tensor, options: HuberOptions = {}): Tensor {
  checkTensors('huber', { a, b });
  checkOptions('huber', options, ['delta', 'reduction']);
  const { delta = 1, reduction = 'mean' } = options;
  checkNumber('huber', 'delta', delta);
  if (!(delta > 0)) throw new ShapeError('huber', `delta must be above 0; it is ${delta}`);
  if (!sameShape(a.shape, b.shape)) {
    throw new ShapeError('huber', 'both tensors must have the same shape', { a: a.shape, b: b.shape });
  }
  const losses = applyUnary(huberKernels, sub(cast(a, 'f32'), cast(b, 'f32')), delta);
  return reduceLosses('huber', losses, reduction);
}

const huberKernels = /*#__PURE__*/ makeUnary('huber', {
  forward: 'select(params.p * (abs(x) - 0.5 * params.p), 0.5 * x * x, abs(x) <= params.p)',
  gradient: 'dy * select(clamp(x, -params.p, params.p), x, isNan(x))',
  second: (x, _, delta) => where(lessEqual(abs(x), delta), 1, 0),
  use: [notNumbers],
});

export interface TripletOptions {
  /** By how much the negative is to be further away. Default: 1. */
  readonly margin?: number;
  /** The order of the {@link norm}. Default: 2. */
  readonly order?: number;
  /** Added to each difference. Default: 1e-6. */
  readonly eps?: number;
  /** Takes the distance of positive and negative where that is the smaller one. Default: false. */
  readonly swap?: boolean;
  /** Default: `'mean'`. */
  readonly reduction?: Reduction | 'none';
}

/**
 * Triplet loss of vectors `[…, D]`: `max(0, d(anchor, positive) - d(anchor, negative) + margin)` with `d(a, b) = ‖a - b + eps‖` over the last
 * axis; the mean of all. PyTorch's `triplet_margin_loss`. The gradient is that of the formula; with `swap`, of equal distances to the
 * negative, it goes to the anchor's.
 *
 * ```ts
 * const [anchor, near, far] = [tensor(device, [[0, 0]]), tensor(device, [[1, 0]]), tensor(device, [[0, 1.5]])];
 * await read(tripletMarginLoss(anchor, near, far)); // [0.5]
 * ```
 *
 * @throws ShapeError when the shapes differ, or have no axis.
 */
export function tripletMarginLoss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  options: TripletOptions = {},
): Tensor {
  const op = 'tripletMarginLoss';
  checkTensors(op, { anchor, positive, negative });
  checkOptions(op, options, ['margin', 'order', 'eps', 'swap', 'reduction']);
  const { margin = 1, order = 2, eps = 1e-6, swap = false, reduction = 'mean' } = options;
  checkNumber(op, 'margin', margin);
  checkNumber(op, 'order', order);
  checkNumber(op, 'eps', eps);
  const { shape } = anchor;
  if (shape.length === 0 || !sameShape(shape, positive.shape) || !sameShape(shape, negative.shape)) {
    throw new ShapeError(op, 'all three must have one shape, with vectors on the last axis', {
      anchor: shape,
      positive: positive.shape,
      negative: negative.shape,
    });
  }
  const [a, p, n] = [cast(anchor, 'f32'), cast(positive, 'f32'), cast(negative, 'f32')];
  const distance = (x: Tensor, y: Tensor) => norm(add(sub(x, y), eps), { axes: -1, order });
  const away = swap ? minimum(distance(a, n), distance(p, n)) : distance(a, n);
  return reduceLosses(op, relu(add(sub(distance(a, p), away), margin)), reduction);
}

export interface CosineOptions {
  /** The axis of the vectors. Default: the last. */
  readonly axis?: number;
  /** The least norm that is divided by. Default: 1e-8. */
  readonly eps?: number;
}

/**
 * Cosine of the angle between vectors: `sum(a b) / (max(|a|, eps) · max(|b|, eps))` along an axis, which falls away; the others broadcast.
 * The gradient is that of the formula, 0 through the norm of a vector of zeros.
 *
 * ```ts
 * const x = tensor(device, [1, 0, 3, 4], [2, 2]);
 * await read(cosineSimilarity(x, tensor(device, [[0, 2]]))); // [0, 0.8]
 * ```
 *
 * @throws ShapeError when the shapes do not fit, or the axis does not exist.
 */
export function cosineSimilarity(a: Tensor, b: Tensor, options: CosineOptions = {}): Tensor {
  checkOptions('cosineSimilarity', options, ['axis', 'eps']);
  return cast(cosineOf('cosineSimilarity', a, b, options), a.dtype);
}

function cosineOf(op: string, a: Tensor, b: Tensor, { axis = -1, eps = 1e-8 }: CosineOptions): Tensor {
  checkTensors(op, { a, b });
  checkNumber(op, 'eps', eps);
  if (a.shape.length !== b.shape.length || a.shape.at(axis) !== b.shape.at(axis)) {
    throw new ShapeError(op, 'both must have as many axes, and vectors of one length', { a: a.shape, b: b.shape });
  }
  const [x, y] = [cast(a, 'f32'), cast(b, 'f32')];
  const length = (t: Tensor) => maximum(norm(t, { axes: axis }), eps);
  return div(sum(mul(x, y), { axes: axis }), mul(length(x), length(y)));
}

export interface CosineEmbeddingOptions extends CosineOptions {
  /** What the cosine of pairs that do not belong together may be without loss. Default: 0. */
  readonly margin?: number;
  /** Default: `'mean'`. */
  readonly reduction?: Reduction | 'none';
}

/**
 * Loss of pairs of vectors: `1 - cos` where a label is above 0 (they belong together), else `max(0, cos - margin)`, of
 * {@link cosineSimilarity}; the mean of all. PyTorch's `cosine_embedding_loss` with its labels 1 and -1. `a` and `b` `[…, D]`, `labels` `[…]`.
 *
 * ```ts
 * const [a, b] = [tensor(device, [[1, 0], [1, 0]]), tensor(device, [[0, 1], [2, 0]])];
 * await read(cosineEmbeddingLoss(a, b, tensor(device, [1, -1]))); // [1]
 * ```
 *
 * @throws ShapeError when the shapes do not fit.
 */
export function cosineEmbeddingLoss(
  a: Tensor,
  b: Tensor,
  labels: Tensor,
  options: CosineEmbeddingOptions = {},
): Tensor {
  const op = 'cosineEmbeddingLoss';
  checkOptions(op, options, ['axis', 'eps', 'margin', 'reduction']);
  const { margin = 0, reduction = 'mean', ...cosine } = options;
  checkNumber(op, 'margin', margin);
  checkTensors(op, { labels });
  const similarity = cosineOf(op, a, b, cosine);
  if (!sameShape(similarity.shape, labels.shape)) {
    throw new ShapeError(op, 'there must be a label for each pair', { pairs: similarity.shape, labels: labels.shape });
  }
  const losses = where(greater(labels, 0), sub(1, similarity), relu(sub(similarity, margin)));
  return reduceLosses(op, losses, reduction);
}
