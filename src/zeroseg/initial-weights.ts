import type { Device } from '../gpu/device.ts';
import { join, type Weights, weightsFrom } from '../nn/module.ts';
import { random } from '../nn/random.ts';
import { CheckpointError, type StoredTensor, toFloat32 } from '../nn/safetensors.ts';
import { formatShape, sameShape } from '../tensor/shape.ts';

/**
 * Weights to begin training with: those that `stored` has, and new ones for the rest. Understands files of this package, of
 * MAE and timm (`blocks.0...`, with or without `encoder.` in front, `decoder_blocks.0...`), and of Hugging Face's ViT-MAE
 * (`vit.encoder.layer.0...`); see section 16.3.
 *
 * `used` gets the name of every weight that was found.
 *
 * @throws {CheckpointError} when a tensor has another shape, or when the encoder is not there.
 */
export function initialWeights(
  device: Device,
  seed: number,
  stored: ReadonlyMap<string, StoredTensor>,
  file: string,
  used: Set<string>,
): Weights {
  return weightsFrom(device, (name, shape, init) => {
    for (const names of publishedNames(name)) {
      const found = names.map((part) => stored.get(part));
      if (!found.every((tensor) => tensor !== undefined)) continue;
      const partShape = names.length === 1 ? shape : [(shape[0] ?? 1) / names.length, ...shape.slice(1)];
      for (const tensor of found) {
        if (!sameShape(tensor.shape, partShape)) {
          throw new CheckpointError(
            file,
            `tensor '${tensor.name}' is ${formatShape(tensor.shape)}; the model's '${name}' takes ${formatShape(partShape)}`,
          );
        }
      }
      used.add(name);
      return join(found.map(toFloat32));
    }
    if (name.startsWith('encoder.')) {
      const names = publishedNames(name).map((theirs) => `'${theirs[0]}'`);
      throw new CheckpointError(
        file,
        `has no tensor for '${name}' (looked for ${names.join(', ')}); initial weights must hold a whole encoder`,
      );
    }
    return init(shape, random(seed, name));
  });
}

/** What the published files call one of our weights; more than one name is joined along the first axis. */
function publishedNames(name: string): string[][] {
  const names = [[name]];
  if (name.startsWith('encoder.')) {
    const rest = name.slice('encoder.'.length);
    names.push([rest], huggingFace(rest, 'vit.encoder.layer', 'vit.embeddings', 'vit.layernorm'));
    names.push(huggingFace(rest, 'encoder.layer', 'embeddings', 'layernorm'));
  } else if (name.startsWith('decoder.')) {
    const rest = name.slice('decoder.'.length);
    names.push([rest === 'mask_token' ? rest : `decoder_${rest}`]);
    const direct = /^(embed|norm|pred)\./.test(rest) ? [`decoder.decoder_${rest}`] : undefined;
    names.push(direct ?? huggingFace(rest, 'decoder.decoder_layers', 'decoder', 'decoder.decoder_norm'));
  }
  return names;
}

function huggingFace(rest: string, layers: string, embeddings: string, norm: string): string[] {
  const block = /^blocks\.(\d+)\.(.+)\.(weight|bias)$/.exec(rest);
  if (!block) {
    return [
      rest
        .replace(/^(cls_token|mask_token)$/, `${embeddings}.$1`)
        .replace(/^patch_embed\.proj/, `${embeddings}.patch_embeddings.projection`)
        .replace(/^norm\./, `${norm}.`),
    ];
  }
  const [, number, inside, kind] = block as unknown as [string, string, string, string];
  const at = `${layers}.${number}`;
  if (inside === 'attn.qkv')
    return ['query', 'key', 'value'].map((part) => `${at}.attention.attention.${part}.${kind}`);
  const theirs: Record<string, string> = {
    norm1: 'layernorm_before',
    norm2: 'layernorm_after',
    'attn.proj': 'attention.output.dense',
    'mlp.fc1': 'intermediate.dense',
    'mlp.fc2': 'output.dense',
  };
  return [`${at}.${theirs[inside] ?? inside}.${kind}`];
}
