import { CheckpointError, type WeightTensor } from '../../nn/safetensors/index.ts';
import { findVit, numbered } from '../checkpoints/index.ts';
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
  const vit = findVit(stored, file);
  const shapeOf = (name: string): readonly number[] | undefined => vit?.weights.get(name)?.tensors[0]?.shape;
  const [dim] = shapeOf('norm.weight') ?? [];
  const [fc1] = shapeOf('blocks.0.mlp.fc1.weight') ?? [];
  const depth = vit ? numbered(vit.weights, 'blocks.') : 0;
  const convs = vit ? numbered(vit.weights, 'stem.convs.') : 0;
  const [, chans = 3, side = 0] = shapeOf(convs > 0 ? 'stem.convs.0.weight' : 'patch_embed.proj.weight') ?? [];
  const patch = convs > 0 ? 2 ** convs : side;
  if (dim === undefined || fc1 === undefined || patch === 0) {
    throw new CheckpointError(
      file,
      'holds no encoder that can be fine-tuned; give an MAE, timm, DeiT, DINO, MoCo v3, a ViT of Hugging Face, a CLIP, or a model of `zeroseg train`',
    );
  }
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
    stem: convs > 0 ? 'conv' : 'patch',
    positions: table?.isLearnt ? 'learnt' : 'fixed',
    dim,
    depth,
    heads: count,
    mlp_ratio: fc1 / dim,
    eps_mae: baseConfig.eps_mae,
    mask_ratio: 0,
  };
}
