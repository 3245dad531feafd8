// Negative logarithms of likelihoods. Each is computed in f32, and is a scalar unless it is not reduced.
import type { Tensor } from '../../tensor/graph/index.ts';
import { holds, ShapeError, sameShape } from '../../tensor/values/index.ts';
import { checkChoice, checkFloats, checkNumber, checkOptions, checkTensors, sum } from '../axis/index.ts';
import { greater, notEqual } from '../comparison/index.ts';
import {
  add,
  cast,
  div,
  log,
  maximum,
  mul,
  neg,
  square,
  stopGradient,
  straightThrough,
  sub,
  where,
} from '../elementwise/index.ts';
import { indicesOf, squeeze, take, takeAlongAxis, unsqueeze } from '../layout/index.ts';
import type { Reduction } from './losses.ts';
import { reduceLosses } from './probability-losses.ts';

export interface NllOptions {
  /** `[C]`: what losses of each class are multiplied by; the mean is over the sum of those that count. No gradient flows to it. Default: 1. */
  readonly weights?: Tensor;
  /** A class whose losses are left out. */
  readonly ignoreIndex?: number;
  /** Default: `'mean'`. */
  readonly reduction?: Reduction | 'none';
}

/**
 * Negative log likelihood: the mean of `-logP[…, class]`, of `logP […, C]` and `classes` (u32 or i32) `[…]`. {@link crossEntropy} takes logits and does
 * both in one kernel. The gradient is `-1 / n` at the classes. Of nothing that counts the mean is 0.
 *
 * ```ts
 * const logP = logSoftmax(tensor(device, [[2, 0], [0, 0]]));
 * await read(nllLoss(logP, tensor(device, new Uint32Array([0, 1])))); // [0.41], as crossEntropy of the logits
 * ```
 *
 * @throws ShapeError when the shapes do not fit, or classes are neither u32 nor i32.
 */
export function nllLoss(logP: Tensor, classes: Tensor, options: NllOptions = {}): Tensor {
  checkOptions('nllLoss', options, ['weights', 'ignoreIndex', 'reduction']);
  const { weights, ignoreIndex, reduction = 'mean' } = options;
  checkChoice('nllLoss', 'reduction', reduction, ['mean', 'sum', 'none']);
  checkFloats('nllLoss', { logP });
  checkTensors('nllLoss', { classes, ...(weights && { weights }) });
  const shapes = { logP: logP.shape, classes: classes.shape, ...(weights && { weights: weights.shape }) };
  const count = logP.shape.at(-1);
  if (count === undefined || !sameShape(logP.shape.slice(0, -1), classes.shape)) {
    throw new ShapeError('nllLoss', 'logP must be […, C], and classes […]', shapes);
  }
  if (weights && !sameShape(weights.shape, [count])) {
    throw new ShapeError('nllLoss', `the weights must be [C], of ${count} classes`, shapes);
  }
  const { dtype } = classes;
  if (dtype !== 'u32' && dtype !== 'i32') {
    throw new ShapeError('nllLoss', `classes must be u32 or i32; these are ${dtype}`, shapes);
  }
  if (ignoreIndex !== undefined && !holds[dtype](ignoreIndex)) {
    throw new ShapeError('nllLoss', `${ignoreIndex} is no class: ignoreIndex must be a ${dtype}`, shapes);
  }
  const ids = indicesOf('nllLoss', classes, shapes);
  const picked = neg(squeeze(takeAlongAxis(cast(logP, 'f32'), unsqueeze(ids, -1)), -1));
  if (!weights && ignoreIndex === undefined) return reduceLosses('nllLoss', picked, reduction);
  const each = weights ? take(stopGradient(cast(weights, 'f32')), ids) : 1;
  const counts = ignoreIndex === undefined ? each : where(notEqual(classes, ignoreIndex), each, 0);
  const losses = where(notEqual(counts as Tensor, 0), mul(picked, counts), 0);
  if (reduction !== 'mean') return reduceLosses('nllLoss', losses, reduction);
  const total = sum(counts as Tensor);
  return div(sum(losses), where(greater(total, 0), total, 1));
}

export interface GaussianNllOptions {
  /** With the constant `log(2π) / 2`. Default: false. */
  readonly full?: boolean;
  /** The least variance. Default: 1e-6. */
  readonly eps?: number;
  /** Default: `'mean'`. */
  readonly reduction?: Reduction | 'none';
}

/**
 * Negative log likelihood of targets under normal distributions: the mean of `(log v + (target - mean)² / v) / 2` with `v = max(variance, eps)`, whose
 * gradient goes to the variance as if it were not held. PyTorch's `gaussian_nll_loss`. The variance broadcasts to the others.
 *
 * ```ts
 * await read(gaussianNll(tensor(device, [0, 1]), tensor(device, [0, 3]), tensor(device, [1, 4]))); // [0.597]
 * ```
 *
 * @throws ShapeError when the shapes do not fit.
 */
export function gaussianNll(mean: Tensor, target: Tensor, variance: Tensor, options: GaussianNllOptions = {}): Tensor {
  checkOptions('gaussianNll', options, ['full', 'eps', 'reduction']);
  const { full = false, eps = 1e-6, reduction = 'mean' } = options;
  checkTensors('gaussianNll', { mean, target, variance });
  checkNumber('gaussianNll', 'eps', eps);
  const rank = mean.shape.length - variance.shape.length;
  const isSpread = rank >= 0 && variance.shape.every((axis, i) => axis === 1 || axis === mean.shape[rank + i]);
  if (!sameShape(mean.shape, target.shape) || !isSpread) {
    throw new ShapeError('gaussianNll', 'mean and target must have one shape, to which the variance broadcasts', {
      mean: mean.shape,
      target: target.shape,
      variance: variance.shape,
    });
  }
  const given = cast(variance, 'f32');
  const v = straightThrough(maximum(given, eps), given);
  const losses = mul(add(log(v), div(square(sub(cast(mean, 'f32'), cast(target, 'f32'))), v)), 0.5);
  return reduceLosses('gaussianNll', full ? add(losses, 0.5 * Math.log(2 * Math.PI)) : losses, reduction);
}
