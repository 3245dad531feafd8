import { mean } from '../../kernels/axis/index.ts';
import { add, relu } from '../../kernels/elementwise/index.ts';
import { interpolatePositions, reshape } from '../../kernels/layout/index.ts';
import { batchNormEval } from '../../kernels/row-ops/index.ts';
import {
  LayerNorm,
  Linear,
  normal,
  noTrace,
  ones,
  PatchEmbed,
  type Trace,
  truncatedNormal,
  type Weights,
  zeros,
} from '../../nn/layers/index.ts';
import { label, type Tensor } from '../../tensor/graph/index.ts';
import { ClipText } from '../clip/index.ts';
import {
  baseConfig,
  hiddenWidth,
  type Inference,
  rollOut,
  runStages,
  Stage,
  type StageOptions,
} from '../model/index.ts';
import type { TokenTable } from '../text/index.ts';
/** Sizes of a GroupViT checkpoint (spec §14). */
export interface GroupVitConfig {
  readonly vision: {
    readonly image: number;
    readonly patch: number;
    readonly width: number;
    readonly heads: number;
    readonly depths: readonly number[];
    /** Learnable tokens of each stage; the last has none. */
    readonly group_tokens: readonly number[];
    readonly output_groups: readonly number[];
    readonly mlp_ratio: number;
    readonly assign_mlp_ratio: readonly [number, number];
  };
  readonly text: {
    readonly width: number;
    readonly heads: number;
    readonly layers: number;
    readonly vocab: number;
    readonly context: number;
    /** Where it is not that of the image tower. */
    readonly layer_norm_eps?: number;
  };
  /** Width of the joint space, and of the projectors' hidden layer. */
  readonly projection: number;
  readonly projection_hidden: number;
  readonly layer_norm_eps: number;
  readonly batch_norm_eps: number;
}

const init = normal(0.02);

/** Batch normalisation by the statistics of training. */
class BatchNorm {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly running_mean: Tensor;
  readonly running_var: Tensor;
  readonly eps: number;

  constructor(weights: Weights, width: number, eps: number) {
    this.weight = weights.parameter('weight', [width], ones);
    this.bias = weights.parameter('bias', [width], zeros);
    this.running_mean = weights.parameter('running_mean', [width], zeros);
    this.running_var = weights.parameter('running_var', [width], ones);
    this.eps = eps;
  }

  forward(x: Tensor): Tensor {
    return batchNormEval(x, this.running_mean, this.running_var, this.weight, this.bias, this.eps);
  }
}

/** Into the joint space: `fc2(relu(batch norm(fc1(x))))`. */
class Projector {
  readonly fc1: Linear;
  readonly norm: BatchNorm;
  readonly fc2: Linear;

  constructor(weights: Weights, inputs: number, { projection, projection_hidden, batch_norm_eps }: GroupVitConfig) {
    this.fc1 = new Linear(weights.in('fc1'), inputs, projection_hidden, init);
    this.norm = new BatchNorm(weights.in('norm'), projection_hidden, batch_norm_eps);
    this.fc2 = new Linear(weights.in('fc2'), projection_hidden, projection, init);
  }

  forward(x: Tensor): Tensor {
    return this.fc2.forward(relu(this.norm.forward(this.fc1.forward(x))));
  }
}

/**
 * GroupViT's image encoder (Xu et al., 2022), for evaluation: ZeroSeg's head straight on patches, with learned positions
 * and no class token. A `Segmenter` takes it as it takes a `ZeroSeg`.
 */
export class GroupVitVision {
  readonly patch_embed: PatchEmbed;
  readonly norm_embed: LayerNorm;
  readonly positions: Tensor;
  readonly stages: readonly Stage[];
  readonly norm: LayerNorm;
  readonly projector: Projector;
  readonly config: { readonly image: number; readonly patch: number; readonly chans: number };

  constructor(weights: Weights, config: GroupVitConfig) {
    const { image, patch, width: dim, heads, depths, mlp_ratio, assign_mlp_ratio } = config.vision;
    const eps = config.layer_norm_eps;
    this.config = { image, patch, chans: 3 };
    this.patch_embed = new PatchEmbed(weights.in('patch_embed'), { channels: 3, patch, dim });
    this.norm_embed = new LayerNorm(weights.in('norm_embed'), dim, eps);
    this.positions = weights.parameter('positions', [1, Math.floor(image / patch) ** 2, dim], init);
    const options: StageOptions = {
      block: { dim, heads, hidden: hiddenWidth(dim, mlp_ratio), eps, init: truncatedNormal(0.02) },
      seg_depths: depths,
      group_tokens: config.vision.group_tokens,
      output_groups: config.vision.output_groups,
      assign_mlp_ratio,
      // GroupViT's assignment is that of the paper.
      assignment: baseConfig,
    };
    this.stages = depths.map((_, i) => new Stage(weights.in('stages').in(i), options, i));
    this.norm = new LayerNorm(weights.in('norm'), dim, eps);
    this.projector = new Projector(weights.in('projector'), dim, config);
  }

  /**
   * `image` `[B, 3, H, W]` → segments `[B, S, projection]`, image embedding `[B, projection]`, roll-out `[B, S, rows, cols]`.
   * Positions are resampled for images of another size.
   */
  segment(image: Tensor, trace: Trace = noTrace): Inference {
    const { patch, image: side } = this.config;
    const [batch = 0, , height = 0, width = 0] = image.shape;
    const [rows, cols] = [Math.floor(height / patch), Math.floor(width / patch)];
    const grid = Math.floor(side / patch);
    const positions =
      rows === grid && cols === grid ? this.positions : interpolatePositions(this.positions, rows, cols);
    const embedded = label('embed', () => add(this.norm_embed.forward(this.patch_embed.forward(image)), positions));
    trace('embedded', embedded);
    const { x, assigns, softMaps } = runStages(this.stages, embedded, [], trace);
    const normed = this.norm.forward(x);
    trace('normed', normed);
    const segments = this.projector.forward(normed);
    trace('segments', segments);
    const global = this.projector.forward(mean(normed, { axes: 1 }));
    trace('image', global);
    const rollout = label('rollout', () => rollOut(softMaps, rows * cols));
    return {
      segments,
      global,
      assigns,
      softMaps,
      rollout: reshape(rollout, [batch, rollout.shape[1] as number, rows, cols]),
    };
  }
}

/** GroupViT's text encoder: CLIP's, with a projector of its own. */
export class GroupVitText {
  readonly tower: ClipText;
  readonly projector: Projector;
  readonly config: GroupVitConfig;

  constructor(weights: Weights, config: GroupVitConfig, table: TokenTable) {
    const { text, projection, layer_norm_eps } = config;
    const clip = {
      vision: { width: 0, heads: 1, layers: 0, patch: 1, image: 0 },
      text,
      projection,
      activation: 'quick_gelu',
      layer_norm_eps,
    } as const;
    this.tower = new ClipText(weights, clip, table, false);
    this.projector = new Projector(weights.in('projector'), text.width, config);
    this.config = config;
  }

  /** As {@link ClipText.embed}. */
  embed(rows: readonly ArrayLike<number>[]): Float32Array {
    return this.tower.embed(rows);
  }

  /** As {@link ClipText.forward}: `[T, L, width]` and the end positions, u32 `[T, 1]` → `[T, projection]`. */
  forward(embedded: Tensor, ends: Tensor, trace: Trace = noTrace): Tensor {
    const features = this.projector.forward(this.tower.forward(embedded, ends, trace));
    trace('text', features);
    return features;
  }
}
