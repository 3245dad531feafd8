import { flag, type Key, listOf, numberIn, oneOf, type Schema, wholeNumber } from '../host/index.ts';
import { LARGEST_GRID, MAX_GRIDS } from '../image/index.ts';
import type {
  AssignmentConfig,
  DataConfig,
  DecoderConfig,
  EncoderConfig,
  HeadConfig,
  LossConfig,
  ZeroSegConfig,
} from './config-groups.ts';
import { lossTerms } from './losses/losses.ts';

// Bounds are far beyond what was ever trained (the largest published ViT is 6,144 wide and has 56 blocks), and low enough that a
// slip of the keyboard is told at once, not by a machine without memory.
const width = (min: number) => wholeNumber(min, 65_536);
const blocks = wholeNumber(0, 1024);
const heads = wholeNumber(1, 4096);
const groups = wholeNumber(1, 65_536);
const ratio = numberIn({ above: 0, to: 64 });
const factor = numberIn({ above: 0, to: 1e6 });
const epsilon = numberIn({ above: 0, to: 1 });

const encoder: Schema<EncoderConfig> = {
  image: { kind: wholeNumber(1, 16_384), default: 224, about: 'Side of the input image, in pixels.' },
  patch: {
    kind: wholeNumber(1, 4096),
    default: 16,
    about: 'Side of a patch, in pixels; divides the side of the image.',
  },
  chans: { kind: wholeNumber(1, 256), default: 3, about: 'Channels of the input image.' },
  stem: {
    kind: oneOf('patch', 'conv'),
    default: 'patch',
    about:
      "How patches become tokens: by one linear layer, or by strided convolutions ('patch' is then a power of two). Convolutions overlap, so the token of a kept patch knows a rim of the pixels above and to the left, which masking hides otherwise.",
  },
  positions: {
    kind: oneOf('fixed', 'learnt'),
    default: 'fixed',
    about:
      "Positions of the encoder: the paper's fixed sines and cosines, or a table that is learnt, beginning with those or with that of the weights that training begins with.",
  },
  dim: { kind: width(4), default: 768, about: 'Width of encoder and head; a multiple of 4.' },
  depth: { kind: blocks, default: 12, about: 'Blocks of the encoder.' },
  heads: { kind: heads, default: 12, about: 'Attention heads of the encoder.' },
  mlp_ratio: {
    kind: ratio,
    default: 4,
    about: "Hidden width of the MLPs of encoder and decoder, relative to the block's width.",
  },
  eps_mae: { kind: epsilon, default: 1e-6, about: "LayerNorm's epsilon in encoder and decoder." },
  mask_ratio: {
    kind: numberIn({ from: 0, to: 1 }),
    default: 0.6,
    about: 'Fraction of patches that the encoder does not see in training.',
  },
};

const decoder: Schema<DecoderConfig> = {
  dec_dim: { kind: width(4), default: 512, about: 'Width of the decoder; a multiple of 4.' },
  dec_depth: { kind: blocks, default: 8, about: 'Blocks of the decoder.' },
  dec_heads: { kind: heads, default: 16, about: 'Attention heads of the decoder.' },
};

const head: Schema<HeadConfig> = {
  seg_depths: { kind: listOf(blocks, 3), default: [2, 2, 1], about: 'Blocks of the three stages of the head.' },
  group_tokens: {
    kind: listOf(groups, 2),
    default: [32, 8],
    about: 'Learnable group tokens of the two grouping stages.',
  },
  output_groups: { kind: listOf(groups, 2), default: [32, 8], about: 'Groups that each grouping stage forms.' },
  seg_heads: { kind: heads, default: 12, about: 'Attention heads of the head.' },
  seg_mlp_ratio: {
    kind: ratio,
    default: 4,
    about: "Hidden width of the MLPs of the head's blocks, relative to 'dim'.",
  },
  assign_mlp_ratio: {
    kind: listOf(ratio, 2) as Key<readonly [number, number]>['kind'],
    default: [0.5, 4],
    about:
      "Hidden widths of a grouping block's token mixer and channel MLP, relative to 'dim'. The mixer between the stages is half of 'dim' wide, whatever is said here.",
  },
  proj_hidden: { kind: width(1), default: 3072, about: 'Hidden width of the projector.' },
  clip_dim: { kind: width(1), default: 768, about: "Width of CLIP's joint space." },
  eps_seg: { kind: epsilon, default: 1e-5, about: "LayerNorm's epsilon in the head." },
  seg_init: {
    kind: oneOf('normal', 'xavier'),
    default: 'normal',
    about:
      "Initial weights of the head: N(0, 0.02²), or Xavier's rule, which does not depend on the width (beyond the paper).",
  },
  seg_input: {
    kind: oneOf('visible', 'full'),
    default: 'visible',
    about: 'What the head sees: the kept patches, or all positions with mask tokens in the gaps.',
  },
  seg_use_cls: { kind: flag, default: false, about: 'Whether the class token is a member too.' },
  segment_tap: {
    kind: oneOf('post', 'pre'),
    default: 'post',
    about: 'Whether segments for the matching loss are taken after the last block, or before it.',
  },
};

