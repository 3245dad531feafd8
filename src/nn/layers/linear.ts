import { checkOptions } from '../../kernels/axis/index.ts';
import type { Activation } from '../../kernels/elementwise/index.ts';
import { linear } from '../../kernels/matmul/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { type Initializer, withInit, xavierUniform, zeros } from './init.ts';
import { checkLayer, type Weights } from './weights.ts';

export interface LinearOptions {
  /** Whether there is one. Default: true. */
  readonly bias?: boolean;
  /** First values of the weight. Default: {@link xavierUniform}. */
  readonly init?: Initializer;
}

/**
 * `y = x·Wᵀ + b` over the last axis: `[..., inputs]` → `[..., outputs]`; `W` is `[outputs, inputs]`.
 *
 * ```ts
 * const head = new Linear(weights.in('head'), 64, 10, { bias: false });
 * ```
 *
 * An initializer may stand in the place of the options.
 */
export class Linear {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;

  constructor(weights: Weights, inputs: number, outputs: number, options: LinearOptions | Initializer = {}) {
    checkLayer('Linear', weights, { inputs, outputs }, arguments[4]);
    const { bias = true, init = xavierUniform } = withInit<LinearOptions>('Linear', options, ['bias']);
    this.weight = weights.parameter('weight', [outputs, inputs], init);
    this.bias = bias ? weights.parameter('bias', [outputs], zeros) : undefined;
  }

  /** `activation(x·Wᵀ + b) + residual`, in one launch. */
  forward(
    x: Tensor,
    epilogue: { readonly activation?: Activation | undefined; readonly residual?: Tensor | undefined } = {},
  ): Tensor {
    checkOptions('Linear', epilogue, ['bias', 'activation', 'residual']);
    return linear(x, this.weight, { bias: this.bias, ...epilogue });
  }
}
