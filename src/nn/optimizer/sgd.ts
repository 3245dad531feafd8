import { ArgumentError, type Device } from '../../gpu/index.ts';
import { sgd, sgdMomentum } from '../../kernels/optimizer/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { Optimizer, type OptimizerBuffer, type OptimizerOptions, ruleNumbers } from './optimizer.ts';

/** The defaults are PyTorch's. */
export interface SGDOptions extends OptimizerOptions {
  /** Default: 0, which keeps no state. */
  readonly momentum?: number;
  /** What is left out of a gradient where it enters the momentum, but for the first. Default: 0. */
  readonly dampening?: number;
  /** Whether to take the gradient and the momentum to come instead of the momentum alone. Default: false. */
  readonly nesterov?: boolean;
  /** Added to the gradient, times the parameter. Default: 0. Parameters with one axis do not decay, unless `decays` says otherwise. */
  readonly weightDecay?: number;
}

/**
 * Stochastic gradient descent as in PyTorch, used as {@link AdamW} is. With `g` the clipped gradient:
 *
 * ```text
 * g ← g + weightDecay · p                      where the parameter decays
 * m ← momentum · m + (1 − dampening) g         in the first step: m ← g
 * p ← p − lr · m                               Nesterov: p ← p − lr (g + momentum · m)
 * ```
 *
 * ```ts
 * const optimizer = new SGD(device, parameters(model), { momentum: 0.9, nesterov: true, weightDecay: 1e-4 });
 * ```
 */
export class SGD extends Optimizer<'m'> {
  readonly #constants: { readonly momentum: number; readonly nesterov: number; readonly weightDecay: number };
  readonly #dampening: number;

  /** Moves the parameters into flat buffers: make steps that use them after this. @throws StepError when there are none. */
  constructor(device: Device, named: Iterable<readonly [string, Tensor]>, options: SGDOptions = {}) {
    const defaults = { momentum: 0, dampening: 0, weightDecay: 0 };
    const { momentum, dampening, weightDecay } = ruleNumbers('SGD', options, defaults, [], ['nesterov']);
    const { nesterov = false } = options;
    if (nesterov && (momentum === 0 || dampening !== 0)) {
      throw new ArgumentError(
        `SGD: nesterov wants momentum and no dampening; got momentum ${momentum}, dampening ${dampening}`,
      );
    }
    const settings = { ...options, momentum, dampening, nesterov, weightDecay };
    super('SGD', momentum > 0 ? ['m'] : [], device, named, settings);
    this.#constants = { momentum, nesterov: nesterov ? 1 : 0, weightDecay };
    this.#dampening = dampening;
  }

  protected numbers(t: number, lr: number, scale: number): Float32Array {
    return new Float32Array([lr, t === 1 ? 1 : 1 - this.#dampening, 0, scale]);
  }

  protected updateBuffer(buffer: OptimizerBuffer<'m'>, hyper: Tensor, factor: Tensor, clear: boolean): void {
    const rule = this.#constants.momentum > 0 ? sgdMomentum : sgd;
    rule(buffer, hyper, factor, this.#constants, clear);
  }
}
