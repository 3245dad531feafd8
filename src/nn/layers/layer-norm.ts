import { layerNorm } from '../../kernels/row-ops/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { ones, zeros } from './init.ts';
import { checkEps } from './norms.ts';
import { checkLayer, type Weights } from './weights.ts';

/** Layer normalisation over the last axis (biased variance), `[..., dim]`. */
export class LayerNorm {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly eps: number;

  constructor(weights: Weights, dim: number, eps = 1e-5) {
    checkLayer('LayerNorm', weights, { dim }, arguments[3]);
    checkEps('LayerNorm', eps);
    this.weight = weights.parameter('weight', [dim], ones);
    this.bias = weights.parameter('bias', [dim], zeros);
    this.eps = eps;
  }

  forward(x: Tensor): Tensor {
    return layerNorm(x, this.weight, this.bias, this.eps);
  }
}
