import { embedding } from '../../kernels/layout/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { type Initializer, normal, withInit } from './init.ts';
import { checkLayer, type Weights } from './weights.ts';

export interface EmbeddingOptions {
  /** First values of the table. Default: N(0, 1). */
  readonly init?: Initializer;
}

/**
 * A row of a table for each id: ids `[...]` (u32) → `[..., dim]`; `weight` is `[count, dim]`, N(0, 1) at first. An id that is not
 * below `count` gives zeros.
 *
 * ```ts
 * const tokens = new Embedding(weights.in('tokens'), 49408, 512);
 * const y = tokens.forward(ids); // [B, L] → [B, L, 512]
 * ```
 *
 * An initializer may stand in the place of the options.
 */
export class Embedding {
  readonly weight: Tensor;

  constructor(weights: Weights, count: number, dim: number, options: EmbeddingOptions | Initializer = {}) {
    checkLayer('Embedding', weights, { count, dim }, arguments[4]);
    const { init = normal(1) } = withInit('Embedding', options);
    this.weight = weights.parameter('weight', [count, dim], init);
  }

  forward(ids: Tensor): Tensor {
    return embedding(this.weight, ids);
  }
}
