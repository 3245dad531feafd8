import { CheckpointError, type WeightTensor } from '../../nn/safetensors/index.ts';
import { publishedNames } from '../checkpoints/index.ts';
import { ConfigError } from '../host/index.ts';
import { baseConfig, type EncoderConfig, positionTable } from '../model/index.ts';

export interface BackboneOptions {
  /** Side of the images that the encoder will see, in pixels. Default: that of its position table, else 224. */
  readonly image?: number | undefined;
  /** Attention heads, which no tensor tells. Default: width / 64, as in all published ViTs. */
  readonly heads?: number | undefined;
}

/**
 * Sizes of the encoder in a file of weights, told by its tensors: of MAE, timm, DeiT, DINO, ViT-MAE, a CLIP's image tower, or a model of
 * this package, with or without a stem of convolutions.
 *
 * ```ts
 * const config = await backboneConfig(tensors, 'vit.safetensors', { image: 224 }); // { dim: 384, depth: 12, heads: 6, ... }
 * ```
 *
 * @throws CheckpointError where the file holds no encoder; ConfigError where heads cannot be told, or patches do not fill the image.
 */
export async function backboneConfig(
  stored: ReadonlyMap<string, WeightTensor>,
  file: string,
  { image: asked, heads }: BackboneOptions = {},
): Promise<EncoderConfig> {
  const find = (name: string): WeightTensor | undefined =>
    publishedNames(`encoder.${name}`)
      .map((theirs) => stored.get(theirs[0] as string))
      .find((found) => found !== undefined);
  const need = (name: string): WeightTensor => {
    const found = find(name);
    if (found) return found;
    const names = publishedNames(`encoder.${name}`).map((theirs) => `'${theirs[0]}'`);
    throw new CheckpointError(
      file,
      `holds no encoder that can be fine-tuned: there is no tensor ${[...new Set(names)].join(', ')}; give an MAE, a timm ViT, a ViT-MAE, a CLIP or a model of \`zeroseg train\``,
    );
  };
  const dim = need('norm.weight').shape[0] as number;
  const fc1 = need('blocks.0.mlp.fc1.weight').shape[0] as number;
  let depth = 1;
  while (find(`blocks.${depth}.norm1.weight`)) depth++;
  const stem = find('stem.proj.weight') !== undefined;
  let convs = 0;
  while (find(`stem.convs.${convs}.weight`)) convs++;
  const [, chans = 3, patch = 0] = stem
    ? [0, find('stem.convs.0.weight')?.shape[1], 2 ** convs]
    : need('patch_embed.proj.weight').shape;
  if (heads === undefined && dim % 64 !== 0) {
    throw new ConfigError(
      `${file}: how many attention heads its encoder has cannot be told from a width of ${dim}; give --heads`,
    );
  }
  const count = heads ?? dim / 64;
  if (dim % count !== 0) throw new ConfigError(`${file}: ${count} heads do not divide the encoder's width of ${dim}`);
  const table = await positionTable(stored, file);
  const image = asked ?? (table ? table.side * patch : 224);
  if (image % patch !== 0) {
    throw new ConfigError(`'crop' must be a multiple of the backbone's patches of ${patch} pixels; got ${image}`);
  }
  return {
    image,
    patch,
    chans,
    stem: stem ? 'conv' : 'patch',
    positions: table?.isLearnt ? 'learnt' : 'fixed',
    dim,
    depth,
    heads: count,
    mlp_ratio: fc1 / dim,
    eps_mae: baseConfig.eps_mae,
    mask_ratio: 0,
  };
}
