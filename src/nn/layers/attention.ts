import { crossAttention, qkvAttention } from '../../kernels/attention/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { composed } from './composed.ts';
import { checkInit, type Initializer } from './init.ts';
import { Linear } from './linear.ts';
import { checkLayer, type Weights } from './weights.ts';

/** Multi-head self-attention with one projection for queries, keys and values: `[B, N, dim]` → `[B, N, dim]`. */
export class Attention {
  readonly qkv: Linear;
  readonly proj: Linear;
  readonly heads: number;

  constructor(weights: Weights, dim: number, heads: number, init: Initializer) {
    checkLayer('Attention', weights, { dim, heads }, arguments[4]);
    checkInit('Attention', init);
    this.qkv = new Linear(weights.in('qkv'), dim, 3 * dim, init);
    this.proj = new Linear(weights.in('proj'), dim, dim, init);
    this.heads = heads;
  }

  /** `proj(attention(x)) + residual`. With `causal`, row i sees rows 0..i. */
  forward(x: Tensor, residual: Tensor, causal = false): Tensor {
    return composed('Attention', { x }, () =>
      this.proj.forward(qkvAttention(this.qkv.forward(x), this.heads, { causal }), { residual }),
    );
  }
}

/** Multi-head attention of `x` `[B, N, dim]` to `context` `[B, M, dim]`, with separate projections. */
export class CrossAttention {
  readonly q_proj: Linear;
  readonly k_proj: Linear;
  readonly v_proj: Linear;
  readonly proj: Linear;
  readonly heads: number;

  constructor(weights: Weights, dim: number, heads: number, init: Initializer) {
    checkLayer('CrossAttention', weights, { dim, heads }, arguments[4]);
    checkInit('CrossAttention', init);
    this.q_proj = new Linear(weights.in('q_proj'), dim, dim, init);
    this.k_proj = new Linear(weights.in('k_proj'), dim, dim, init);
    this.v_proj = new Linear(weights.in('v_proj'), dim, dim, init);
    this.proj = new Linear(weights.in('proj'), dim, dim, init);
    this.heads = heads;
  }

  /** `proj(attention(x, context)) + residual`. */
  forward(x: Tensor, context: Tensor, residual: Tensor): Tensor {
    return composed('CrossAttention', { x, context }, () => {
      const q = this.q_proj.forward(x);
      const k = this.k_proj.forward(context);
      const v = this.v_proj.forward(context);
      return this.proj.forward(crossAttention(q, k, v, this.heads), { residual });
    });
  }
}
