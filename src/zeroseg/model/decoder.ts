import { add, cast, floatType } from '../../kernels/elementwise/index.ts';
import { concat, slice } from '../../kernels/layout/index.ts';
import { unshuffle } from '../../kernels/zeroseg/index.ts';
import {
  Block,
  LayerNorm,
  Linear,
  normal,
  runBlock,
  sinCosPositions,
  type Trace,
  type Weights,
  xavierUniform,
} from '../../nn/layers/index.ts';
import { label, type Tensor, tensor } from '../../tensor/graph/index.ts';
import { hiddenWidth } from './config.ts';
import type { DecoderConfig, EncoderConfig } from './config-groups.ts';

/** The masked autoencoder's decoder (spec §5): rebuilds the pixels of all patches from the kept ones. */
export class Decoder {
  readonly mask_token: Tensor;
  readonly embed: Linear;
  readonly blocks: readonly Block[];
  readonly norm: LayerNorm;
  readonly pred: Linear;
  readonly #positions: Float32Array;

  constructor(weights: Weights, config: EncoderConfig & DecoderConfig) {
    const { dim, dec_dim, dec_depth, dec_heads: heads, mlp_ratio, eps_mae: eps, patch, chans } = config;
    this.mask_token = weights.parameter('mask_token', [1, 1, dec_dim], normal(0.02));
    this.embed = new Linear(weights.in('embed'), dim, dec_dim);
    const hidden = hiddenWidth(dec_dim, mlp_ratio);
    this.blocks = Array.from(
      { length: dec_depth },
      (_, i) => new Block(weights.in('blocks').in(i), { dim: dec_dim, heads, hidden, eps, init: xavierUniform }),
    );
    this.norm = new LayerNorm(weights.in('norm'), dec_dim, eps);
    this.pred = new Linear(weights.in('pred'), dec_dim, patch * patch * chans);
    const grid = config.image / patch;
    this.#positions = sinCosPositions(dec_dim, grid, grid, true);
  }

  /** The position table `[1, 1 + N, dec_dim]`, on the host: the class token's row is zero. */
  table(): { readonly shape: readonly number[]; readonly data: Float32Array } {
    const dim = this.mask_token.shape[2] as number;
    return { shape: [1, this.#positions.length / dim, dim], data: this.#positions };
  }

  /** Latent `[B, 1 + n, dim]`, `idsRestore` `[B, N]` → predicted pixels `[B, N, patch²·C]`. */
  forward(latent: Tensor, idsRestore: Tensor, trace: Trace, checkpoint = false): Tensor {
    const embedded = this.embed.forward(latent);
    trace('decoder.embedded', embedded);
    const tokens = embedded.shape[1] as number;
    const cls = slice(embedded, 1, 0, 1);
    const restored = unshuffle(slice(embedded, 1, 1, tokens), this.mask_token, idsRestore);
    const all = concat([cls, restored], 1);
    const [, rows = 0, dim = 0] = all.shape;
    let x = add(all, cast(tensor(all.device, this.#positions, [1, rows, dim]), floatType(all)));
    this.blocks.forEach((block, i) => {
      x = label(`decoder.blocks.${i}`, () => runBlock(block, x, checkpoint));
      trace(`decoder.block${i}`, x);
    });
    const pred = slice(this.pred.forward(this.norm.forward(x)), 1, 1, rows);
    trace('pred', pred);
    return pred;
  }
}
