import { crossAttention } from '../../kernels/attention/index.ts';
import { type Activation, add } from '../../kernels/elementwise/index.ts';
import { broadcastTo, interpolatePositions, type PositionRule, reshape, slice } from '../../kernels/layout/index.ts';
import { Block, LayerNorm, Linear, Mlp, normal, PatchEmbed, type Weights } from '../../nn/layers/index.ts';
import { label, type Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import type { Rgb } from '../image/index.ts';
import type { TokenTable } from '../text/index.ts';

/** Sizes of one of SigLIP's towers. */
export interface SiglipTower {
  readonly width: number;
  readonly heads: number;
  readonly layers: number;
  /** Width of the MLPs. */
  readonly hidden: number;
  readonly activation: Activation;
  readonly eps: number;
}

/** Sizes of a SigLIP checkpoint. A tower that a file lacks is 0 wide. */
export interface SiglipConfig {
  readonly vision: SiglipTower & {
    readonly patch: number;
    readonly image: number;
    readonly mean: Rgb;
    readonly std: Rgb;
  };
  readonly text: SiglipTower & { readonly vocab: number; readonly context: number };
  /** Width of a feature: that of the towers, there is no projection. */
  readonly projection: number;
  /** `exp(logit_scale)` and `logit_bias`: the logit of a pair is `scale · cosine + bias`, its probability the sigmoid. */
  readonly scale: number;
  readonly bias: number;
}

const init = normal(0.02);

function towerBlocks(weights: Weights, { width: dim, heads, layers, hidden, activation, eps }: SiglipTower): Block[] {
  const block = (_: unknown, i: number): Block =>
    new Block(weights.in('blocks').in(i), { dim, heads, hidden, eps, init, activation });
  return Array.from({ length: layers }, block);
}

/**
 * SigLIP's image tower (Zhai et al. 2023): a ViT without a class token, whose tokens are pooled by the attention of one learnt query.
 *
 * ```ts
 * const siglip = await openSiglipFolder(folder);
 * const vision = await siglip.vision(device);
 * const features = vision.forward(pixels); // [B, 3, H, W] → [B, D], not of unit length
 * ```
 */
export class SiglipVision {
  readonly config: SiglipConfig;
  readonly patch_embed: PatchEmbed;
  readonly positions: Tensor;
  readonly blocks: readonly Block[];
  readonly norm_post: LayerNorm;
  readonly head: PoolingHead;

  constructor(weights: Weights, config: SiglipConfig) {
    const { width, patch, image, eps } = config.vision;
    this.config = config;
    this.patch_embed = new PatchEmbed(weights.in('patch_embed'), { channels: 3, patch, dim: width });
    this.positions = weights.parameter('positions', [(image / patch) ** 2, width], init);
    this.blocks = towerBlocks(weights, config.vision);
    this.norm_post = new LayerNorm(weights.in('norm_post'), width, eps);
    this.head = new PoolingHead(weights.in('head'), config.vision);
  }

  /** Tokens of patches, row by row: `[B, 3, H, W]` → `[B, N, D]`. Positions are resampled for other sizes than the checkpoint's. */
  tokens(pixels: Tensor, rule: PositionRule = 'size'): Tensor {
    const { patch, image, width } = this.config.vision;
    const [, , height = 0, columns = 0] = pixels.shape;
    const [rows, cols, side] = [Math.floor(height / patch), Math.floor(columns / patch), image / patch];
    const table = reshape(this.positions, [1, side * side, width]);
    const isSame = rows === side && cols === side;
    let x = add(this.patch_embed.forward(pixels), isSame ? table : interpolatePositions(table, rows, cols, rule));
    this.blocks.forEach((block, i) => {
      x = label(`siglip.vision.${i}`, () => block.forward(x));
    });
    return this.norm_post.forward(x);
  }

  /** Features of whole images, not of unit length: `[B, 3, H, W]` → `[B, D]`. */
  forward(pixels: Tensor, rule?: PositionRule): Tensor {
    return this.head.pool(this.tokens(pixels, rule));
  }

  /** A feature of every patch: the head with each token's own value in place of what is attended to, `[B, N, D]`. */
  dense(pixels: Tensor, rule?: PositionRule): Tensor {
    return this.head.ofEach(this.tokens(pixels, rule));
  }
}

/** One learnt query attends to all tokens; `y + mlp(norm(y))` of what it sees. */
class PoolingHead {
  readonly probe: Tensor;
  readonly q_proj: Linear;
  readonly k_proj: Linear;
  readonly v_proj: Linear;
  readonly out_proj: Linear;
  readonly norm: LayerNorm;
  readonly mlp: Mlp;
  readonly heads: number;

  constructor(weights: Weights, { width, heads, hidden, activation, eps }: SiglipTower) {
    const linear = (name: string): Linear => new Linear(weights.in(name), width, width, init);
    this.probe = weights.parameter('probe', [1, 1, width], init);
    this.q_proj = linear('q_proj');
    this.k_proj = linear('k_proj');
    this.v_proj = linear('v_proj');
    this.out_proj = linear('out_proj');
    this.norm = new LayerNorm(weights.in('norm'), width, eps);
    this.mlp = new Mlp(weights.in('mlp'), width, hidden, width, init, activation);
    this.heads = heads;
  }

  pool(tokens: Tensor): Tensor {
    const [batch = 0, , width = 0] = tokens.shape;
    const q = broadcastTo(this.q_proj.forward(this.probe), [batch, 1, width]);
    const seen = crossAttention(q, this.k_proj.forward(tokens), this.v_proj.forward(tokens), this.heads);
    return reshape(this.#finish(seen), [batch, width]);
  }

  ofEach(tokens: Tensor): Tensor {
    return this.#finish(this.v_proj.forward(tokens));
  }

  #finish(seen: Tensor): Tensor {
    const y = this.out_proj.forward(seen);
    return this.mlp.forward(this.norm.forward(y), y);
  }
}

/** SigLIP's text tower: every token sees all others, padding included, and the last position is read. */
export class SiglipText {
  readonly config: SiglipConfig;
  readonly positions: Tensor;
  readonly blocks: readonly Block[];
  readonly norm: LayerNorm;
  readonly head: Linear;
  readonly #table: TokenTable;

  constructor(weights: Weights, config: SiglipConfig, table: TokenTable) {
    const { width, context, eps } = config.text;
    this.config = config;
    this.positions = weights.parameter('positions', [context, width], init);
    this.blocks = towerBlocks(weights, config.text);
    this.norm = new LayerNorm(weights.in('norm'), width, eps);
    this.head = new Linear(weights.in('head'), width, config.projection, init);
    this.#table = table;
  }

  /**
   * Rows of token ids as embeddings `[T, context, width]` on the host. SigLIP's texts are padded to the whole context with id 1.
   *
   * @throws ShapeError when a row has another length, or an id is not in the vocabulary.
   */
  embed(rows: readonly ArrayLike<number>[]): Float32Array {
    const { width, vocab, context } = this.config.text;
    const out = new Float32Array(rows.length * context * width);
    rows.forEach((row, r) => {
      if (row.length !== context) {
        throw new ShapeError('siglip text', `texts are ${context} tokens long, padded with id 1; got ${row.length}`);
      }
      for (let i = 0; i < context; i++) {
        const id = row[i] as number;
        if (!(id >= 0 && id < vocab)) {
          throw new ShapeError('siglip text', `token ${id} is not in the vocabulary of ${vocab}`);
        }
        const at = this.#table.row(id) * width;
        out.set(this.#table.values.subarray(at, at + width), (r * context + i) * width);
      }
    });
    return out;
  }

  /** `embedded` `[T, context, width]` → features `[T, D]`, not of unit length. */
  forward(embedded: Tensor): Tensor {
    const [texts = 0, length = 0, width = 0] = embedded.shape;
    let x = add(embedded, reshape(this.positions, [1, length, width]));
    this.blocks.forEach((block, i) => {
      x = label(`siglip.text.${i}`, () => block.forward(x));
    });
    const last = reshape(slice(this.norm.forward(x), 1, length - 1, length), [texts, width]);
    return this.head.forward(last);
  }
}
