/** What the settings beside a CLIP's weights say: in Hugging Face's words, in open_clip's, or in our own. */
import { CheckpointError } from '../../nn/safetensors/index.ts';
import { type Claim, constants, generic, isObject, type Json, present, Section } from '../checkpoints/index.ts';
import type { ClipActivation } from '../clip/index.ts';
import { openClipSettings } from './open-clip-settings.ts';
import type { ClipSettings, TowerSettings } from './tower-settings.ts';

/** In whose words settings are; undefined for JSON that is not of a CLIP. */
export function settingsForm(config: unknown): 'huggingface' | 'open_clip' | 'own' | undefined {
  if (!isObject(config)) return undefined;
  if (isObject(config['model_cfg']) || isObject(config['vision_cfg']) || isObject(config['text_cfg']))
    return 'open_clip';
  const towers = ['vision_config', 'text_config', 'vision_config_dict', 'text_config_dict'];
  if (towers.some((key) => isObject(config[key])) || /^clip(_|$)/.test(String(config['model_type'])))
    return 'huggingface';
  return isObject(config['vision']) || isObject(config['text']) ? 'own' : undefined;
}

/**
 * Reads the settings of a CLIP. Every key is either read, known to change nothing, or refused by its name: one that is passed over
 * would change the features without a word.
 *
 * @throws CheckpointError that names the key.
 */
export function clipSettings(config: unknown, file: string): ClipSettings {
  const form = settingsForm(config);
  if (form === 'open_clip') return openClipSettings(config as Json, file);
  if (form === 'huggingface') return huggingFaceSettings(config as Json, file);
  if (form === 'own') return ownSettings(config as Json, file);
  if (isObject(config) && Object.keys(config).length === 0) return { vision: openAi, text: openAi };
  throw new CheckpointError(
    file,
    `the settings beside it are not those of a CLIP: ${JSON.stringify(config)?.slice(0, 100)}`,
  );
}

/** All of OpenAI's models, where nothing else is said. */
const openAi: TowerSettings = { activation: 'quick_gelu', eps: 1e-5, claims: {} };

function ownSettings(json: Json, file: string): ClipSettings {
  const shared = new Section(json, '', file);
  const names: readonly unknown[] = ['quick_gelu', 'gelu', 'gelu_tanh', 'relu'];
  const act = (section: Section, otherwise: ClipActivation): ClipActivation => {
    const value = section.get('activation') ?? otherwise;
    return names.includes(value)
      ? (value as ClipActivation)
      : section.refuse('activation', `it must be one of ${names.join(', ')}`);
  };
  const positive = (section: Section) => section.number('layer_norm_eps', (value) => value > 0, 'a number above 0');
  const [activation, eps] = [act(shared, 'quick_gelu'), positive(shared) ?? 1e-5];
  const tower = (key: 'vision' | 'text') => {
    const section = new Section(json[key], key, file);
    const heads = section.size('heads');
    const end = section.get('end') as number | undefined;
    return {
      ...(heads !== undefined && { heads }),
      ...(end !== undefined && { end }),
      activation: act(section, activation),
      eps: positive(section) ?? eps,
      claims: {},
      constants: key === 'vision' ? constants(section, 'mean', 'std') : {},
    };
  };
  const { constants: pixels, ...vision } = tower('vision');
  const { constants: _, ...text } = tower('text');
  return { vision, text, ...pixels };
}

/** Hugging Face's names of activations, those whose values can be computed here. The rest is refused by name. */
const activations: Readonly<Record<string, ClipActivation>> = {
  quick_gelu: 'quick_gelu',
  gelu: 'gelu',
  gelu_python: 'gelu',
  gelu_new: 'gelu_tanh',
  gelu_fast: 'gelu_tanh',
  gelu_accurate: 'gelu_tanh',
  gelu_pytorch_tanh: 'gelu_tanh',
  relu: 'relu',
};

