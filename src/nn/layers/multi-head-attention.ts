import { ArgumentError } from '../../gpu/index.ts';
import { crossAttention, qkvAttention } from '../../kernels/attention/index.ts';
import { slice } from '../../kernels/layout/index.ts';
import { linear } from '../../kernels/matmul/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import { type Initializer, uniform, xavierUniform, zeros } from './init.ts';
import { Linear } from './linear.ts';
import type { Weights } from './weights.ts';

export interface MultiHeadAttentionOptions {
  /** Whether projections have biases. Default: true. */
  readonly bias?: boolean;
  /** Of the projection to queries, keys and values. Default: Xavier. */
  readonly init?: Initializer;
}

/**
 * Attention of `heads` heads, `softmax(q·kᵀ / √(dim / heads)) · v` in each, with the parameters of PyTorch's `MultiheadAttention`
 * (`in_proj_weight`, `in_proj_bias`, `out_proj.weight`, `out_proj.bias`) and its first values, batch first.
 *
 * ```ts
 * const attend = new MultiHeadAttention(weights.in('attn'), 512, 8);
 * const y = attend.forward(x, { causal: true }); //    [B, N, 512] → [B, N, 512]
 * const z = attend.forward(x, { context }); //         of x to context [B, M, 512]
 * ```
 *
 * @throws ShapeError when `dim` is no multiple of `heads`.
 */
export class MultiHeadAttention {
  readonly in_proj_weight: Tensor;
  readonly in_proj_bias: Tensor | undefined;
  readonly out_proj: Linear;
  readonly heads: number;

  constructor(
    weights: Weights,
    dim: number,
    heads: number,
    { bias = true, init = xavierUniform }: MultiHeadAttentionOptions = {},
  ) {
    if (!(Number.isInteger(heads) && heads > 0 && dim % heads === 0)) {
      throw new ShapeError('MultiHeadAttention', `${dim} channels do not divide into ${heads} heads`);
    }
    this.in_proj_weight = weights.parameter('in_proj_weight', [3 * dim, dim], init);
    this.in_proj_bias = bias ? weights.parameter('in_proj_bias', [3 * dim], zeros) : undefined;
    this.out_proj = new Linear(weights.in('out_proj'), dim, dim, uniform(1 / Math.sqrt(dim)), bias);
    this.heads = heads;
  }

  /**
   * Of `x` `[B, N, dim]` to itself, or to `context` `[B, M, dim]`. With `causal`, row i of x sees rows 0..i of x.
   *
   * @throws ArgumentError for a causal attention to a context.
   */
  forward(x: Tensor, { context, causal = false }: { context?: Tensor; causal?: boolean } = {}): Tensor {
    if (!context) return this.out_proj.forward(qkvAttention(this.#project(x, 0, 3), this.heads, { causal }));
    if (causal) throw new ArgumentError('MultiHeadAttention: only the attention of rows to themselves can be causal');
    const [q, k, v] = [this.#project(x, 0, 1), this.#project(context, 1, 2), this.#project(context, 2, 3)];
    return this.out_proj.forward(crossAttention(q, k, v, this.heads));
  }

  /** By thirds of the weight: queries, keys, values. */
  #project(x: Tensor, from: number, to: number): Tensor {
    const dim = this.in_proj_weight.shape[1] as number;
    const part = (t: Tensor) => (to - from === 3 ? t : slice(t, 0, from * dim, to * dim));
    return linear(x, part(this.in_proj_weight), this.in_proj_bias ? { bias: part(this.in_proj_bias) } : {});
  }
}
