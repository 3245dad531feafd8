import { checkChoice } from '../../kernels/axis/index.ts';
import { type Activation, activations } from '../../kernels/elementwise/index.ts';
import { permute } from '../../kernels/layout/index.ts';
import { matmul, mlp } from '../../kernels/matmul/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { composed } from './composed.ts';
import { checkInit, type Initializer } from './init.ts';
import { Linear } from './linear.ts';
import { checkLayer, type Weights } from './weights.ts';

/** `fc2(activation(fc1(x)))` over the last axis: `[..., inputs]` → `[..., outputs]`. */
export class Mlp {
  readonly fc1: Linear;
  readonly fc2: Linear;
  readonly activation: Activation;

  constructor(
    weights: Weights,
    inputs: number,
    hidden: number,
    outputs: number,
    init: Initializer,
    activation: Activation = 'gelu',
  ) {
    checkLayer('Mlp', weights, { inputs, hidden, outputs }, arguments[6]);
    checkInit('Mlp', init);
    checkChoice('Mlp', 'activation', activation, activations);
    this.fc1 = new Linear(weights.in('fc1'), inputs, hidden, init);
    this.fc2 = new Linear(weights.in('fc2'), hidden, outputs, init);
    this.activation = activation;
  }

  forward(x: Tensor, residual?: Tensor): Tensor {
    const { fc1, fc2, activation } = this;
    const weights = { weight1: fc1.weight, bias1: fc1.bias, weight2: fc2.weight, bias2: fc2.bias };
    return mlp(x, weights, { activation, residual });
  }
}

/** An MLP across tokens (Mixer): `[B, inputs, D]` → `[B, outputs, D]`, the same for every channel. */
export class TokenMlp {
  readonly fc1: Linear;
  readonly fc2: Linear;

  constructor(weights: Weights, inputs: number, hidden: number, outputs: number, init: Initializer) {
    checkLayer('TokenMlp', weights, { inputs, hidden, outputs }, arguments[5]);
    checkInit('TokenMlp', init);
    this.fc1 = new Linear(weights.in('fc1'), inputs, hidden, init);
    this.fc2 = new Linear(weights.in('fc2'), hidden, outputs, init);
  }

  forward(x: Tensor): Tensor {
    const bias = this.fc1.bias as Tensor;
    return composed('TokenMlp', { x }, () => {
      // [B, inputs, D]ᵀ · [hidden, inputs]ᵀ: the transposes are flags, nothing is moved.
      const h = matmul(x, this.fc1.weight, { transposeA: true, transposeB: true, bias, activation: 'gelu' });
      return permute(this.fc2.forward(h), [0, 2, 1]);
    });
  }
}
