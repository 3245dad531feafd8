import type { Device } from '../gpu/device.ts';
import { join, type Weights, weightsFrom } from '../nn/module.ts';
import { random } from '../nn/random.ts';
import { CheckpointError, type StoredTensor, toFloat32 } from '../nn/safetensors.ts';
import { formatShape, sameShape } from '../tensor/shape.ts';
import { huggingFaceBlock } from './clip-checkpoint.ts';

/**
 * Weights to begin training with: those that `stored` has, and new ones for the rest. Understands files of this package, of
 * MAE and timm (`blocks.0...`, with or without `encoder.` in front, `decoder_blocks.0...`), of Hugging Face's ViT-MAE
 * (`vit.encoder.layer.0...`; see section 16.3), and of a CLIP, whose image tower then is where the encoder begins.
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
        // CLIP's class token has no axes of size 1.
        if (!sameShape(tensor.shape, partShape) && !sameShape([1, 1, ...tensor.shape], partShape)) {
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
    names.push([...clipVisionNames(rest)]);
  } else if (name.startsWith('decoder.')) {
    const rest = name.slice('decoder.'.length);
    names.push([rest === 'mask_token' ? rest : `decoder_${rest}`]);
    const direct = /^(embed|norm|pred)\./.test(rest) ? [`decoder.decoder_${rest}`] : undefined;
    names.push(direct ?? huggingFace(rest, 'decoder.decoder_layers', 'decoder', 'decoder.decoder_norm'));
  }
  return names;
}

/** The names of CLIP's image tower, as Hugging Face has them. */
function clipVisionNames(rest: string): readonly string[] {
  const block = /^blocks\.(\d+)\.(.+)$/.exec(rest);
  if (block) return huggingFaceBlock(`vision_model.encoder.layers.${block[1]}`, block[2] as string);
  return [
    rest
      .replace(/^cls_token$/, 'vision_model.embeddings.class_embedding')
      .replace(/^patch_embed\.proj/, 'vision_model.embeddings.patch_embedding')
      .replace(/^stem\./, 'vision_model.embeddings.stem.')
      .replace(/^norm\./, 'vision_model.post_layernorm.'),
  ];
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
