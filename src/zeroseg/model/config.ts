import { ownValue, shownValue } from '../../gpu/index.ts';
import { isStemPatch } from '../../nn/layers/index.ts';
import { ConfigError } from '../host/index.ts';
import { LARGEST_GRID, MOST_GRIDS } from '../image/index.ts';
/** All sizes and choices of the model and its losses. Names and defaults: the full model, ViT-B/16 at 224. */
export interface ZeroSegConfig {
  /** Side of the input image, side of a patch, channels. */
  readonly image: number;
  readonly patch: number;
  readonly chans: number;
  /**
   * How patches become tokens: by one linear layer, or by convolutions (`ConvStem`; `patch` is then a power of two). Convolutions
   * overlap, so the token of a kept patch knows a rim of the pixels above and to the left, which masking hides otherwise.
   */
  readonly stem: 'patch' | 'conv';
  /**
   * Positions of the encoder: fixed sines and cosines, or a table that is learnt, beginning with those or with that of the weights
   * that training begins with. The paper's are fixed.
   */
  readonly positions: 'fixed' | 'learnt';
  /** Encoder (paper: ViT-Base). */
  readonly dim: number;
  readonly depth: number;
  readonly heads: number;
  readonly mlp_ratio: number;
  /** Decoder (MAE's; the paper gives the 8 layers). */
  readonly dec_dim: number;
  readonly dec_depth: number;
  readonly dec_heads: number;
  /** Blocks of each stage of the segmentation head. */
  readonly seg_depths: readonly number[];
  /** Learnable tokens of the two grouping stages, and how many groups each forms. */
  readonly group_tokens: readonly number[];
  readonly output_groups: readonly number[];
  readonly seg_heads: number;
  readonly seg_mlp_ratio: number;
  /**
   * Hidden widths of the grouping block's token mixer and channel MLP, relative to `dim`. The mixer between the stages is half of
   * `dim` wide, whatever is said here.
   */
  readonly assign_mlp_ratio: readonly [number, number];
  /** Hidden width of the projector, and width of CLIP's joint space. */
  readonly proj_hidden: number;
  readonly clip_dim: number;
  /** LayerNorm's eps in encoder and decoder, and in the head. */
  readonly eps_mae: number;
  readonly eps_seg: number;
  /** Gumbel-softmax: temperature; phantom member in the group means; one-hot values with straight-through gradients. */
  readonly tau: number;
  readonly assign_eps: number;
  readonly hard: boolean;
  /** Share of patches that the encoder does not see in training. */
  readonly mask_ratio: number;
  /**
   * Beyond the paper, for small models and short runs. Weights of the head as N(0, 0.02²), or by Xavier's rule, which does not
   * depend on the width; a factor on the logits of the assignment; whether what the keys of all members share is taken off
   * them, so that no group is the best for every member; how many rounds of k-means find the groups of this image (the factor is
   * then one on cosines); and whether they begin at the queries, or at medoids of the keys.
   */
  readonly seg_init: 'normal' | 'xavier';
  readonly assign_scale: number;
  readonly assign_centre: boolean;
  readonly assign_rounds: number;
  readonly assign_start: 'queries' | 'medoids';
  /** What the head sees: the kept patches, or all positions with mask tokens in the gaps. */
  readonly seg_input: 'visible' | 'full';
  /** Whether the class token is a member too. */
  readonly seg_use_cls: boolean;
  /** Segments for the matching loss after the last block, or before it. */
  readonly segment_tap: 'post' | 'pre';
  /** Rebuild pixels standardised per patch. */
  readonly norm_pix: boolean;
  /** Sides of the view grids, in any order. 1 is the whole image: matching leaves it out, wherever it stands. */
  readonly grids: readonly number[];
  /** Compare features as they are, or as unit vectors. */
  readonly target_norm: 'none' | 'l2';
  /** Reductions of the L1 losses over channels and over segments. */
  readonly feat_reduce: 'mean' | 'sum';
  readonly segment_reduce: 'sum' | 'mean';
  /** Loss weights. */
  readonly w_rec: number;
  readonly w_dist: number;
  readonly w_match: number;
  /** Weight of the composition loss, beyond the paper: see `composition`. */
  readonly w_compose: number;
  /** By what the segments of a view count in the composition loss: their area, or its root. */
  readonly compose_by: 'area' | 'root';
  /** Which views the image embedding is pulled to: all, or that of the whole image only. */
  readonly distill_views: 'all' | 'first';
}

