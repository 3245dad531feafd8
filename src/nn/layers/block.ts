import { checkOptions } from '../../kernels/axis/index.ts';
import type { Activation } from '../../kernels/elementwise/index.ts';
import { recompute, type Tensor } from '../../tensor/graph/index.ts';
import { Attention } from './attention.ts';
import { composed } from './composed.ts';
import { checkInit, type Initializer } from './init.ts';
import { LayerNorm } from './layer-norm.ts';
import { Mlp } from './mlp.ts';
import { checkLayer, type Weights } from './weights.ts';

export interface BlockOptions {
  readonly dim: number;
  readonly heads: number;
  /** Width of the MLP's hidden layer. */
  readonly hidden: number;
  readonly eps: number;
  readonly init: Initializer;
  readonly activation?: Activation;
}

/** A pre-norm transformer block: `x += attn(norm1(x))`, `x += mlp(norm2(x))`; `[B, N, dim]` → `[B, N, dim]`. */
export class Block {
  readonly norm1: LayerNorm;
  readonly attn: Attention;
  readonly norm2: LayerNorm;
  readonly mlp: Mlp;

  constructor(weights: Weights, options: BlockOptions = {} as BlockOptions) {
    const { dim, heads, hidden, eps, init, activation } = options ?? {};
    checkLayer('Block', weights, { dim, heads, hidden }, arguments[2]);
    checkOptions('Block', options, ['dim', 'heads', 'hidden', 'eps', 'init', 'activation']);
    checkInit('Block', init);
    this.norm1 = new LayerNorm(weights.in('norm1'), dim, eps);
    this.attn = new Attention(weights.in('attn'), dim, heads, init);
    this.norm2 = new LayerNorm(weights.in('norm2'), dim, eps);
    this.mlp = new Mlp(weights.in('mlp'), dim, hidden, dim, init, activation);
  }

  forward(x: Tensor, causal = false): Tensor {
    return composed('Block', { x }, () => {
      const attended = this.attn.forward(this.norm1.forward(x), x, causal);
      return this.mlp.forward(this.norm2.forward(attended), attended);
    });
  }
}

/** `block.forward(x)`; with `isRecomputed`, what it makes on the way is not kept, but computed again for the gradient. */
export function runBlock(block: Block, x: Tensor, isRecomputed: boolean): Tensor {
  return isRecomputed ? recompute((x) => block.forward(x), x) : block.forward(x);
}
