/** What the settings beside a GroupViT's weights say, in Hugging Face's words or in our own. */
import { CheckpointError } from '../../nn/safetensors/index.ts';
import { generic, isObject, type Json, Section } from '../checkpoints/index.ts';
import type { GroupVitConfig } from './towers.ts';

/** What no tensor tells of a tower. */
export interface GroupVitTowerSettings {
  readonly heads?: number;
  /** What Hugging Face takes where none are given. */
  readonly defaultHeads?: number;
  readonly eps: number;
}

/** Sizes that the settings claim, to be held against the tensors. */
export interface GroupVitClaim {
  readonly key: string;
  readonly value: readonly number[];
  /** The sizes in the tensors; where they have none, those that are claimed. */
  readonly of: SizeOf;
}

type SizeOf = (config: GroupVitConfig, claimed: readonly number[]) => readonly number[];

export interface GroupVitSettings {
  readonly vision: GroupVitTowerSettings;
  readonly text: GroupVitTowerSettings;
  readonly batchNormEps: number;
  readonly claims: readonly GroupVitClaim[];
}

/** Key of a tower's settings → what it is in the configuration. */
type Sizes = Readonly<Record<string, SizeOf>>;

const hidden = ({ width, mlp_ratio }: GroupVitConfig['vision']): number => Math.trunc(width * mlp_ratio);

const visionSizes: Sizes = {
  hidden_size: ({ vision }) => [vision.width],
  intermediate_size: ({ vision }) => [hidden(vision)],
  depths: ({ vision }) => vision.depths,
  num_hidden_layers: ({ vision }) => [vision.depths.reduce((a, b) => a + b, 0)],
  num_group_tokens: ({ vision }) => vision.group_tokens,
  // The last stage forms no groups, and Hugging Face lists some for it all the same.
  num_output_groups: ({ vision }, claimed) => claimed.map((n, i) => vision.output_groups[i] ?? n),
  image_size: ({ vision }) => [vision.image],
  patch_size: ({ vision }) => [vision.patch],
};

const textSizes: Sizes = {
  hidden_size: ({ text }) => [text.width],
  intermediate_size: ({ text }) => [4 * text.width],
  num_hidden_layers: ({ text }) => [text.layers],
  vocab_size: ({ text }) => [text.vocab],
  max_position_embeddings: ({ text }) => [text.context],
};

const topSizes: Sizes = {
  projection_dim: ({ projection }) => [projection],
  projection_intermediate_dim: ({ projection_hidden }) => [projection_hidden],
};

/**
 * Reads the settings of a GroupViT: as `clipSettings`, every key is read, known to change nothing, or refused.
 *
 * @throws CheckpointError that names the key.
 */
export function groupVitSettings(config: unknown, file: string): GroupVitSettings {
  if (!isObject(config))
    throw new CheckpointError(file, `the settings beside it are no object: ${JSON.stringify(config)}`);
  const towers = ['vision_config', 'text_config', 'vision_config_dict', 'text_config_dict'];
  return towers.some((key) => isObject(config[key])) || config['model_type'] !== undefined
    ? huggingFaceSettings(config, file)
    : ownSettings(config, file);
}

const positive = (value: number): boolean => value > 0;

function ownSettings(json: Json, file: string): GroupVitSettings {
  const top = new Section(json, '', file);
  const eps = top.number('layer_norm_eps', positive, 'a number above 0') ?? 1e-5;
  const tower = (kind: 'vision' | 'text', activation: string): GroupVitTowerSettings => {
    const section = new Section(json[kind], kind, file);
    const given = section.get('activation');
    if (given !== undefined && given !== activation)
      section.refuse('activation', `only ${activation} is computed here`);
    const heads = section.size('heads');
    return {
      ...(heads !== undefined && { heads }),
      eps: section.number('layer_norm_eps', positive, 'a number above 0') ?? eps,
    };
  };
  const batchNormEps = top.number('batch_norm_eps', positive, 'a number above 0') ?? 1e-5;
  return { vision: tower('vision', 'gelu'), text: tower('text', 'quick_gelu'), batchNormEps, claims: [] };
}

function huggingFaceSettings(json: Json, file: string): GroupVitSettings {
  const top = new Section(json, '', file);
  const type = top.get('model_type');
  if (type !== undefined && type !== 'groupvit')
    top.refuse('model_type', 'this file holds a GroupViT: it must be groupvit');
  const claims: GroupVitClaim[] = [];
  const claim = (section: Section, sizes: Sizes): void => {
    for (const [key, of] of Object.entries(sizes)) {
      const value = section.get(key);
      if (value === undefined) continue;
      const list = Array.isArray(value) ? value : [value];
      if (!list.every((one) => Number.isInteger(one) && one >= 0)) section.refuse(key, 'it must be whole numbers');
      claims.push({ key: section.path(key), value: list, of });
    }
  };
  const tower = (kind: 'vision' | 'text', activation: string, defaultHeads: number): GroupVitTowerSettings => {
    const key = `${kind}_config`;
    const [given, older] = [top.get(key), top.get(`${key}_dict`)];
    // Hugging Face completes the older spelling by defaults and lets it win.
    const over = isObject(older) ? { hidden_act: activation, layer_norm_eps: 1e-5, ...older } : {};
    const section = new Section({ ...((given ?? {}) as Json), ...over }, key, file);
    claim(section, kind === 'vision' ? visionSizes : textSizes);
    const heads = section.size('num_attention_heads');
    const eps = section.number('layer_norm_eps', positive, 'a number above 0') ?? 1e-5;
    section.finish({
      ...generic,
      hidden_act: activation === 'gelu' ? ['gelu', 'gelu_python'] : [activation],
      num_channels: [3],
      assign_eps: [1],
      // Seen in the tensors.
      assign_mlp_ratio: 'any',
    });
    return { ...(heads === undefined ? { defaultHeads } : { heads }), eps };
  };
  const settings = {
    vision: tower('vision', 'gelu', 6),
    text: tower('text', 'quick_gelu', 4),
    batchNormEps: top.number('batch_norm_eps', positive, 'a number above 0') ?? 1e-5,
  };
  claim(top, topSizes);
  top.finish({ ...generic, output_segmentation: 'any' });
  return { ...settings, claims };
}
