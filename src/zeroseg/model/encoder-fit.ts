import { CheckpointError, type WeightTensor } from '../../nn/safetensors/index.ts';
import { findVit, numbered } from '../checkpoints/index.ts';
import type { EncoderConfig } from './config-groups.ts';

/**
 * Says in one sentence why a model's encoder cannot begin with a file: what the file is, what it lacks, and what to do.
 *
 * @throws CheckpointError when the file's encoder has other sizes, or is none.
 */
export function checkEncoderFit(stored: ReadonlyMap<string, WeightTensor>, file: string, config: EncoderConfig): void {
  const vit = findVit(stored, file);
  if (!vit) {
    throw new CheckpointError(
      file,
      'has no vision transformer; initial weights are those of MAE, timm, DeiT, DINO, DINOv2, MoCo v3, a ViT of Hugging Face, a CLIP, or a model of this package',
    );
  }
  const [dim, , patch] = vit.weights.get('patch_embed.proj.weight')?.tensors[0]?.shape ?? [];
  const depth = numbered(vit.weights, 'blocks.');
  const theirs = { ...(dim !== undefined && { dim }), ...(patch !== undefined && { patch }), depth };
  const differing = Object.entries(theirs).filter(([key, value]) => {
    const own = config[key as keyof typeof theirs];
    // A model may be shallower than what it begins with.
    return key === 'depth' ? value < own : value !== own;
  });
  if (differing.length === 0) return;
  const words = ({ dim, patch, depth }: { dim?: number; patch?: number; depth: number }): string =>
    [dim && `width ${dim}`, `${depth} blocks`, patch && `patches of ${patch}`].filter(Boolean).join(', ');
  const heads = dim !== undefined && dim % 64 === 0 && dim !== config.dim ? [['heads', dim / 64]] : [];
  const settings = [...differing, ...heads].map(([key, value]) => `--set ${key}=${value}`).join(' ');
  throw new CheckpointError(
    file,
    `is a ${vit.kind} (${words(theirs)}), and the model's encoder has ${words(config)}; give ${settings}, or weights of its sizes`,
  );
}