/** The paper's model. */
export const baseConfig: ZeroSegConfig = {
  image: 224,
  patch: 16,
  chans: 3,
  stem: 'patch',
  positions: 'fixed',
  dim: 768,
  depth: 12,
  heads: 12,
  mlp_ratio: 4,
  dec_dim: 512,
  dec_depth: 8,
  dec_heads: 16,
  seg_depths: [2, 2, 1],
  group_tokens: [32, 8],
  output_groups: [32, 8],
  seg_heads: 12,
  seg_mlp_ratio: 4,
  assign_mlp_ratio: [0.5, 4],
  proj_hidden: 3072,
  clip_dim: 768,
  eps_mae: 1e-6,
  eps_seg: 1e-5,
  tau: 1,
  assign_eps: 1,
  hard: true,
  mask_ratio: 0.6,
  seg_init: 'normal',
  assign_scale: 1,
  assign_centre: false,
  assign_rounds: 0,
  assign_start: 'queries',
  seg_input: 'visible',
  seg_use_cls: false,
  segment_tap: 'post',
  norm_pix: false,
  grids: [1, 2, 3, 4],
  target_norm: 'none',
  feat_reduce: 'mean',
  segment_reduce: 'sum',
  w_rec: 1,
  w_dist: 1,
  w_match: 1,
  w_compose: 0,
  compose_by: 'area',
  distill_views: 'all',
};

/** A model small enough to train on a processor in minutes: 64 px, 8 px patches, 16 then 8 groups. */
export const tinyConfig: ZeroSegConfig = {
  ...baseConfig,
  image: 64,
  patch: 8,
  dim: 96,
  depth: 4,
  heads: 4,
  dec_dim: 64,
  dec_depth: 2,
  dec_heads: 4,
  group_tokens: [16, 8],
  output_groups: [16, 8],
  seg_heads: 4,
  proj_hidden: 192,
  clip_dim: 64,
};

/**
 * What learns from made-up scenes within minutes on a processor: `tiny` with a convolutional stem, half its blocks, and what lets
 * so small a head leave the state in which noise assigns every patch (see README, "Beyond the paper").
 */
export const scenesConfig: ZeroSegConfig = {
  ...tinyConfig,
  stem: 'conv',
  depth: 2,
  dec_dim: 32,
  dec_depth: 1,
  dec_heads: 2,
  seg_depths: [1, 1, 1],
  seg_init: 'xavier',
  assign_scale: 16,
  assign_centre: true,
  assign_rounds: 3,
  mask_ratio: 0.4,
  segment_reduce: 'mean',
  w_rec: 0.1,
  w_compose: 8,
};

/** Configurations by name, for `--config`. */
export const configs: Readonly<Record<string, ZeroSegConfig>> = {
  base: baseConfig,
  tiny: tinyConfig,
  scenes: scenesConfig,
};

type Rule = (value: unknown) => string | undefined;
const whole =
  (least: number, most: number): Rule =>
  (v) =>
    Number.isInteger(v) && (v as number) >= least && (v as number) <= most
      ? undefined
      : `a whole number from ${least} to ${most}`;
const numberIn =
  (low: number, high: number): Rule =>
  (v) =>
    typeof v === 'number' && v >= low && v <= high ? undefined : `a number from ${low} to ${high}`;
const above =
  (low: number, high: number): Rule =>
  (v) =>
    typeof v === 'number' && v > low && v <= high ? undefined : `a number above ${low}, up to ${high}`;
const oneOf =
  (...allowed: readonly unknown[]): Rule =>
  (v) =>
    allowed.includes(v) ? undefined : `one of ${allowed.join(', ')}`;
const listOf =
  (rule: Rule, least: number, most = least): Rule =>
  (v) => {
    if (!Array.isArray(v) || v.length < least || v.length > most) {
      return least === most ? `a list of ${least}` : `a list of ${least} to ${most}`;
    }
    const broken = v.map(rule).find((words) => words !== undefined);
    return broken && `a list in which each is ${broken}`;
  };

