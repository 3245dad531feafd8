import type { Device } from '../../gpu/index.ts';
import { lion } from '../../kernels/optimizer/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { Optimizer, type OptimizerBuffer, type OptimizerOptions, ruleNumbers } from './optimizer.ts';

/** The defaults are the paper's. */
export interface LionOptions extends OptimizerOptions {
  /** Default: 0.9. */
  readonly beta1?: number;
  /** Default: 0.99. */
  readonly beta2?: number;
  /** Default: 0. Parameters with one axis do not decay, unless `decays` says otherwise. */
  readonly weightDecay?: number;
}

/**
 * Lion (Chen et al., 2023, "Symbolic discovery of optimization algorithms"), used as {@link AdamW} is. Every weight moves by the
 * learning rate, so that is to be 3 to 10 times smaller than AdamW's, and the weight decay as many times larger. With `g` the
 * clipped gradient:
 *
 * ```text
 * p ← p (1 − lr · weightDecay)                 where the parameter decays
 * p ← p − lr · sign(β1 m + (1 − β1) g)
 * m ← β2 m + (1 − β2) g
 * ```
 */
export class Lion extends Optimizer<'m'> {
  readonly #constants: Parameters<typeof lion>[3];

  /** Moves the parameters into flat buffers: make steps that use them after this. @throws StepError when there are none. */
  constructor(device: Device, named: Iterable<readonly [string, Tensor]>, options: LionOptions = {}) {
    const defaults = { beta1: 0.9, beta2: 0.99, weightDecay: 0 };
    const numbers = ruleNumbers('Lion', options, defaults, ['beta1', 'beta2']);
    super('Lion', ['m'], device, named, { ...options, ...numbers });
    const { beta1, beta2, weightDecay } = numbers;
    this.#constants = { beta1, rest1: 1 - beta1, beta2, rest2: 1 - beta2, weightDecay };
  }

  protected numbers(_: number, lr: number, scale: number): Float32Array {
    return new Float32Array([lr, 0, 0, scale]);
  }

  protected updateBuffer(buffer: OptimizerBuffer<'m'>, hyper: Tensor, factor: Tensor, clear: boolean): void {
    lion(buffer, hyper, factor, this.#constants, clear);
  }
}
