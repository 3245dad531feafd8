import { mean } from '../../kernels/axis/index.ts';
import { add, cast, floatType } from '../../kernels/elementwise/index.ts';
import { broadcastTo, concat, slice, split } from '../../kernels/layout/index.ts';
import { unshuffle } from '../../kernels/zeroseg/index.ts';
import {
  Block,
  type BlockOptions,
  LayerNorm,
  Mlp,
  normal,
  runBlock,
  TokenMlp,
  type Trace,
  truncatedNormal,
  type Weights,
  xavierUniform,
  zeros,
} from '../../nn/layers/index.ts';
import { label, type Tensor } from '../../tensor/graph/index.ts';
import { hiddenWidth } from './config.ts';
import type { AssignmentConfig, EncoderConfig, HeadConfig } from './config-groups.ts';
import { Grouping, type GroupingNoise } from './grouping-block.ts';

/** What the stages of the head are made by; GroupViT's encoder uses the same stages. */
export interface StageOptions
  extends Pick<HeadConfig, 'seg_depths' | 'group_tokens' | 'output_groups' | 'assign_mlp_ratio'> {
  readonly block: BlockOptions;
  readonly assignment: AssignmentConfig;
}

/** Tokens of the stage before, brought to the number of this stage's tokens (spec §6.1). */
class GroupProjector {
  readonly norm: LayerNorm;
  readonly mlp: TokenMlp;

  constructor(weights: Weights, { dim, eps, init }: BlockOptions, from: number, to: number) {
    this.norm = new LayerNorm(weights.in('norm'), dim, eps);
    // Half of the width in GroupViT's code and in Hugging Face's, whatever `assign_mlp_ratio` says: that one is of grouping blocks.
    this.mlp = new TokenMlp(weights.in('mlp'), from, Math.floor(dim / 2), to, init);
  }

  forward(tokens: Tensor): Tensor {
    return this.mlp.forward(this.norm.forward(tokens));
  }
}

/** One stage: blocks over members and group tokens, then a grouping block. The last stage has neither tokens nor groups. */
export class Stage {
  readonly group_token: Tensor | undefined;
  readonly group_projector: GroupProjector | undefined;
  readonly blocks: readonly Block[];
  readonly grouping: Grouping | undefined;

  constructor(weights: Weights, options: StageOptions, index: number) {
    const { block, seg_depths, group_tokens, output_groups, assign_mlp_ratio, assignment } = options;
    const tokens = group_tokens[index] ?? 0;
    if (tokens > 0) {
      // The second stage's tokens start at zero: they are told apart by the projected tokens of the first.
      this.group_token = weights.parameter('group_token', [1, tokens, block.dim], index === 0 ? normal(0.02) : zeros);
    }
    const before = group_tokens[index - 1];
    if (tokens > 0 && before) {
      this.group_projector = new GroupProjector(weights.in('group_projector'), block, before, tokens);
    }
    this.blocks = Array.from(
      { length: seg_depths[index] ?? 0 },
      (_, i) => new Block(weights.in('blocks').in(i), block),
    );
    if (tokens > 0) {
      const groups = output_groups[index] ?? tokens;
      this.grouping = new Grouping(weights.in('grouping'), { block, tokens, groups, assign_mlp_ratio, assignment });
    }
  }

  forward(
    members: Tensor,
    previousTokens: Tensor | undefined,
    noise: GroupingNoise,
    trace: Trace,
    checkpoint = false,
    groups?: number,
  ): { x: Tensor; tokens: Tensor | undefined; assign?: Tensor; softMap?: Tensor } {
    const [batch = 0, count = 0, dim = 0] = members.shape;
    let x = members;
    const tokenCount = this.group_token?.shape[1] ?? 0;
    if (this.group_token) {
      const tokens =
        this.group_projector && previousTokens
          ? add(this.group_projector.forward(previousTokens), this.group_token)
          : broadcastTo(this.group_token, [batch, tokenCount, dim]);
      x = concat([x, tokens], 1);
    }
    this.blocks.forEach((block, i) => {
      x = label(`blocks.${i}`, () => runBlock(block, x, checkpoint));
      trace(`block${i}`, x);
    });
    if (!this.grouping) return { x, tokens: undefined };
    const [grown, tokens] = split(x, 1, [count, tokenCount]) as [Tensor, Tensor];
    const grouped = label('grouping', () => (this.grouping as Grouping).forward(grown, tokens, noise, trace, groups));
    return { ...grouped, tokens };
  }
}