// Bounds are far beyond what was ever trained (the largest published ViT is 6,144 wide and has 56 blocks), and low enough that a
// slip of the keyboard is told at once, not by a machine without memory.
const width = (least: number): Rule => whole(least, 65_536);
const blocks = whole(0, 1024);
const heads = whole(1, 4096);
const ratio = above(0, 64);
const weight = numberIn(0, 1e6);

const rules: Readonly<Record<keyof ZeroSegConfig, Rule>> = {
  image: whole(1, 16_384),
  patch: whole(1, 4096),
  chans: whole(1, 256),
  stem: oneOf('patch', 'conv'),
  positions: oneOf('fixed', 'learnt'),
  dim: width(4),
  depth: blocks,
  heads,
  mlp_ratio: ratio,
  dec_dim: width(4),
  dec_depth: blocks,
  dec_heads: heads,
  seg_depths: listOf(blocks, 3),
  group_tokens: listOf(whole(1, 65_536), 2),
  output_groups: listOf(whole(1, 65_536), 2),
  seg_heads: heads,
  seg_mlp_ratio: ratio,
  assign_mlp_ratio: listOf(ratio, 2),
  proj_hidden: width(1),
  clip_dim: width(1),
  eps_mae: above(0, 1),
  eps_seg: above(0, 1),
  tau: above(0, 1e6),
  assign_eps: above(0, 1e6),
  hard: oneOf(true, false),
  mask_ratio: numberIn(0, 1),
  seg_init: oneOf('normal', 'xavier'),
  assign_scale: above(0, 1e6),
  assign_centre: oneOf(true, false),
  assign_rounds: whole(0, 1000),
  assign_start: oneOf('queries', 'medoids'),
  seg_input: oneOf('visible', 'full'),
  seg_use_cls: oneOf(true, false),
  segment_tap: oneOf('post', 'pre'),
  norm_pix: oneOf(true, false),
  grids: listOf(whole(1, LARGEST_GRID), 1, MOST_GRIDS),
  target_norm: oneOf('none', 'l2'),
  feat_reduce: oneOf('mean', 'sum'),
  segment_reduce: oneOf('sum', 'mean'),
  w_rec: weight,
  w_dist: weight,
  w_match: weight,
  w_compose: weight,
  compose_by: oneOf('area', 'root'),
  distill_views: oneOf('all', 'first'),
};

/** Patches of an image: 512 × 512 of them. Their attention alone has 2^36 values a head. */
const MOST_PATCHES = 2 ** 18;
/** Values of one weight: 4 GiB of them, which is what the largest GPU buffer holds. */
const LARGEST_WEIGHT = 2 ** 30;
/** Values of all weights. */
const MOST_WEIGHTS = 2 ** 36;

/**
 * Checks a configuration, completed by `defaults`.
 *
 * @throws ConfigError that names the key: an unknown one, a value of the wrong kind, sizes that do not divide.
 */
export function resolveConfig(
  given: Readonly<Record<string, unknown>>,
  defaults: ZeroSegConfig = baseConfig,
): ZeroSegConfig {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new ConfigError(`configuration: it must be an object of keys and values; got ${shownValue(given)}`);
  }
  for (const [key, value] of Object.entries(given)) {
    const rule = ownValue<Rule>(rules, key);
    if (!rule)
      throw new ConfigError(`configuration: there is no key '${key}'; keys are ${Object.keys(rules).join(', ')}`);
    const expected = rule(value);
    if (expected) throw new ConfigError(`configuration: '${key}' must be ${expected}; got ${shownValue(value)}`);
  }
  const config = { ...defaults, ...given } as ZeroSegConfig;
  const divides = (a: keyof ZeroSegConfig, b: keyof ZeroSegConfig) => {
    if ((config[a] as number) % (config[b] as number) !== 0) {
      throw new ConfigError(`configuration: '${a}' (${config[a]}) must be a multiple of '${b}' (${config[b]})`);
    }
  };
  divides('image', 'patch');
  divides('dim', 'heads');
  divides('dim', 'seg_heads');
  divides('dec_dim', 'dec_heads');
  for (const key of ['dim', 'dec_dim'] as const) {
    if (config[key] % 4 !== 0)
      throw new ConfigError(`configuration: '${key}' must be a multiple of 4; got ${config[key]}`);
  }
  if (config.stem === 'conv' && !isStemPatch(config.patch)) {
    throw new ConfigError(
      `configuration: 'patch' must be a power of two, at least 2, with 'stem' conv; got ${config.patch}`,
    );
  }
  checkSizes(config);
  if (config.distill_views === 'first' && !config.grids.includes(1)) {
    throw new ConfigError(
      `configuration: 'distill_views' first is the view of the whole image; 'grids' [${config.grids.join(', ')}] has no 1`,
    );
  }
  if (keptPatches(config) < 1) {
    throw new ConfigError(`configuration: 'mask_ratio' ${config.mask_ratio} leaves no patch of ${patchCount(config)}`);
  }
  return config;
}

