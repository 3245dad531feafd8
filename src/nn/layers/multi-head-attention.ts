import { ArgumentError } from '../../gpu/index.ts';
import {
  attention,
  crossAttention,
  fromHeads,
  qkvAttention,
  rotaryEmbedding,
  toHeads,
} from '../../kernels/attention/index.ts';
import { checkOptions, checkTensors } from '../../kernels/axis/index.ts';
import { reshape, slice, split } from '../../kernels/layout/index.ts';
import { linear } from '../../kernels/matmul/index.ts';
import { type Tensor, tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import { composed } from './composed.ts';
import { checkInit, type Initializer, uniform, xavierUniform, zeros } from './init.ts';
import { KeyValueCache } from './key-value-cache.ts';
import { Linear } from './linear.ts';
import { checkLayer, type Weights } from './weights.ts';

export interface MultiHeadAttentionOptions {
  /** Whether projections have biases. Default: true. */
  readonly bias?: boolean;
  /** Of the projection to queries, keys and values. Default: Xavier. */
  readonly init?: Initializer;
  /** Heads of keys and values, each of which serves `heads / kvHeads` neighbouring heads of queries. Default: heads. */
  readonly kvHeads?: number;
  /** Turns queries and keys by their positions: a `rotaryTable(device, length, dim / heads)` of all positions there will be. Default: none. */
  readonly rotary?: Tensor | undefined;
}

export interface MultiHeadAttentionInputs {
  /** What x attends to, `[B, M, dim]`. Default: x itself. */
  readonly context?: Tensor | undefined;
  /** `true`: row i sees rows 0..i of x. `'end'`: the last row of x sees all of the context, the one before all but the last. */
  readonly causal?: boolean | 'end';
  /** As of {@link attention}; broadcasts to `[B, heads, N, M]`. */
  readonly mask?: Tensor | undefined;
  /** For the rotary table, u32 or i32, `[N]` or `[B, N]`. Default: 0, 1, …, N - 1. */
  readonly positions?: Tensor | undefined;
  /** Keys and values of the positions before, to which those of x are added. Row i sees all positions up to its own. */
  readonly cache?: KeyValueCache | undefined;
  /** With a cache: where the first row of x is, one u32 for all or `[B]`. */
  readonly position?: Tensor | number | undefined;
}

/**
 * Attention of `heads` heads, `softmax(q·kᵀ / √(dim / heads)) · v` in each, with the parameters of PyTorch's `MultiheadAttention`
 * (`in_proj_weight`, `in_proj_bias`, `out_proj.weight`, `out_proj.bias`) and its first values, batch first. With `kvHeads` below `heads`
 * (grouped queries) `in_proj_weight` is `[dim + 2 · kvHeads · (dim / heads), dim]`: rows of queries, of keys, of values.
 *
 * ```ts
 * const attend = new MultiHeadAttention(weights.in('attn'), 512, 8);
 * const y = attend.forward(x, { causal: true }); //    [B, N, 512] → [B, N, 512]
 * const z = attend.forward(x, { context }); //         of x to context [B, M, 512]
 * ```
 *
 * With a cache it goes on from where it was: a step whose `position` is an input writes token after token. Its values are those of one causal
 * pass over all tokens.
 *
 * ```ts
 * const attend = new MultiHeadAttention(weights.in('attn'), 512, 8, { kvHeads: 2, rotary: rotaryTable(device, 4096, 64) });
 * const cache = attend.cache(1, 4096);
 * const next = await step(device, { x: [1, 1, 512], position: { shape: [], dtype: 'u32' } }, ({ x, position }) =>
 *   attend.forward(x, { cache, position }),
 * );
 * ```
 *
 * @throws ShapeError when `dim` is no multiple of `heads`, or `heads` none of `kvHeads`.
 */
export class MultiHeadAttention {
  readonly in_proj_weight: Tensor;
  readonly in_proj_bias: Tensor | undefined;
  readonly out_proj: Linear;
  readonly heads: number;
  readonly kvHeads: number;
  readonly #rotary: Tensor | undefined;

  constructor(weights: Weights, dim: number, heads: number, options: MultiHeadAttentionOptions = {}) {
    checkLayer('MultiHeadAttention', weights, { dim, heads }, arguments[4]);
    checkOptions('MultiHeadAttention', options, ['bias', 'init', 'kvHeads', 'rotary']);
    const { bias = true, init = xavierUniform, kvHeads = heads, rotary } = options;
    checkInit('MultiHeadAttention', init);
    if (rotary !== undefined) checkTensors('MultiHeadAttention', { rotary });
    if (!(Number.isInteger(heads) && heads > 0 && dim % heads === 0)) {
      throw new ShapeError('MultiHeadAttention', `${dim} channels do not divide into ${heads} heads`);
    }
    if (!(Number.isInteger(kvHeads) && kvHeads > 0 && heads % kvHeads === 0)) {
      throw new ShapeError('MultiHeadAttention', `kvHeads must divide the heads (${kvHeads} and ${heads})`);
    }
    const rows = dim + 2 * kvHeads * (dim / heads);
    this.in_proj_weight = weights.parameter('in_proj_weight', [rows, dim], init);
    this.in_proj_bias = bias ? weights.parameter('in_proj_bias', [rows], zeros) : undefined;
    this.out_proj = new Linear(weights.in('out_proj'), dim, dim, { init: uniform(1 / Math.sqrt(dim)), bias });
    this.heads = heads;
    this.kvHeads = kvHeads;
    this.#rotary = rotary;
  }

  /** A cache for `batch` sequences that keeps the last `length` positions. */
  cache(batch: number, length: number, dtype: 'f32' | 'f16' = 'f32'): KeyValueCache {
    const { device } = this.in_proj_weight;
    return new KeyValueCache(device, { batch, heads: this.kvHeads, length, width: this.#width }, dtype);
  }

  /**
   * Of `x` `[B, N, dim]` to itself, to `context` `[B, M, dim]`, or to what a cache holds.
   *
   * @throws ArgumentError for inputs that exclude each other.
   */
  forward(x: Tensor, inputs: MultiHeadAttentionInputs = {}): Tensor {
    checkOptions('MultiHeadAttention', inputs, ['context', 'causal', 'mask', 'positions', 'cache', 'position']);
    const { context } = inputs;
    return composed('MultiHeadAttention', context === undefined ? { x } : { x, context }, () =>
      this.#forward(x, inputs),
    );
  }

  #forward(x: Tensor, inputs: MultiHeadAttentionInputs): Tensor {
    const { context, causal = false, mask, cache } = inputs;
    this.#check(inputs);
    const dim = this.#width * this.heads;
    for (const [name, { shape }] of Object.entries({ x, ...(context && { context }) })) {
      if (shape.length === 3 && shape[2] === dim) continue;
      const rule = `${name} must be [B, ${name === 'x' ? 'N' : 'M'}, C] with ${dim} channels`;
      throw new ShapeError('MultiHeadAttention', rule, { [name]: shape });
    }
    if (context) return this.out_proj.forward(this.#toContext(x, context, { causal, mask }));
    const { heads, kvHeads } = this;
    if (kvHeads === heads && !this.#rotary && !cache) {
      return this.out_proj.forward(qkvAttention(this.#project(x, 0, this.#rows), heads, { causal, mask }));
    }
    const own = this.#width * kvHeads;
    const [q, k, v] = split(this.#project(x, 0, this.#rows), 2, [dim, own, own]) as [Tensor, Tensor, Tensor];
    const turned = [toHeads(q, heads), toHeads(k, kvHeads), toHeads(v, kvHeads)] as const;
    const y = cache ? this.#toCache(turned, cache, inputs) : this.#toItself(turned, inputs);
    return this.out_proj.forward(fromHeads(y));
  }

  #toItself([q, k, v]: readonly [Tensor, Tensor, Tensor], inputs: MultiHeadAttentionInputs): Tensor {
    const { causal = false, mask, positions } = inputs;
    return attention(this.#turn(q, positions), this.#turn(k, positions), v, { causal, mask });
  }

  #toCache(
    [q, k, v]: readonly [Tensor, Tensor, Tensor],
    cache: KeyValueCache,
    { position }: MultiHeadAttentionInputs,
  ): Tensor {
    const at = typeof position === 'number' ? tensor(q.device, Uint32Array.of(position)) : (position as Tensor);
    const rows = q.shape[2] as number;
    const { positions, mask } = cache.places(at, rows);
    const each = positions.shape[0] === 1 ? reshape(positions, [rows]) : positions;
    const all = cache.put(this.#turn(k, each), v, at);
    return attention(this.#turn(q, each), all.k, all.v, { mask });
  }

  #toContext(x: Tensor, context: Tensor, options: { causal: boolean | 'end'; mask: Tensor | undefined }): Tensor {
    const [dim, own] = [this.#width * this.heads, this.#width * this.kvHeads];
    const q = this.#project(x, 0, dim);
    const [k, v] = [this.#project(context, dim, dim + own), this.#project(context, dim + own, dim + 2 * own)];
    if (this.kvHeads === this.heads) return crossAttention(q, k, v, this.heads, options);
    const each = [toHeads(k, this.kvHeads), toHeads(v, this.kvHeads)] as const;
    return fromHeads(attention(toHeads(q, this.heads), ...each, options));
  }

  get #width(): number {
    return (this.in_proj_weight.shape[1] as number) / this.heads;
  }

  get #rows(): number {
    return this.in_proj_weight.shape[0] as number;
  }

  #turn(x: Tensor, positions: Tensor | undefined): Tensor {
    return this.#rotary ? rotaryEmbedding(x, this.#rotary, { positions }) : x;
  }

  #check({ context, causal = false, mask, positions, cache, position }: MultiHeadAttentionInputs): void {
    const refuse = (rule: string) => {
      throw new ArgumentError(`MultiHeadAttention: ${rule}`);
    };
    if (context && causal === true) {
      refuse("only the attention of rows to themselves can be causal from the first row on; for the last, 'end'");
    }
    if (context && (cache || this.#rotary)) {
      refuse(`${cache ? 'a cache' : 'rotary positions'} and a context exclude each other`);
    }
    if (cache && (causal || mask || positions)) {
      refuse('a cache says what rows see and where they are: no causal, mask or positions beside it');
    }
    if (cache && position === undefined) refuse('with a cache, the position of the first row must be given');
    if (!cache && position !== undefined) refuse('the position is that of a cache, which is missing');
    if (positions && !this.#rotary) refuse('positions are those of a rotary table, which the layer does not have');
  }

  /** By rows of the weight: of queries, keys, values. */
  #project(x: Tensor, from: number, to: number): Tensor {
    const part = (t: Tensor) => (from === 0 && to === this.#rows ? t : slice(t, 0, from, to));
    return linear(x, part(this.in_proj_weight), this.in_proj_bias ? { bias: part(this.in_proj_bias) } : {});
  }
}
