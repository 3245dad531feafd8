import type { Device } from '../../gpu/index.ts';
import { rmsProp, rmsPropMomentum } from '../../kernels/optimizer/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { Optimizer, type OptimizerBuffer, type OptimizerOptions, ruleNumbers } from './optimizer.ts';

/** The defaults are PyTorch's. */
export interface RMSPropOptions extends OptimizerOptions {
  /** Default: 0.99. */
  readonly alpha?: number;
  /** Default: 1e-8. */
  readonly eps?: number;
  /** Default: 0. */
  readonly momentum?: number;
  /** Whether to divide by the deviation of gradients, not by the root of their mean square. Default: false. */
  readonly centered?: boolean;
  /** Added to the gradient, times the parameter. Default: 0. Parameters with one axis do not decay, unless `decays` says otherwise. */
  readonly weightDecay?: number;
}

/**
 * RMSProp (Hinton, 2012) as in PyTorch, used as {@link AdamW} is. With `g` the clipped gradient:
 *
 * ```text
 * g ← g + weightDecay · p                      where the parameter decays
 * v ← α v + (1 − α) g²
 * a ← α a + (1 − α) g                          where centered; else a is 0
 * m ← momentum · m + g / (√(v − a²) + eps)
 * p ← p − lr · m
 * ```
 *
 * PyTorch's default learning rate is 1e-2. Its state is `v`; with momentum or centered `v`, `a` and `m`.
 */
export class RMSProp extends Optimizer<'v' | 'a' | 'm'> {
  readonly #constants: Parameters<typeof rmsPropMomentum>[3];

  /** Moves the parameters into flat buffers: make steps that use them after this. @throws StepError when there are none. */
  constructor(device: Device, named: Iterable<readonly [string, Tensor]>, options: RMSPropOptions = {}) {
    const defaults = { alpha: 0.99, eps: 1e-8, momentum: 0, weightDecay: 0 };
    const numbers = ruleNumbers('RMSProp', options, defaults, ['alpha'], ['centered']);
    const { alpha, eps, momentum, weightDecay } = numbers;
    const { centered = false } = options;
    const state = momentum > 0 || centered ? (['v', 'a', 'm'] as const) : (['v'] as const);
    const settings = { ...options, ...numbers, centered };
    super('RMSProp', state, device, named, settings);
    this.#constants = { alpha, rest: 1 - alpha, eps, momentum, centered: centered ? 1 : 0, weightDecay };
  }

  protected numbers(_: number, lr: number, scale: number): Float32Array {
    return new Float32Array([lr, 0, 0, scale]);
  }

  protected updateBuffer(
    buffer: OptimizerBuffer<'v' | 'a' | 'm'>,
    hyper: Tensor,
    factor: Tensor,
    clear: boolean,
  ): void {
    const { momentum, centered } = this.#constants;
    const rule = momentum > 0 || centered > 0 ? rmsPropMomentum : rmsProp;
    rule(buffer, hyper, factor, this.#constants, clear);
  }
}
