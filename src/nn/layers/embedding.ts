import { embedding } from '../../kernels/layout/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { type Initializer, normal } from './init.ts';
import { checkLayer, type Weights } from './weights.ts';

/**
 * A row of a table for each id: ids `[...]` (u32) → `[..., dim]`; `weight` is `[count, dim]`, N(0, 1) at first. An id that is not
 * below `count` gives zeros.
 *
 * ```ts
 * const tokens = new Embedding(weights.in('tokens'), 49408, 512);
 * const y = tokens.forward(ids); // [B, L] → [B, L, 512]
 * ```
 */
export class Embedding {
  readonly weight: Tensor;

  constructor(weights: Weights, count: number, dim: number, init: Initializer = normal(1)) {
    checkLayer('Embedding', weights, { count, dim });
    this.weight = weights.parameter('weight', [count, dim], init);
  }

  forward(ids: Tensor): Tensor {
    return embedding(this.weight, ids);
  }
}
