import { type Activation, add } from '../../kernels/elementwise/index.ts';
import { broadcastTo, concat, interpolatePositions, type PositionRule, slice } from '../../kernels/layout/index.ts';
import { Block, LayerNorm, normal, PatchEmbed, type Weights } from '../../nn/layers/index.ts';
import { label, type Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';

/** Sizes of a vision transformer, and what it has beside patches and blocks. */
export interface VitConfig {
  readonly dim: number;
  readonly depth: number;
  readonly heads: number;
  /** Width of the MLPs. */
  readonly hidden: number;
  readonly patch: number;
  /** Side of the images that the table of positions is for. */
  readonly image: number;
  readonly eps: number;
  readonly activation: Activation;
  /** Tokens before those of patches: class, distillation (DeiT), registers (DINOv2). */
  readonly cls: boolean;
  readonly dist: boolean;
  readonly registers: number;
  /** Rows of the table before those of patches: as many of class and distillation token have a position. */
  readonly placed: number;
  /** Whether patches have a bias, and a norm stands before the blocks: CLIP's towers. */
  readonly patchBias: boolean;
  readonly normPre: boolean;
  /** How positions are resampled for other images: as DeiT and MAE (`size`) or DINO (`dino`) do it. */
  readonly positions: PositionRule;
}

const init = normal(0.02);

/**
 * A vision transformer with a table of positions, as DeiT, DINO, DINOv2, MoCo v3 and MAE publish them: pre-norm blocks, tokens after the
 * last norm. Layer scale is in the weights ({@link loadVit}).
 *
 * ```ts
 * const vit = await loadVit(device, stored, 'dino.pth');
 * const patches = vit.patchTokens(image); // [B, 3, H, W] → [B, (H/patch)·(W/patch), dim]
 * ```
 */
export class VitEncoder {
  readonly config: VitConfig;
  readonly cls_token: Tensor | undefined;
  readonly dist_token: Tensor | undefined;
  readonly registers: Tensor | undefined;
  readonly pos_embed: Tensor;
  readonly patch_embed: PatchEmbed;
  readonly norm_pre: LayerNorm | undefined;
  readonly blocks: readonly Block[];
  readonly norm: LayerNorm;

  constructor(weights: Weights, config: VitConfig) {
    const { dim, depth, heads, hidden, patch, image, eps, activation, placed } = config;
    this.config = config;
    const token = (name: string, rows = 1): Tensor => weights.parameter(name, [1, rows, dim], init);
    this.cls_token = config.cls ? token('cls_token') : undefined;
    this.dist_token = config.dist ? token('dist_token') : undefined;
    this.registers = config.registers > 0 ? token('registers', config.registers) : undefined;
    this.pos_embed = token('pos_embed', placed + (image / patch) ** 2);
    this.patch_embed = new PatchEmbed(weights.in('patch_embed'), { channels: 3, patch, dim, bias: config.patchBias });
    this.norm_pre = config.normPre ? new LayerNorm(weights.in('norm_pre'), dim, eps) : undefined;
    this.blocks = Array.from(
      { length: depth },
      (_, i) => new Block(weights.in('blocks').in(i), { dim, heads, hidden, eps, init, activation }),
    );
    this.norm = new LayerNorm(weights.in('norm'), dim, eps);
  }

  /** How many tokens stand before those of patches. */
  get leading(): number {
    const { cls, dist, registers } = this.config;
    return Number(cls) + Number(dist) + registers;
  }

  /**
   * `image` `[B, 3, H, W]`, in the normalisation of the weights (ImageNet's as a rule) → tokens `[B, leading + N, dim]`: class,
   * distillation, registers, then N = ⌊H/patch⌋·⌊W/patch⌋ patches row by row. Positions are resampled for other grids than the table's.
   *
   * @throws ShapeError when the image has no whole patch.
   */
  forward(image: Tensor, rule: PositionRule = this.config.positions): Tensor {
    const { patch, placed } = this.config;
    const [batch = 0, , height = 0, width = 0] = image.shape;
    const [rows, cols] = [Math.floor(height / patch), Math.floor(width / patch)];
    if (rows === 0 || cols === 0) {
      throw new ShapeError('VitEncoder', `image must be [B, 3, H, W] with sides of ${patch} or more`, {
        image: image.shape,
      });
    }
    const table = slice(this.pos_embed, 1, placed, this.pos_embed.shape[1] as number);
    const patches = add(this.patch_embed.forward(image), interpolatePositions(table, rows, cols, rule));
    const own = [this.cls_token, this.dist_token].filter((token) => token !== undefined);
    const leading = own.map((token, i) => (i < placed ? add(token, slice(this.pos_embed, 1, i, i + 1)) : token));
    if (this.registers) leading.push(this.registers);
    const spread = leading.map((token) => broadcastTo(token, [batch, ...token.shape.slice(1)]));
    let x = spread.length > 0 ? concat([...spread, patches], 1) : patches;
    if (this.norm_pre) x = this.norm_pre.forward(x);
    this.blocks.forEach((block, i) => {
      x = label(`vit.blocks.${i}`, () => block.forward(x));
    });
    return this.norm.forward(x);
  }

  /** As {@link forward}, the tokens of patches alone: `[B, 3, H, W]` → `[B, N, dim]`. */
  patchTokens(image: Tensor, rule?: PositionRule): Tensor {
    const tokens = this.forward(image, rule);
    return slice(tokens, 1, this.leading, tokens.shape[1] as number);
  }
}