/** The stages in a row. `assigns[i]` is stage i's assignment, `softMaps[i]` that without noise, `[B, G_i, N_i]`. */
export function runStages(
  stages: readonly Stage[],
  members: Tensor,
  noises: readonly GroupingNoise[],
  trace: Trace,
  checkpoint = false,
  groups: readonly number[] = [],
): { x: Tensor; assigns: Tensor[]; softMaps: Tensor[]; beforeLast: Tensor } {
  let x = members;
  let beforeLast = members;
  let tokens: Tensor | undefined;
  const assigns: Tensor[] = [];
  const softMaps: Tensor[] = [];
  stages.forEach((stage, i) => {
    beforeLast = x;
    const result = label(`seg.stages.${i}`, () =>
      stage.forward(x, tokens, noises[i], (name, t) => trace(`seg.stage${i}.${name}`, t), checkpoint, groups[i]),
    );
    x = result.x;
    tokens = result.tokens;
    if (result.assign) assigns.push(result.assign);
    if (result.softMap) softMaps.push(result.softMap);
  });
  return { x, assigns, softMaps, beforeLast };
}

/** What the head gives. */
export interface Segmentation {
  /** Segment embeddings g in CLIP's space `[B, S, clip_dim]`. */
  readonly segments: Tensor;
  /** Image embedding z in CLIP's space `[B, clip_dim]`. */
  readonly global: Tensor;
  /** Assignments as they were made, with noise and hard in training: `[B, G1, N]`, `[B, G2, G1]`. */
  readonly assigns: readonly Tensor[];
  /** Assignments without noise: `[B, G1, N]`, `[B, G2, G1]`. */
  readonly softMaps: readonly Tensor[];
}

/** What the head needs in training. */
export interface HeadOptions {
  readonly idsRestore?: Tensor;
  readonly noises?: readonly GroupingNoise[];
  /** Whether blocks are computed again for their gradients. */
  readonly checkpoint?: boolean;
  /** See {@link InferenceOptions.groups}. */
  readonly groups?: readonly number[] | undefined;
}

/** How a trained model is asked for segments. */
export interface InferenceOptions {
  /**
   * Groups of each stage, where groups begin at medoids (`assign_start`), whose number is free: the more, the smaller are segments.
   * Default: those of the configuration, `output_groups`.
   */
  readonly groups?: readonly number[] | undefined;
}

/** Groups patches into segments, in two stages (spec §6), and projects them into CLIP's space (spec §7). */
export class SegmentationHead {
  readonly mask_token: Tensor | undefined;
  readonly stages: readonly Stage[];
  readonly norm: LayerNorm;
  readonly projector: Mlp;
  readonly #config: HeadConfig;

  /** `dim`: the width of the encoder, which is that of the head. */
  constructor(weights: Weights, config: HeadConfig & AssignmentConfig & Pick<EncoderConfig, 'dim'>) {
    const { dim, seg_heads: heads, eps_seg: eps, seg_mlp_ratio } = config;
    const init = config.seg_init === 'xavier' ? xavierUniform : truncatedNormal(0.02);
    if (config.seg_input === 'full') this.mask_token = weights.parameter('mask_token', [1, 1, dim], normal(0.02));
    const block: BlockOptions = { dim, heads, hidden: hiddenWidth(dim, seg_mlp_ratio), eps, init };
    const options: StageOptions = { ...config, block, assignment: config };
    this.stages = config.seg_depths.map((_, i) => new Stage(weights.in('stages').in(i), options, i));
    this.norm = new LayerNorm(weights.in('norm'), dim, eps);
    this.projector = new Mlp(weights.in('projector'), dim, config.proj_hidden, config.clip_dim, init);
    this.#config = config;
  }

  /**
   * Latent `[B, 1 + n, D]` (class token first) → segments. With `seg_input = full`, `idsRestore` `[B, N]` puts the kept
   * patches among mask tokens, and `positions` `[1, N, D]` are added; without masking `idsRestore` is left out.
   */
  forward(
    latent: Tensor,
    positions: Tensor,
    trace: Trace,
    { idsRestore, noises = [], checkpoint, groups }: HeadOptions = {},
  ): Segmentation {
    const members = this.#members(latent, positions, idsRestore);
    trace('seg.input', members);
    const { x, assigns, softMaps, beforeLast } = runStages(this.stages, members, noises, trace, checkpoint, groups);
    const normed = this.norm.forward(x);
    trace('seg.normed', normed);
    const tapped = this.#config.segment_tap === 'pre' ? this.norm.forward(beforeLast) : normed;
    const segments = this.projector.forward(tapped);
    trace('segments', segments);
    const global = this.projector.forward(mean(normed, { axes: 1 }));
    trace('global', global);
    return { segments, global, assigns, softMaps };
  }

  #members(latent: Tensor, positions: Tensor, idsRestore: Tensor | undefined): Tensor {
    const { seg_input, seg_use_cls } = this.#config;
    const tokens = latent.shape[1] as number;
    if (seg_input === 'visible') return seg_use_cls ? latent : slice(latent, 1, 1, tokens);
    const rows = slice(latent, 1, 1, tokens);
    const all = idsRestore ? unshuffle(rows, this.mask_token as Tensor, idsRestore) : rows;
    const placed = add(all, cast(positions, floatType(all)));
    return seg_use_cls ? concat([slice(latent, 1, 0, 1), placed], 1) : placed;
  }
}
