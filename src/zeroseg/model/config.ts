import { shownValue } from '../../gpu/index.ts';
import { isStemPatch } from '../../nn/layers/index.ts';
import { ConfigError, defaultsOf, valueProblem } from '../host/index.ts';
import type { EncoderConfig, ZeroSegConfig } from './config-groups.ts';
import { configSchema } from './config-schema.ts';

/** The paper's model: ViT-B/16 at 224. */
export const baseConfig: ZeroSegConfig = defaultsOf(configSchema());

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
 * so small a head leave the state in which noise assigns every patch (see docs/beyond-the-paper.md).
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

/** Patches of an image: 512 × 512 of them. Their attention alone has 2^36 values a head. */
const MAX_PATCHES = 2 ** 18;
/** Values of one weight: 4 GiB of them, which is what the largest GPU buffer holds. */
const LARGEST_WEIGHT = 2 ** 30;
/** Values of all weights. */
const MAX_WEIGHTS = 2 ** 36;

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
  const schema = configSchema();
  const problem = valueProblem(schema, given);
  if (problem !== undefined) throw new ConfigError(`configuration: ${problem}`);
  const config = { ...defaultsOf(schema), ...defaults, ...given } as ZeroSegConfig;
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
  const limit = (what: string, size: number, max: number): void => {
    if (size > max) throw new ConfigError(`configuration: ${what} are ${size}; at most ${max} are possible`);
  };
  limit(`the patches of 'image' ${image} and 'patch' ${patch}`, patchCount(config), MAX_PATCHES);
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
  limit('the values of all weights', total, MAX_WEIGHTS);
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
export function patchCount({ image, patch }: EncoderConfig): number {
  return (image / patch) ** 2;
}

/** Patches that the encoder sees in training: `floor(N · (1 − mask_ratio))`. */
export function keptPatches(config: EncoderConfig): number {
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
