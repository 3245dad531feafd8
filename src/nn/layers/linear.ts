import type { Activation } from '../../kernels/elementwise/index.ts';
import { linear } from '../../kernels/matmul/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { type Initializer, xavierUniform, zeros } from './init.ts';
import { checkLayer, type Weights } from './weights.ts';

/** `y = x·Wᵀ + b` over the last axis: `[..., inputs]` → `[..., outputs]`; `W` is `[outputs, inputs]`. */
export class Linear {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;

  constructor(weights: Weights, inputs: number, outputs: number, init: Initializer = xavierUniform, bias = true) {
    checkLayer('Linear', weights, { inputs, outputs });
    this.weight = weights.parameter('weight', [outputs, inputs], init);
    this.bias = bias ? weights.parameter('bias', [outputs], zeros) : undefined;
  }

  /** `activation(x·Wᵀ + b) + residual`, in one launch. */
  forward(x: Tensor, epilogue: { activation?: Activation | undefined; residual?: Tensor } = {}): Tensor {
    return linear(x, this.weight, {
      ...(this.bias ? { bias: this.bias } : {}),
      ...(epilogue.activation ? { activation: epilogue.activation } : {}),
      ...(epilogue.residual ? { residual: epilogue.residual } : {}),
    });
  }
}
