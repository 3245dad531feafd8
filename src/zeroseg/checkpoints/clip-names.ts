/** What published CLIP files call our weights. */

/** How a published file calls one of our weights. */
export interface Published {
  /** Joined along the first axis: q, k and v into qkv. */
  readonly names: readonly string[];
  /** Stored input × output. */
  readonly transposed?: boolean;
}

/**
 * Our addition to Hugging Face's names: the tokens, ascending, whose rows the token embedding has, where it has not all: see
 * `TokenTable`. CLIP's end token, the largest, is one of them.
 */
export const TOKEN_IDS = 'text_model.embeddings.token_ids';

/** The convolutional stem of our own teachers, which Hugging Face has no name for. */
export const stemName = 'vision_model.embeddings.stem';

/** Our names of a block's weights in Hugging Face's words. Also GroupViT's towers. */
export function huggingFaceBlock(prefix: string, rest: string): readonly string[] {
  const kind = rest.slice(rest.lastIndexOf('.') + 1);
  if (rest.startsWith('attn.qkv.')) return ['q', 'k', 'v'].map((p) => `${prefix}.self_attn.${p}_proj.${kind}`);
  return [`${prefix}.${rest.replace('attn.proj', 'self_attn.out_proj').replace(/^norm([12])/, 'layer_norm$1')}`];
}

/** Where Hugging Face has one of our weights. */
export function huggingFaceName(tower: 'vision' | 'text', name: string): Published {
  const model = `${tower}_model`;
  const block = /^blocks\.(\d+)\.(.+)$/.exec(name);
  if (block) return { names: huggingFaceBlock(`${model}.encoder.layers.${block[1]}`, block[2] as string) };
  if (name.startsWith('stem.')) return { names: [`${stemName}${name.slice('stem'.length)}`] };
  const direct: Record<string, string> = {
    class_embedding: `${model}.embeddings.class_embedding`,
    'patch_embed.proj.weight': `${model}.embeddings.patch_embedding.weight`,
    positions: `${model}.embeddings.position_embedding.weight`,
    'norm_pre.weight': `${model}.pre_layrnorm.weight`,
    'norm_pre.bias': `${model}.pre_layrnorm.bias`,
    'norm_post.weight': `${model}.post_layernorm.weight`,
    'norm_post.bias': `${model}.post_layernorm.bias`,
    'norm.weight': `${model}.final_layer_norm.weight`,
    'norm.bias': `${model}.final_layer_norm.bias`,
    'projection.weight': tower === 'vision' ? 'visual_projection.weight' : 'text_projection.weight',
  };
  return { names: [direct[name] ?? name] };
}

/** Where OpenAI has one of our weights. */
export function openAiName(tower: 'vision' | 'text', name: string): Published {
  const prefix = tower === 'vision' ? 'visual.' : '';
  const block = /^blocks\.(\d+)\.(.+)$/.exec(name);
  if (block) {
    const rest = (block[2] as string)
      .replace(/^attn\.qkv\.(weight|bias)$/, 'attn.in_proj_$1')
      .replace('attn.proj', 'attn.out_proj')
      .replace(/^norm([12])/, 'ln_$1')
      .replace('mlp.fc1', 'mlp.c_fc')
      .replace('mlp.fc2', 'mlp.c_proj');
    return { names: [`${prefix}transformer.resblocks.${block[1]}.${rest}`] };
  }
  if (name === 'projection.weight') {
    return { names: [tower === 'vision' ? 'visual.proj' : 'text_projection'], transposed: true };
  }
  const direct: Record<string, string> = {
    class_embedding: 'visual.class_embedding',
    'patch_embed.proj.weight': 'visual.conv1.weight',
    positions: `${prefix}positional_embedding`,
    'norm_pre.weight': 'visual.ln_pre.weight',
    'norm_pre.bias': 'visual.ln_pre.bias',
    'norm_post.weight': 'visual.ln_post.weight',
    'norm_post.bias': 'visual.ln_post.bias',
    'norm.weight': 'ln_final.weight',
    'norm.bias': 'ln_final.bias',
  };
  return { names: [direct[name] ?? name] };
}
