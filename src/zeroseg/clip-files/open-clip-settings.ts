/** `open_clip_config.json`, as open_clip's factory and its towers read it. */
import {
  type Claim,
  constants,
  isEmpty,
  isObject,
  type Json,
  present,
  type Rule,
  Section,
} from '../checkpoints/index.ts';
import type { ClipActivation } from '../clip/index.ts';
import type { ClipSettings, TowerSettings } from './tower-settings.ts';

/** Whether {@link openClipSettings} takes a tower's key. What is not here is read, or refused. */
const openClipTower: Readonly<Record<string, Rule>> = {
  ls_init_value: [],
  output_tokens: 'any',
  // The class token, or the end token, is normed alone or among all: the same numbers.
  final_ln_after_pool: 'any',
  block_type: ['default', ''],
  qk_norm: [false],
  scaled_cosine_attn: [false],
  scale_heads: [false],
  scale_attn_inner: [false],
  scale_attn: [false],
  scale_fc: [false],
};
const openClipVision: Readonly<Record<string, Rule>> = {
  ...openClipTower,
  patch_dropout: 'any',
  attentional_pool: [false, ''],
  attn_pooler_queries: 'any',
  attn_pooler_heads: 'any',
  no_ln_pre: [false],
  // The table is stored, learnt or not.
  pos_embed_type: ['learnable', 'sin_cos_2d'],
  pool_type: ['tok'],
  input_patchnorm: [false],
  global_average_pool: [false],
  timm_model_name: [''],
  timm_model_pretrained: 'any',
  timm_pool: 'any',
  timm_proj: 'any',
  timm_proj_bias: 'any',
  timm_drop: 'any',
  timm_drop_path: 'any',
};
const openClipText: Readonly<Record<string, Rule>> = {
  ...openClipTower,
  // Only a tower that is refused looks at padding; what follows the end token is masked.
  pad_id: 'any',
  eos_id: 'any',
  correct_cls_mask: 'any',
  embed_cls: [false],
  no_causal_mask: [false],
  pool_type: ['argmax'],
  proj_type: ['linear'],
  proj_bias: [false],
  text_mask: ['first'],
  bert_tokenizer: [false],
  tokenizer_kwargs: isEmpty,
  tokenizer_mode: isEmpty,
  hf_tokenizer_name: [''],
  hf_model_name: [''],
  hf_model_pretrained: 'any',
  hf_proj_type: 'any',
  hf_pooler_type: 'any',
};

/** @throws CheckpointError that names the key which is not computed here. */
export function openClipSettings(json: Json, file: string): ClipSettings {
  const isWhole = isObject(json['model_cfg']);
  const model = new Section(isWhole ? json['model_cfg'] : json, isWhole ? 'model_cfg' : '', file);
  const isQuick = [model.get('quick_gelu'), model.get('force_quick_gelu')].includes(true);
  const tower = (kind: 'vision' | 'text'): TowerSettings => {
    const section = new Section(model.get(`${kind}_cfg`), model.path(`${kind}_cfg`), file);
    if (Array.isArray(section.get('layers')))
      section.refuse('layers', 'a list is of a ResNet, which is not computed here');
    const claims: Record<string, Claim | undefined> = {
      width: section.claim('width'),
      layers: section.claim('layers'),
      ...(kind === 'vision'
        ? { patch: section.side('patch_size'), image: section.side('image_size') }
        : { vocab: section.claim('vocab_size'), context: section.claim('context_length') }),
    };
    const ratio = section.number('mlp_ratio', (value) => value > 0, 'a number above 0');
    const count =
      kind === 'text' ? { heads: section.size('heads') ?? 8 } : { headWidth: section.size('head_width') ?? 64 };
    const activation = openClipActivation(section, isQuick);
    const norm = new Section(section.get('norm_kwargs'), section.path('norm_kwargs'), file);
    const eps = norm.number('eps', (value) => value > 0, 'a number above 0') ?? 1e-5;
    norm.finish({ elementwise_affine: [true], bias: [true] });
    section.finish(kind === 'vision' ? openClipVision : openClipText);
    return {
      ...count,
      activation,
      eps,
      claims: present(claims),
      mlpRatio: { key: section.path('mlp_ratio'), value: ratio ?? 4 },
    };
  };
  const [vision, text] = [tower('vision'), tower('text')];
  const projection = model.claim('embed_dim');
  const harmless =
    'custom_text force_custom_text init_logit_scale init_logit_bias nonscalar_logit_scale pretrained_image pretrained_hf cast_dtype ' +
    'output_dict precision cache_dir';
  model.finish({
    ...Object.fromEntries(harmless.split(' ').map((key): [string, Rule] => [key, 'any'])),
    ...(isWhole ? {} : { preprocess_cfg: 'any' as const }),
  });

  const pixels = new Section(json['preprocess_cfg'], 'preprocess_cfg', file);
  const found = constants(pixels, 'mean', 'std');
  const size = pixels.get('size') === undefined ? undefined : pixels.side('size');
  pixels.finish({ interpolation: ['bicubic'], resize_mode: ['shortest'], mode: ['RGB'], fill_color: 'any' });
  const withSize = size ? { ...vision, claims: { ...vision.claims, image: vision.claims.image ?? size } } : vision;
  if (size && withSize.claims.image?.value !== size.value) {
    pixels.refuse('size', `'${withSize.claims.image?.key}' is ${withSize.claims.image?.value}`);
  }
  return { vision: withSize, text, ...(projection && { projection }), ...found };
}

/** open_clip's own: GELU with erf, unless quick_gelu is set; keywords for either are those of the class. */
function openClipActivation(section: Section, isQuick: boolean): ClipActivation {
  const kwargs = section.get('act_kwargs');
  if (kwargs === undefined || isEmpty(kwargs)) return isQuick ? 'quick_gelu' : 'gelu';
  const entries = isObject(kwargs) ? Object.entries(kwargs) : [];
  const [name, value] = entries[0] ?? [];
  if (entries.length === 1 && !isQuick && name === 'approximate') {
    if (value === 'tanh') return 'gelu_tanh';
    if (value === 'none') return 'gelu';
  }
  return section.refuse('act_kwargs', 'only {"approximate": "tanh"} or "none", without quick_gelu, is computed here');
}