/** What each size alone may be, together they may not: weights and images that no machine holds. */
function checkSizes(config: ZeroSegConfig): void {
  const { image, patch, chans, dim, dec_dim, mlp_ratio, depth, dec_depth, seg_depths, seg_mlp_ratio, clip_dim } =
    config;
  const limit = (what: string, size: number, most: number): void => {
    if (size > most) throw new ConfigError(`configuration: ${what} are ${size}; at most ${most} are possible`);
  };
  limit(`the patches of 'image' ${image} and 'patch' ${patch}`, patchCount(config), MOST_PATCHES);
  const block = (width: number, ratio: number): number[] => [3 * width * width, 2 * width * hiddenWidth(width, ratio)];
  const blocks: [string, number, number[]][] = [
    ["the encoder's blocks ('dim', 'mlp_ratio', 'depth')", depth, block(dim, mlp_ratio)],
    ["the decoder's blocks ('dec_dim', 'mlp_ratio', 'dec_depth')", dec_depth, block(dec_dim, mlp_ratio)],
    [
      "the head's blocks ('dim', 'seg_mlp_ratio', 'seg_depths')",
      seg_depths.reduce((a, b) => a + b),
      block(dim, seg_mlp_ratio),
    ],
    [
      "the patches' projections ('patch', 'chans', 'dim', 'dec_dim')",
      1,
      [patch ** 2 * chans * dim, patch ** 2 * chans * dec_dim],
    ],
    ["the projector ('dim', 'proj_hidden', 'clip_dim')", 1, [dim * config.proj_hidden, config.proj_hidden * clip_dim]],
    ["the grouping ('dim', 'group_tokens', 'assign_mlp_ratio')", 2, groupingWeights(config)],
  ];
  let total = 0;
  for (const [what, count, sizes] of blocks) {
    limit(`the values of the largest weight of ${what}`, Math.max(...sizes), LARGEST_WEIGHT);
    total += count * sizes.reduce((a, b) => a + b);
  }
  limit('the values of all weights', total, MOST_WEIGHTS);
}

function groupingWeights({
  dim,
  group_tokens,
  output_groups,
  assign_mlp_ratio: [tokens, channels],
}: ZeroSegConfig): number[] {
  const mixed = group_tokens.map(
    (count, i) => Math.max(count, output_groups[i] ?? 0) * Math.max(hiddenWidth(dim, tokens), dim),
  );
  return [...mixed, 2 * dim * hiddenWidth(dim, channels), 4 * dim * dim];
}

/** Patches of an input image. */
export function patchCount({ image, patch }: ZeroSegConfig): number {
  return (image / patch) ** 2;
}

/** Patches that the encoder sees in training: `floor(N · (1 − mask_ratio))`. */
export function keptPatches(config: ZeroSegConfig): number {
  return keepCount(patchCount(config), config.mask_ratio);
}

/** `floor(n · (1 − ratio))`, with the usual floating-point product. */
export function keepCount(n: number, ratio: number): number {
  return Math.floor(n * (1 - ratio));
}

/** Width of an MLP's hidden layer: truncated, as timm, MAE and GroupViT have it. */
export function hiddenWidth(dim: number, ratio: number): number {
  return Math.trunc(dim * ratio);
}
