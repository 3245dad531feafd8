import type { Device } from '../../gpu/index.ts';
import { type AdamWConstants, adamW, adamWHyperparameters } from '../../kernels/optimizer/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { Optimizer, type OptimizerBuffer, type OptimizerOptions, ruleNumbers } from './optimizer.ts';

export interface AdamWOptions extends OptimizerOptions {
  /** Default: 0.9. */
  readonly beta1?: number;
  /** Default: 0.95. */
  readonly beta2?: number;
  /** Default: 1e-8. */
  readonly eps?: number;
  /** Default: 0.05. Parameters with one axis (biases, norms) do not decay, unless `decays` says otherwise. */
  readonly weightDecay?: number;
}

/**
 * AdamW (Loshchilov & Hutter, 2017) over all parameters of a model; the defaults are MAE's, PyTorch's are `beta2: 0.999` and
 * `weightDecay: 0.01`. With `g` the clipped gradient:
 *
 * ```text
 * p ← p (1 − lr · weightDecay)                 where the parameter decays
 * m ← β1 m + (1 − β1) g
 * v ← β2 v + (1 − β2) g²
 * p ← p − lr / (1 − β1^t) · m / (√v / √(1 − β2^t) + eps)
 * ```
 *
 * ```ts
 * const optimizer = new AdamW(device, parameters(model), { maxNorm: 5 });
 * const train = await step(device, { x: [32, 8], hyper: [optimizer.hyperparameterCount] }, ({ x, hyper }) => {
 *   const loss = model.loss(x);
 *   const { norm } = optimizer.update(gradients(loss, optimizer.parameters), hyper);
 *   return { loss, norm };
 * });
 * for (let t = 1; t <= 1000; t++) train({ x: batch(t), hyper: optimizer.hyperparameters(t, 1e-3) });
 * ```
 *
 * Its state is Adam's `m` and `v`.
 */
export class AdamW extends Optimizer<'m' | 'v'> {
  declare readonly settings: AdamWOptions & AdamWConstants;

  /**
   * Moves the parameters into flat buffers: make steps that use them after this.
   *
   * @throws StepError when there are none.
   */
  constructor(device: Device, named: Iterable<readonly [string, Tensor]>, options: AdamWOptions = {}) {
    const defaults = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.05 };
    const constants = ruleNumbers('AdamW', options, defaults, ['beta1', 'beta2']);
    super('AdamW', ['m', 'v'], device, named, { ...options, ...constants });
  }

  protected numbers(t: number, lr: number, scale: number): Float32Array {
    return adamWHyperparameters(t, lr, this.settings.beta1, this.settings.beta2, scale);
  }

  protected updateBuffer(buffer: OptimizerBuffer<'m' | 'v'>, hyper: Tensor, factor: Tensor, clear: boolean): void {
    adamW(buffer, hyper, factor, this.settings, clear);
  }
}
