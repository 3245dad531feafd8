import { crossAttention } from '../../kernels/attention/index.ts';
import { max } from '../../kernels/axis/index.ts';
import { add, gelu } from '../../kernels/elementwise/index.ts';
import { broadcastTo, concat, interpolatePositions, permute, reshape, slice } from '../../kernels/layout/index.ts';
import { matmul } from '../../kernels/matmul/index.ts';
import { assignNormalise, gumbelSoftmax } from '../../kernels/zeroseg/index.ts';
import {
  Attention,
  Block,
  LayerNorm,
  Linear,
  Mlp,
  normal,
  noTrace,
  PatchEmbed,
  type Trace,
  type Weights,
} from '../../nn/layers/index.ts';
import { label, type Tensor } from '../../tensor/graph/index.ts';
import { clipMean, clipStd, type Rgb } from '../image/index.ts';
import type { Inference } from '../model/index.ts';

/** Sizes of SegCLIP's image tower. */
export interface SegClipConfig {
  readonly width: number;
  readonly heads: number;
  readonly patch: number;
  /** Patches along a side of the images it was trained with. */
  readonly grid: number;
  /** Learnt centres, which patches are grouped around. */
  readonly groups: number;
  /** Blocks before and after the grouping, and cross attentions of it. */
  readonly first: number;
  readonly second: number;
  readonly cross: number;
  /** Width of the joint space. */
  readonly dim: number;
  readonly layer_norm_eps: number;
}

/** Added to the number of a group's members: it changes no sum of a member or more, and an empty group stays empty. */
const NO_MEMBER = 1e-12;

const init = normal(0.02);

/** Centres that look at the patches: `c + attention(ln_x(c), ln_k([c; x]))`, then an MLP. */
class CentreBlock {
  readonly ln_x: LayerNorm;
  readonly ln_k: LayerNorm;
  readonly attn: Attention;
  readonly ln_2: LayerNorm;
  readonly mlp: Mlp;

  constructor(weights: Weights, { width, heads, layer_norm_eps: eps }: SegClipConfig) {
    this.ln_x = new LayerNorm(weights.in('ln_x'), width, eps);
    this.ln_k = new LayerNorm(weights.in('ln_k'), width, eps);
    this.attn = new Attention(weights.in('attn'), width, heads, init);
    this.ln_2 = new LayerNorm(weights.in('ln_2'), width, eps);
    this.mlp = new Mlp(weights.in('mlp'), width, 4 * width, width, init, 'quick-gelu');
  }

  /** `c` `[B, G, D]`, `x` `[B, N, D]` → `[B, G, D]`. */
  forward(c: Tensor, x: Tensor): Tensor {
    const width = c.shape[2] as number;
    const third = (packed: Tensor, n: number) => slice(packed, 2, n * width, (n + 1) * width);
    const q = third(this.attn.qkv.forward(this.ln_x.forward(c)), 0);
    const kv = this.attn.qkv.forward(this.ln_k.forward(concat([c, x], 1)));
    const attended = crossAttention(q, third(kv, 1), third(kv, 2), this.attn.heads);
    const y = this.attn.proj.forward(attended, { residual: c });
    return this.mlp.forward(this.ln_2.forward(y), y);
  }
}

/** Patches grouped around centres: SegCLIP's `semantic_layer2`. */
class Grouping {
  readonly centres: Tensor;
  readonly cross: readonly CentreBlock[];
  readonly cross_ln: LayerNorm;
  readonly norm: LayerNorm;
  readonly k_conv: Tensor;
  readonly k_ln: LayerNorm;
  readonly v_conv: Tensor;
  readonly out_ln: LayerNorm;
  readonly fc1: Linear;
  readonly fc2: Linear;
  readonly #heads: number;

  constructor(weights: Weights, config: SegClipConfig) {
    const { width, heads, groups, cross, layer_norm_eps: eps } = config;
    this.centres = weights.parameter('centres', [groups, width], init);
    this.cross = Array.from({ length: cross }, (_, i) => new CentreBlock(weights.in('cross').in(i), config));
    this.cross_ln = new LayerNorm(weights.in('cross_ln'), width, eps);
    this.norm = new LayerNorm(weights.in('norm'), width, eps);
    this.k_conv = weights.parameter('k_conv.weight', [width, width / heads, 1], init);
    this.k_ln = new LayerNorm(weights.in('k_ln'), width, eps);
    this.v_conv = weights.parameter('v_conv.weight', [width, width / heads, 1], init);
    this.out_ln = new LayerNorm(weights.in('out_ln'), width, eps);
    this.fc1 = new Linear(weights.in('fc1'), width, 4 * width, init);
    this.fc2 = new Linear(weights.in('fc2'), 4 * width, width, init);
    this.#heads = heads;
  }