function hiddenActivation(section: Section): ClipActivation | undefined {
  const value = section.get('hidden_act');
  if (value === undefined) return undefined;
  const found = typeof value === 'string' && Object.hasOwn(activations, value) ? activations[value] : undefined;
  return (
    found ?? section.refuse('hidden_act', `of activations, ${Object.keys(activations).join(', ')} are computed here`)
  );
}

function huggingFaceSettings(json: Json, file: string): ClipSettings {
  const top = new Section(json, '', file);
  const type = top.get('model_type');
  const isFlat = settingsIsFlat(json);
  if (type !== undefined && !['clip', 'clip_vision_model', 'clip_text_model'].includes(type as string)) {
    top.refuse('model_type', 'only CLIP is computed here: clip, clip_vision_model or clip_text_model');
  }
  const tower = (kind: 'vision' | 'text', otherHeads: number): TowerSettings => {
    const key = `${kind}_config`;
    const mine = isFlat && (type === 'clip_text_model') === (kind === 'text');
    if (isFlat && !mine) return openAi;
    // Hugging Face completes the older spelling by defaults and lets it win.
    const [given, older] = [top.get(key), top.get(`${key}_dict`)];
    const over = isObject(older) ? { hidden_act: 'quick_gelu', layer_norm_eps: 1e-5, ...older } : {};
    const section = mine ? top : new Section({ ...((given ?? {}) as Json), ...over }, key, file);
    const hiddenType = section.get('model_type');
    if (!mine && hiddenType !== undefined && !['clip', `clip_${kind}_model`].includes(hiddenType as string)) {
      section.refuse('model_type', 'only towers of CLIP are computed here');
    }
    const claims: Record<string, Claim | undefined> = {
      width: section.claim('hidden_size'),
      layers: section.claim('num_hidden_layers'),
      hidden: section.claim('intermediate_size'),
      ...(kind === 'vision'
        ? { patch: section.side('patch_size'), image: section.side('image_size') }
        : { vocab: section.claim('vocab_size'), context: section.claim('max_position_embeddings') }),
    };
    const heads = section.size('num_attention_heads');
    const activation = hiddenActivation(section) ?? 'quick_gelu';
    const eps = section.number('layer_norm_eps', (value) => value > 0, 'a number above 0') ?? 1e-5;
    const eos = section.number('eos_token_id', Number.isInteger, 'a token');
    section.finish({ ...generic, num_channels: [3] });
    return {
      ...(heads === undefined ? { defaultHeads: otherHeads } : { heads }),
      activation,
      eps,
      claims: present(claims),
      // Configurations before 2023 say 2, and mean the largest token.
      ...(eos !== undefined && eos !== 2 && kind === 'text' && { end: eos }),
    };
  };
  const [vision, text] = [tower('vision', 12), tower('text', 8)];
  const projection = isFlat ? undefined : top.claim('projection_dim');
  const pixels = preprocessing(json, file);
  top.get('preprocessor');
  if (!isFlat) top.finish(generic);
  return { vision, text, ...(projection && { projection }), ...pixels };
}

/** One tower's configuration alone, as CLIPVisionModelWithProjection saves it. */
function settingsIsFlat(json: Json): boolean {
  return ['clip_vision_model', 'clip_text_model'].includes(json['model_type'] as string);
}

/** `preprocessor_config.json`, put beside the rest under the key `preprocessor`. */
function preprocessing(json: Json, file: string): Pick<ClipSettings, 'mean' | 'std'> {
  if (json['preprocessor'] === undefined) return {};
  const section = new Section(json['preprocessor'], 'preprocessor_config', file);
  const resample = section.get('resample');
  if (resample !== undefined && resample !== 3) section.refuse('resample', 'photos are resized with 3 (bicubic) here');
  for (const key of ['do_normalize', 'do_rescale', 'do_resize']) {
    if (section.get(key) === false) section.refuse(key, 'photos are resized, scaled to 0..1 and normalised here');
  }
  const factor = section.number('rescale_factor', (value) => value > 0, 'a number above 0');
  if (factor !== undefined && Math.abs(factor * 255 - 1) > 1e-6) section.refuse('rescale_factor', 'it is 1 / 255 here');
  return constants(section, 'image_mean', 'image_std');
}
