/**
 * The keys of a configuration in six groups. A configuration is one flat object, as it is in files, and each part of the model
 * takes the group that it is made by. What a key means, what it may be and what it is by default says `configSchema`.
 */

/** The input, and the ViT that sees the kept patches. */
export interface EncoderConfig {
  readonly image: number;
  readonly patch: number;
  readonly chans: number;
  readonly stem: 'patch' | 'conv';
  readonly positions: 'fixed' | 'learnt';
  readonly dim: number;
  readonly depth: number;
  readonly heads: number;
  readonly mlp_ratio: number;
  readonly eps_mae: number;
  readonly mask_ratio: number;
}

/** The decoder that rebuilds the pixels. */
export interface DecoderConfig {
  readonly dec_dim: number;
  readonly dec_depth: number;
  readonly dec_heads: number;
}

/** The segmentation head and its projector into CLIP's space. */
export interface HeadConfig {
  readonly seg_depths: readonly number[];
  readonly group_tokens: readonly number[];
  readonly output_groups: readonly number[];
  readonly seg_heads: number;
  readonly seg_mlp_ratio: number;
  readonly assign_mlp_ratio: readonly [number, number];
  readonly proj_hidden: number;
  readonly clip_dim: number;
  readonly eps_seg: number;
  readonly seg_init: 'normal' | 'xavier';
  readonly seg_input: 'visible' | 'full';
  readonly seg_use_cls: boolean;
  readonly segment_tap: 'post' | 'pre';
}

/** How a grouping block assigns members to groups. */
export interface AssignmentConfig {
  readonly tau: number;
  readonly assign_eps: number;
  readonly hard: boolean;
  readonly assign_scale: number;
  readonly assign_centre: boolean;
  readonly assign_rounds: number;
  readonly assign_start: 'queries' | 'medoids';
}

/** What the loss terms compare, and how much each counts. */
export interface LossConfig {
  readonly norm_pix: boolean;
  readonly target_norm: 'none' | 'l2';
  readonly feat_reduce: 'mean' | 'sum';
  readonly segment_reduce: 'sum' | 'mean';
  /** Weights of the loss terms, each under the key that the term has: `w_rec`, `w_dist`, `w_match`, `w_compose`. */
  readonly [weight: `w_${string}`]: number;
  readonly compose_by: 'area' | 'root';
  readonly distill_views: 'all' | 'first';
}

/** What the teacher's features are of. */
export interface DataConfig {
  readonly grids: readonly number[];
}

/** All sizes and choices of the model and its losses. */
export interface ZeroSegConfig
  extends EncoderConfig,
    DecoderConfig,
    HeadConfig,
    AssignmentConfig,
    LossConfig,
    DataConfig {}
