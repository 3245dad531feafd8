/** What published files of vision transformers (MAE, Hugging Face's ViT and ViT-MAE, CLIP's image tower) call our weights. */
import { huggingFaceBlock } from './clip-names.ts';

/** What the published files call one of our weights; more than one name is joined along the first axis. */
export function publishedNames(name: string): string[][] {
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
