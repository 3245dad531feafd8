import { ArgumentError } from '../../gpu/index.ts';
import { checkOptions } from '../../kernels/axis/index.ts';
import { addScalar, cast, div, floatType, sqrt, sub } from '../../kernels/elementwise/index.ts';
import { batchNorm } from '../../kernels/row-ops/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import { composed } from './composed.ts';
import { ones, zeros } from './init.ts';
import { type Module, parametersOf, statistics } from './module.ts';
import { affine, checkChannels, checkEps, meeting } from './norms.ts';
import { checkLayer, type Weights } from './weights.ts';

export interface BatchNormOptions {
  /** Default: 1e-5. */
  readonly eps?: number;
  /** How much of the running statistics a step replaces. Default: 0.1. */
  readonly momentum?: number;
}

/**
 * Batch normalisation (Ioffe & Szegedy, 2015), channels last: `y = (x − mean) / √(variance + eps) · weight + bias` for each channel of
 * `x [..., channels]`, which may be `[B, channels]` or `[B, H, W, channels]`. Computed in f32; a channel whose squares overflow gives NaN
 * in training.
 *
 * - In training, mean and (biased) variance are those of the batch, and each call of the step moves the running ones towards them:
 *   `running ← (1 − momentum) · running + momentum · that of the batch`, with the unbiased variance.
 * - In evaluation they are the running ones, which start at 0 and 1.
 *
 * ```ts
 * const norm = new BatchNorm(weights.in('norm'), 64);
 * const optimizer = new SGD(device, trainable(norm)); // not the running statistics
 * ```
 *
 * `running_mean` and `running_var` are among `parameters(module)`, so that they are saved and loaded with it, under PyTorch's names;
 * {@link trainable} leaves them out, and optimizers refuse them. Inside of `recompute` they move once, too.
 */
export class BatchNorm {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly running_mean: Tensor;
  readonly running_var: Tensor;
  readonly eps: number;
  readonly momentum: number;

  constructor(weights: Weights, channels: number, options: BatchNormOptions = {}) {
    checkLayer('BatchNorm', weights, { channels }, arguments[3]);
    checkOptions('BatchNorm', options, ['eps', 'momentum']);
    const { eps = 1e-5, momentum = 0.1 } = options;
    checkEps('BatchNorm', eps);
    if (!(momentum >= 0 && momentum <= 1)) {
      throw new ArgumentError(`BatchNorm: momentum must be from 0 to 1; it is ${momentum}`);
    }
    this.weight = weights.parameter('weight', [channels], ones);
    this.bias = weights.parameter('bias', [channels], zeros);
    this.running_mean = weights.parameter('running_mean', [channels], zeros);
    this.running_var = weights.parameter('running_var', [channels], ones);
    for (const t of [this.running_mean, this.running_var]) statistics.add(t);
    this.eps = eps;
    this.momentum = momentum;
  }

  /** In evaluation. */
  forward(x: Tensor): Tensor {
    return composed('BatchNorm', { x }, () => {
      checkChannels('BatchNorm', x, this.weight);
      const deviation = sqrt(addScalar(this.running_var, this.eps));
      return affine(div(sub(cast(x, 'f32'), this.running_mean), deviation), this.weight, this.bias, floatType(x));
    });
  }

  /** In the step of a training. @throws ShapeError when a channel has fewer than two values. */
  forwardInTraining(x: Tensor): Tensor {
    return composed('BatchNorm', { x }, () => {
      checkChannels('BatchNorm', x, this.weight);
      if (!(x.size / this.weight.size >= 2)) {
        throw new ShapeError('BatchNorm', 'training wants two values of a channel or more', { x: x.shape });
      }
      const { xs, type } = meeting(x, this.weight, this.bias);
      const running = { mean: this.running_mean, variance: this.running_var };
      return cast(batchNorm(...xs, running, this), type);
    });
  }
}

/** The parameters of a module, as {@link parameters} gives them, but for running statistics: those for an optimizer. */
export function trainable(module: Module): Map<string, Tensor> {
  return new Map([...parametersOf('trainable', module)].filter(([, t]) => !statistics.has(t)));
}
