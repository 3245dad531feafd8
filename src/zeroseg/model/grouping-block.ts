import { mean } from '../../kernels/axis/index.ts';
import { scale, sub } from '../../kernels/elementwise/index.ts';
import { matmul } from '../../kernels/matmul/index.ts';
import { softmax } from '../../kernels/row-ops/index.ts';
import { groupMembers } from '../../kernels/zeroseg/index.ts';
import {
  type BlockOptions,
  CrossAttention,
  type Initializer,
  LayerNorm,
  Linear,
  Mlp,
  TokenMlp,
  type Trace,
  type Weights,
} from '../../nn/layers/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { hiddenWidth } from './config.ts';
import type { AssignmentConfig } from './config-groups.ts';
import { sphericalKMeans } from './spherical-k-means.ts';

/** Gumbel noise of a grouping block: given as a tensor `[B, G, N]`, or made on the GPU from a key. */
export type GroupingNoise = { readonly noise: Tensor } | { readonly key: Tensor; readonly stream: number } | undefined;

export interface GroupingOptions {
  /** Width, heads and hidden width of the pre-assignment's attention and MLP, as in the blocks around it. */
  readonly block: BlockOptions;
  readonly tokens: number;
  readonly groups: number;
  /** Hidden widths of the token mixer and of the channel MLP, relative to the width. */
  readonly assign_mlp_ratio: readonly [number, number];
  readonly assignment: AssignmentConfig;
}

/** Group tokens look at the members (steps 3 to 5). */
class PreAssign {
  readonly attn: CrossAttention;
  readonly norm2: LayerNorm;
  readonly mlp: Mlp;
  readonly norm_post: LayerNorm;

  constructor(weights: Weights, { dim, heads, hidden, eps, init }: BlockOptions) {
    this.attn = new CrossAttention(weights.in('attn'), dim, heads, init);
    this.norm2 = new LayerNorm(weights.in('norm2'), dim, eps);
    this.mlp = new Mlp(weights.in('mlp'), dim, hidden, dim, init);
    this.norm_post = new LayerNorm(weights.in('norm_post'), dim, eps);
  }

  forward(q: Tensor, x: Tensor): Tensor {
    const attended = this.attn.forward(q, x, q);
    return this.norm_post.forward(this.mlp.forward(this.norm2.forward(attended), attended));
  }
}

/** The projections of the assignment: one head over all channels. */
class Assign {
  readonly q_proj: Linear;
  readonly k_proj: Linear;
  readonly v_proj: Linear;
  readonly proj: Linear;

  constructor(weights: Weights, dim: number, init: Initializer) {
    this.q_proj = new Linear(weights.in('q_proj'), dim, dim, init);
    this.k_proj = new Linear(weights.in('k_proj'), dim, dim, init);
    this.v_proj = new Linear(weights.in('v_proj'), dim, dim, init);
    this.proj = new Linear(weights.in('proj'), dim, dim, init);
  }
}

/**
 * GroupViT's grouping block (spec §6.2): members `x` `[B, N, D]` and tokens `[B, G0, D]` become G new members, by a
 * hard assignment of every member to one group.
 */
export class Grouping {
  readonly norm_tokens: LayerNorm;
  readonly mlp_inter: TokenMlp;
  readonly norm_post_tokens: LayerNorm;
  readonly norm_x: LayerNorm;
  readonly pre_assign: PreAssign;
  readonly assign: Assign;
  readonly norm_new_x: LayerNorm;
  readonly mlp_channels: Mlp;
  readonly #assignment: AssignmentConfig;

  constructor(weights: Weights, { block, tokens, groups, assign_mlp_ratio, assignment }: GroupingOptions) {
    const { dim, eps, init } = block;
    const [mixer, channels] = assign_mlp_ratio;
    this.norm_tokens = new LayerNorm(weights.in('norm_tokens'), dim, eps);
    this.mlp_inter = new TokenMlp(weights.in('mlp_inter'), tokens, hiddenWidth(dim, mixer), groups, init);
    this.norm_post_tokens = new LayerNorm(weights.in('norm_post_tokens'), dim, eps);
    this.norm_x = new LayerNorm(weights.in('norm_x'), dim, eps);
    this.pre_assign = new PreAssign(weights.in('pre_assign'), block);
    this.assign = new Assign(weights.in('assign'), dim, init);
    this.norm_new_x = new LayerNorm(weights.in('norm_new_x'), dim, eps);
    this.mlp_channels = new Mlp(weights.in('mlp_channels'), dim, hiddenWidth(dim, channels), dim, init);
    this.#assignment = assignment;
  }

  /**
   * New members `[B, G, D]`, the assignment that made them, and the one without noise, `[B, G, N]` (each computed only if
   * somebody uses it). `groups`: G, where groups begin at medoids. Default: that of the weights.
   */
  forward(
    members: Tensor,
    tokens: Tensor,
    noise: GroupingNoise,
    trace: Trace,
    groups?: number,
  ): { x: Tensor; assign: Tensor; softMap: Tensor } {
    const { tau, assign_eps: eps, hard, assign_scale, assign_centre, assign_rounds, assign_start } = this.#assignment;
    const dim = members.shape[2] as number;
    const x = this.norm_x.forward(members);
    const projected = this.norm_post_tokens.forward(this.mlp_inter.forward(this.norm_tokens.forward(tokens)));
    trace('projected_tokens', projected);
    const q = this.pre_assign.forward(projected, x);
    trace('pre_assigned', q);
    const given = this.assign.k_proj.forward(x);
    const keys = assign_centre ? sub(given, mean(given, { axes: 1, keepDims: true })) : given;
    const asked = this.assign.q_proj.forward(q);
    const { queries, logits } =
      assign_rounds > 0 || assign_start === 'medoids'
        ? sphericalKMeans(asked, keys, { scale: assign_scale, iterations: assign_rounds, init: assign_start, groups })
        : // Scaling the few queries instead of the logits: [B, G, D] is smaller than [B, G, N].
          { queries: q, logits: matmul(scale(asked, assign_scale * dim ** -0.5), keys, { transposeB: true }) };
    trace('assign_logits', logits);
    const { grouped, assign, soft } = groupMembers(logits, this.assign.v_proj.forward(x), {
      tau: noise ? tau : 1,
      hard,
      eps,
      ...noise,
    });
    trace('assign', assign);
    trace('assign_soft', soft);
    const y = this.assign.proj.forward(grouped, { residual: queries });
    const result = this.mlp_channels.forward(this.norm_new_x.forward(y), y);
    trace('grouped', result);
    const softMap = softmax(logits, 1);
    trace('soft_map', softMap);
    return { x: result, assign, softMap };
  }
}
