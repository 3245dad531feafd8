import type { Device } from '../../gpu/index.ts';
import { type AdamWConstants, adam, adamWHyperparameters } from '../../kernels/optimizer/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { Optimizer, type OptimizerBuffer, type OptimizerOptions, ruleNumbers } from './optimizer.ts';

/** The defaults are PyTorch's. */
export interface AdamOptions extends OptimizerOptions {
  /** Default: 0.9. */
  readonly beta1?: number;
  /** Default: 0.999. */
  readonly beta2?: number;
  /** Default: 1e-8. */
  readonly eps?: number;
  /** Added to the gradient, times the parameter. Default: 0. Parameters with one axis do not decay, unless `decays` says otherwise. */
  readonly weightDecay?: number;
}

/**
 * Adam (Kingma & Ba, 2014), used as {@link AdamW} is. With `g` the clipped gradient:
 *
 * ```text
 * g ← g + weightDecay · p                      where the parameter decays
 * m ← β1 m + (1 − β1) g
 * v ← β2 v + (1 − β2) g²
 * p ← p − lr / (1 − β1^t) · m / (√v / √(1 − β2^t) + eps)
 * ```
 *
 * PyTorch's default learning rate is 1e-3.
 */
export class Adam extends Optimizer<'m' | 'v'> {
  readonly #constants: AdamWConstants;

  /** Moves the parameters into flat buffers: make steps that use them after this. @throws StepError when there are none. */
  constructor(device: Device, named: Iterable<readonly [string, Tensor]>, options: AdamOptions = {}) {
    const defaults = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0 };
    const constants = ruleNumbers('Adam', options, defaults, ['beta1', 'beta2']);
    super('Adam', ['m', 'v'], device, named, { ...options, ...constants });
    this.#constants = constants;
  }

  protected numbers(t: number, lr: number, scale: number): Float32Array {
    return adamWHyperparameters(t, lr, this.#constants.beta1, this.#constants.beta2, scale);
  }

  protected updateBuffer(buffer: OptimizerBuffer<'m' | 'v'>, hyper: Tensor, factor: Tensor, clear: boolean): void {
    const { beta1, beta2 } = this.#constants;
    adam(buffer, hyper, factor, { ...this.#constants, rest1: 1 - beta1, rest2: 1 - beta2 }, clear);
  }
}
