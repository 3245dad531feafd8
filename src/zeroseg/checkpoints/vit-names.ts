/** What published files of masked autoencoders (MAE, Hugging Face's ViT-MAE) call the weights of our decoder. */

/** What the files call one of our weights; more than one name is joined along the first axis. */
export function publishedDecoderNames(name: string): string[][] {
  const names = [[name]];
  if (name.startsWith('decoder.')) {
    const rest = name.slice('decoder.'.length);
    names.push([rest === 'mask_token' ? rest : `decoder_${rest}`]);
    const direct = /^(embed|norm|pred)\./.test(rest) ? [`decoder.decoder_${rest}`] : undefined;
    names.push(direct ?? huggingFace(rest));
  }
  return names;
}

function huggingFace(rest: string): string[] {
  const block = /^blocks\.(\d+)\.(.+)\.(weight|bias)$/.exec(rest);
  if (!block) return [rest.replace(/^mask_token$/, 'decoder.mask_token')];
  const [, number, inside, kind] = block as unknown as [string, string, string, string];
  const at = `decoder.decoder_layers.${number}`;
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