  /** `x` `[B, N, D]` → groups `[B, G, D]` and the soft map `[B, G, N]` of patches over centres. */
  forward(x: Tensor, trace: Trace): { readonly grouped: Tensor; readonly soft: Tensor } {
    const [batch = 0, , width = 0] = x.shape;
    const shape = [batch, this.centres.shape[0] as number, width];
    let c = broadcastTo(reshape(this.centres, [1, ...this.centres.shape]), shape);
    for (const block of this.cross) c = block.forward(c, x);
    c = this.cross_ln.forward(c);
    trace('centers', c);
    const n = this.norm.forward(x);
    const key = this.k_ln.forward(this.#byHead(n, this.k_conv));
    const logits = matmul(c, key, { transposeB: true });
    trace('assign_logits', logits);
    const { soft, hard } = gumbelSoftmax(logits, { axis: 1 });
    trace('soft_map', soft);
    const g = matmul(assignNormalise(hard, NO_MEMBER), this.#byHead(n, this.v_conv));
    const h = this.fc1.forward(this.out_ln.forward(add(c, g)), { activation: 'gelu' });
    const grouped = gelu(this.fc2.forward(h), 'quick');
    trace('grouped', grouped);
    return { grouped, soft };
  }

  /** A matrix of its own for each block of channels: a 1 × 1 convolution in groups. */
  #byHead(x: Tensor, weight: Tensor): Tensor {
    const [batch = 0, count = 0, width = 0] = x.shape;
    const heads = this.#heads;
    const each = width / heads;
    const blocks = permute(reshape(x, [batch * count, heads, each]), [1, 0, 2]);
    const y = matmul(blocks, reshape(weight, [heads, each, each]), { transposeB: true });
    return reshape(permute(y, [1, 0, 2]), [batch, count, width]);
  }
}

/**
 * SegCLIP's image tower (Luo et al., 2023, https://arxiv.org/abs/2211.14813): CLIP's ViT cut in two, with patches grouped around learnt
 * centres between. Each image of a batch is computed by itself.
 */
export class SegClipVision {
  readonly patch_embed: PatchEmbed;
  readonly positions: Tensor;
  readonly norm_pre: LayerNorm;
  readonly first: readonly Block[];
  readonly grouping: Grouping;
  readonly second: readonly Block[];
  readonly norm_post: LayerNorm;
  readonly projection: Linear;
  readonly sizes: SegClipConfig;
  /** What a segmenter asks a model for. */
  readonly config: { readonly image: number; readonly patch: number; readonly chans: number };
  readonly pixels: { readonly mean: Rgb; readonly std: Rgb } = { mean: clipMean, std: clipStd };
  readonly short: number;
  readonly window: number;
  readonly stride: number;

  constructor(weights: Weights, sizes: SegClipConfig) {
    const { width: dim, heads, patch, grid, first, second, layer_norm_eps: eps } = sizes;
    this.patch_embed = new PatchEmbed(weights.in('patch_embed'), { channels: 3, patch, dim, bias: false });
    this.positions = weights.parameter('positions', [grid ** 2 + 1, dim], init);
    this.norm_pre = new LayerNorm(weights.in('norm_pre'), dim, eps);
    const options = { dim, heads, hidden: 4 * dim, eps, init, activation: 'quick-gelu' } as const;
    const blocks = (name: string, length: number) =>
      Array.from({ length }, (_, i) => new Block(weights.in(name).in(i), options));
    this.first = blocks('first', first);
    this.grouping = new Grouping(weights.in('grouping'), sizes);
    this.second = blocks('second', second);
    this.norm_post = new LayerNorm(weights.in('norm_post'), dim, eps);
    this.projection = new Linear(weights.in('projection'), dim, sizes.dim, { init, bias: false });
    this.sizes = sizes;
    const image = grid * patch;
    this.config = { image, patch, chans: 3 };
    [this.short, this.window, this.stride] = [image, image, image];
  }

  /**
   * `[B, 3, H, W]` → embeddings of the segments `[B, G, C]` and of the image `[B, C]`, and the soft map `[B, G, N]` of the patches over
   * centres. Positions are resampled for other sizes.
   */
  forward(pixels: Tensor, trace: Trace = noTrace): { segments: Tensor; image: Tensor; softMap: Tensor } {
    const { patch, grid, width } = this.sizes;
    const [batch = 0, , height = 0, columns = 0] = pixels.shape;
    const [rows, cols] = [Math.floor(height / patch), Math.floor(columns / patch)];
    // The class token has a position of its own, and no other use.
    const table = slice(reshape(this.positions, [1, grid ** 2 + 1, width]), 1, 1, grid ** 2 + 1);
    let x = this.norm_pre.forward(add(this.patch_embed.forward(pixels), interpolatePositions(table, rows, cols)));
    this.first.forEach((block, i) => {
      x = label(`segclip.first.${i}`, () => block.forward(x));
    });
    trace('patches', x);
    const { grouped, soft } = label('segclip.grouping', () => this.grouping.forward(x, trace));
    let y = grouped;
    this.second.forEach((block, i) => {
      y = label(`segclip.second.${i}`, () => block.forward(y));
    });
    const all = concat([max(y, { axes: [1], keepDims: true }), y], 1);
    const found = this.projection.forward(this.norm_post.forward(all));
    const [, tokens = 0, dim = 0] = found.shape;
    const image = reshape(slice(found, 1, 0, 1), [batch, dim]);
    const segments = slice(found, 1, 1, tokens);
    trace('segments', segments);
    trace('image', image);
    return { segments, image, softMap: soft };
  }

  /** Segments `[B, G, C]`, the whole `[B, C]`, and the soft map `[B, G, rows, cols]`. */
  segment(pixels: Tensor): Pick<Inference, 'segments' | 'global' | 'rollout'> {
    const { patch } = this.sizes;
    const [, , height = 0, columns = 0] = pixels.shape;
    const { segments, image, softMap } = this.forward(pixels);
    const [batch = 0, groups = 0] = segments.shape;
    const grid = [batch, groups, Math.floor(height / patch), Math.floor(columns / patch)];
    return { segments, global: image, rollout: reshape(softMap, grid) };
  }
}
