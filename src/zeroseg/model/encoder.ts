import { add, cast, floatType } from '../../kernels/elementwise/index.ts';
import { broadcastTo, concat, slice } from '../../kernels/layout/index.ts';
import { keepRows, type ShuffleMask } from '../../kernels/zeroseg/index.ts';
import {
  Block,
  ConvStem,
  LayerNorm,
  normal,
  PatchEmbed,
  runBlock,
  sinCosPositions,
  type Trace,
  type Weights,
  xavierUniform,
} from '../../nn/layers/index.ts';
import { label, type Tensor, tensor } from '../../tensor/graph/index.ts';
import { hiddenWidth } from './config.ts';
import type { EncoderConfig } from './config-groups.ts';

/** How the encoder sees an image. */
export interface EncoderOptions {
  /** Which patches are seen, and in which order. Default: all. */
  readonly masking?: ShuffleMask;
  /** `[1, N, dim]`, for images of another size. Default: the table. */
  readonly positions?: Tensor;
  /** Whether blocks are computed again for their gradients. */
  readonly checkpoint?: boolean;
}

/** The masked autoencoder's encoder (spec §4): a ViT that sees only the kept patches. */
export class Encoder {
  readonly cls_token: Tensor;
  /** Learnt positions `[1, 1 + N, dim]`, that of the class token first; undefined where they are fixed. */
  readonly pos_embed: Tensor | undefined;
  /** One of them makes the tokens, as the configuration's `stem` says. */
  readonly patch_embed: PatchEmbed | undefined;
  readonly stem: ConvStem | undefined;
  readonly blocks: readonly Block[];
  readonly norm: LayerNorm;
  readonly #positions: Float32Array;
  readonly #grid: number;

  constructor(weights: Weights, config: EncoderConfig) {
    const { dim, depth, heads, mlp_ratio, eps_mae: eps, patch, chans: channels } = config;
    this.cls_token = weights.parameter('cls_token', [1, 1, dim], normal(0.02));
    this.#grid = config.image / patch;
    this.#positions = sinCosPositions(dim, this.#grid, this.#grid, false);
    if (config.positions === 'learnt') {
      this.pos_embed = weights.parameter('pos_embed', this.table().shape, () => this.table().data);
    }
    const sizes = { channels, patch, dim };
    this.patch_embed = config.stem === 'patch' ? new PatchEmbed(weights.in('patch_embed'), sizes) : undefined;
    this.stem = config.stem === 'conv' ? new ConvStem(weights.in('stem'), { ...sizes, eps }) : undefined;
    const hidden = hiddenWidth(dim, mlp_ratio);
    this.blocks = Array.from(
      { length: depth },
      (_, i) => new Block(weights.in('blocks').in(i), { dim, heads, hidden, eps, init: xavierUniform }),
    );
    this.norm = new LayerNorm(weights.in('norm'), dim, eps);
  }

  /** The whole table of fixed positions `[1, 1 + N, dim]`, on the host: the class token's row is zero. */
  table(): { readonly shape: readonly number[]; readonly data: Float32Array } {
    const dim = this.cls_token.shape[2] as number;
    const data = new Float32Array(dim + this.#positions.length);
    data.set(this.#positions, dim);
    return { shape: [1, data.length / dim, dim], data };
  }

  /** The position table without its class row, `[1, N, dim]`. */
  positions(): Tensor {
    if (this.pos_embed) return slice(this.pos_embed, 1, 1, this.pos_embed.shape[1] as number);
    const dim = this.cls_token.shape[2] as number;
    return tensor(this.cls_token.device, this.#positions, [1, this.#grid ** 2, dim]);
  }

  /**
   * `image` `[B, C, H, W]` → latent `[B, 1 + n, dim]`, the class token first, in the dtype of the parameters.
   */
  forward(
    image: Tensor,
    trace: Trace,
    { masking, positions = this.positions(), checkpoint = false }: EncoderOptions = {},
  ): Tensor {
    const dtype = floatType(this.cls_token);
    const embedded = (this.stem ?? (this.patch_embed as PatchEmbed)).forward(cast(image, dtype));
    trace('patch_embed', embedded);
    const placed = add(embedded, cast(positions, dtype));
    const visible = masking ? keepRows(placed, masking) : placed;
    trace('visible_tokens', visible);
    const [batch = 0, , dim = 0] = visible.shape;
    // The class token's own position is zero where positions are fixed.
    const cls = this.pos_embed ? add(this.cls_token, slice(this.pos_embed, 1, 0, 1)) : this.cls_token;
    let x = concat([broadcastTo(cls, [batch, 1, dim]), visible], 1);
    this.blocks.forEach((block, i) => {
      x = label(`encoder.blocks.${i}`, () => runBlock(block, x, checkpoint));
      trace(`encoder.block${i}`, x);
    });
    const latent = this.norm.forward(x);
    trace('latent', latent);
    return latent;
  }
}