const assignment: Schema<AssignmentConfig> = {
  tau: { kind: factor, default: 1, about: 'Temperature of the Gumbel-softmax.' },
  assign_eps: { kind: factor, default: 1, about: 'Weight of a phantom member in the means of the groups.' },
  hard: {
    kind: flag,
    default: true,
    about: 'One-hot assignments with straight-through gradients, instead of soft ones.',
  },
  assign_scale: { kind: factor, default: 1, about: 'A factor on the logits of the assignment (beyond the paper).' },
  assign_centre: {
    kind: flag,
    default: false,
    about:
      'Whether the mean of the keys over all members is taken off them, so that no group is the best for every member (beyond the paper).',
  },
  assign_rounds: {
    kind: wholeNumber(0, 1000),
    default: 0,
    about:
      "Rounds of k-means that find the groups of this image; 'assign_scale' is then a factor on cosines (beyond the paper).",
  },
  assign_start: {
    kind: oneOf('queries', 'medoids'),
    default: 'queries',
    about: 'Where the rounds begin: at the queries, or at medoids of the keys (beyond the paper).',
  },
};

const data: Schema<DataConfig> = {
  grids: {
    kind: listOf(numberIn({ from: 1, to: LARGEST_GRID }), 1, MAX_GRIDS),
    default: [1, 2, 3, 4],
    about:
      'Sides of the view grids, in any order. 1 is the whole image: matching leaves it out, wherever it stands. A grid k that is no whole number, such as 2.667, has 2⌈k⌉ − 1 overlapping cells along a side, each 1/k of it: only the composition loss looks at them (beyond the paper).',
  },
};

/** The schema of the losses, with the weights of the terms that there are. */
function losses(): Schema<LossConfig> {
  const weights = lossTerms.map(({ weight, title, defaultWeight }) => {
    const about = `Weight of the loss term '${title}'. 0 leaves it out of the loss.`;
    return [weight, { kind: numberIn({ from: 0, to: 1e6 }), default: defaultWeight, about }] as const;
  });
  return {
    norm_pix: { kind: flag, default: false, about: 'Whether the decoder rebuilds pixels standardised per patch.' },
    target_norm: {
      kind: oneOf('none', 'l2'),
      default: 'none',
      about: 'Whether features are compared as they are, or as unit vectors.',
    },
    feat_reduce: {
      kind: oneOf('mean', 'sum'),
      default: 'mean',
      about: 'Reduction of the L1 losses over channels.',
    },
    segment_reduce: {
      kind: oneOf('sum', 'mean'),
      default: 'sum',
      about: 'Reduction of the matching loss over segments.',
    },
    ...(Object.fromEntries(weights) as Record<`w_${string}`, Key<number>>),
    compose_by: {
      kind: oneOf('area', 'root'),
      default: 'area',
      about: 'By what the segments of a view count in the composition loss: their area, or its root.',
    },
    distill_views: {
      kind: oneOf('all', 'first'),
      default: 'all',
      about: 'Which views the image embedding is pulled to: all, or that of the whole image only.',
    },
  };
}

/** The schemas of the groups, in the order of the model. */
export function configGroups(): Readonly<Record<ConfigGroup, Readonly<Record<string, Key>>>> {
  return { encoder, decoder, head, assignment, losses: losses(), data };
}

export type ConfigGroup = 'encoder' | 'decoder' | 'head' | 'assignment' | 'losses' | 'data';

/** Every key of a configuration: what it means, what it may be, and what it is in the paper's model. */
export function configSchema(): Schema<ZeroSegConfig> {
  return { ...encoder, ...decoder, ...head, ...assignment, ...data, ...losses() };
}
