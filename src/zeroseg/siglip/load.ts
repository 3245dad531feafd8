import type { Device } from '../../gpu/index.ts';
import type { Activation } from '../../kernels/elementwise/index.ts';
import { buildModule, join, type Weights, weightsFrom } from '../../nn/layers/index.ts';
import { CheckpointError, readTensor, toFloat32, type WeightTensor } from '../../nn/safetensors/index.ts';
import { formatShape, type Shape, sameShape, size } from '../../tensor/values/index.ts';
import {
  checkTowers,
  constants,
  generic,
  huggingFaceBlock,
  isObject,
  numbered,
  Section,
} from '../checkpoints/index.ts';
import type { Rgb } from '../image/index.ts';
import { TokenTable } from '../text/index.ts';
import { type SiglipConfig, SiglipText, SiglipVision } from './towers.ts';

type Tensors = ReadonlyMap<string, WeightTensor>;

/** Whether these are the tensors of a SigLIP, or of one of its towers, under Hugging Face's names. */
export function isSiglip(stored: Tensors): boolean {
  return stored.has('vision_model.head.probe') || stored.has('text_model.head.weight');
}

const activations: Readonly<Record<string, Activation>> = {
  gelu_pytorch_tanh: 'gelu-tanh',
  gelu_new: 'gelu-tanh',
  gelu: 'gelu',
  quick_gelu: 'quick-gelu',
};

/**
 * The configuration of a SigLIP checkpoint: sizes from its tensors, heads from its `config.json`.
 *
 * @throws CheckpointError when it is none, or its settings are of something that is not computed here.
 */
export async function siglipConfig(stored: Tensors, file: string, json: unknown = {}): Promise<SiglipConfig> {
  if (!isSiglip(stored)) {
    throw new CheckpointError(
      file,
      "holds no SigLIP: neither 'vision_model.head.probe' nor 'text_model.head.weight' is there",
    );
  }
  const top = new Section(json, '', file);
  const type = top.get('model_type');
  if (type !== undefined && !['siglip', 'siglip_vision_model', 'siglip_text_model'].includes(type as string)) {
    top.refuse('model_type', 'of SigLIPs, those of one image size are computed here: siglip');
  }
  const shape = (name: string): Shape => stored.get(name)?.shape ?? [];
  const [visionWidth = 0, , patch = 1] = shape('vision_model.embeddings.patch_embedding.weight');
  const [positions = 0] = shape('vision_model.embeddings.position_embedding.weight');
  const [vocab = 0, textWidth = 0] = shape('text_model.embeddings.token_embedding.weight');
  const tower = (kind: 'vision' | 'text', width: number) => {
    const section = new Section(top.get(`${kind}_config`) ?? {}, `${kind}_config`, file);
    const heads = section.size('num_attention_heads') ?? headsOf(width);
    const act = section.get('hidden_act') ?? 'gelu_pytorch_tanh';
    const activation =
      (Object.hasOwn(activations, act as string) ? activations[act as string] : undefined) ??
      section.refuse('hidden_act', `it must be one of ${Object.keys(activations).join(', ')}`);
    const eps = section.number('layer_norm_eps', (value) => value > 0, 'a number above 0') ?? 1e-6;
    if (width % heads !== 0) section.refuse('num_attention_heads', `the tower is ${width} wide`);
    const first = `${kind}_model.encoder.layers.`;
    const [hidden = 0] = shape(`${first}0.mlp.fc1.weight`);
    const sizes = {
      hidden_size: width,
      num_hidden_layers: numbered(stored, first),
      intermediate_size: hidden,
      ...(kind === 'vision'
        ? { patch_size: patch, image_size: Math.sqrt(positions) * patch }
        : {
            vocab_size: vocab,
            max_position_embeddings: shape('text_model.embeddings.position_embedding.weight')[0] ?? 0,
          }),
    };
    for (const [key, value] of Object.entries(sizes)) {
      const said = section.size(key);
      if (width > 0 && said !== undefined && said !== value)
        section.refuse(key, `and the tensors say ${value}: these settings are of another file`);
    }
    section.finish({ ...generic, num_channels: [3], vision_use_head: [true], projection_size: 'any' });
    return { width, heads, layers: sizes.num_hidden_layers, hidden, activation, eps };
  };
  const [vision, text] = [tower('vision', visionWidth), tower('text', textWidth)];
  if (visionWidth > 0 && !Number.isInteger(Math.sqrt(positions))) {
    throw new CheckpointError(file, `its ${positions} positions are not those of a square of patches`);
  }
  const pixels = isObject(top.get('preprocessor')) ? constantsOf(top.get('preprocessor'), file) : {};
  const half: Rgb = [0.5, 0.5, 0.5];
  const config: SiglipConfig = {
    vision: {
      ...vision,
      patch,
      image: Math.sqrt(positions) * patch,
      mean: pixels.mean ?? half,
      std: pixels.std ?? half,
    },
    text: { ...text, vocab, context: shape('text_model.embeddings.position_embedding.weight')[0] ?? 0 },
    projection: shape('text_model.head.weight')[0] ?? visionWidth,
    scale: Math.exp(await scalar(stored, 'logit_scale', Math.log(10))),
    bias: await scalar(stored, 'logit_bias', -10),
  };
  checkTowers({ vision: config.vision, text: config.text }, file);
  return config;
}

function constantsOf(json: unknown, file: string): { mean?: Rgb; std?: Rgb } {
  return constants(new Section(json, 'preprocessor_config', file), 'image_mean', 'image_std');
}

/** Heads of the published sizes, whose settings leave them out where they are the program's default. */
function headsOf(width: number): number {
  if (width === 1152 || width === 1536) return 16;
  return Math.max(1, Math.round(width / 64));
}

async function scalar(stored: Tensors, name: string, otherwise: number): Promise<number> {
  const found = stored.get(name);
  return found ? (toFloat32(await readTensor(found))[0] ?? otherwise) : otherwise;
}

/** SigLIP's image tower, on the GPU. */
export async function loadSiglipVision(
  device: Device,
  stored: Tensors,
  file: string,
  config: SiglipConfig,
): Promise<SiglipVision> {
  if (config.vision.width === 0) throw new CheckpointError(file, 'holds no image tower');
  return buildModule(siglipWeights(device, stored, file, 'vision'), (weights) => new SiglipVision(weights, config));
}

/** SigLIP's text tower, on the GPU. */
export async function loadSiglipText(
  device: Device,
  stored: Tensors,
  file: string,
  config: SiglipConfig,
): Promise<SiglipText> {
  const name = 'text_model.embeddings.token_embedding.weight';
  const table = stored.get(name);
  if (!table) throw new CheckpointError(file, `holds no text tower: '${name}' is not there`);
  const rows = new TokenTable(toFloat32(await readTensor(table)), config.text.width);
  return buildModule(siglipWeights(device, stored, file, 'text'), (weights) => new SiglipText(weights, config, rows));
}

function siglipWeights(device: Device, stored: Tensors, file: string, tower: 'vision' | 'text'): Weights {
  return weightsFrom(device, (name, shape) => {
    const { names, third } = published(tower, name);
    const tensors = names.map((part) => {
      const found = stored.get(part);
      if (!found) throw new CheckpointError(file, `has no tensor '${part}'`);
      const [rows = 1, ...rest] = shape;
      const wanted = [third === undefined ? rows / names.length : 3 * rows, ...rest];
      if (sameShape(found.shape, wanted)) return found;
      throw new CheckpointError(
        file,
        `tensor '${part}' is ${formatShape(found.shape)}; expected ${formatShape(wanted)}`,
      );
    });
    const count = size(shape);
    return {
      tensors,
      make: (parts) => (third === undefined ? join(parts) : join(parts).slice(third * count, (third + 1) * count)),
    };
  });
}

/** What Hugging Face calls one of our weights, and which third of it is ours. */
function published(tower: 'vision' | 'text', name: string): { names: readonly string[]; third?: number } {
  const model = `${tower}_model`;
  const block = /^blocks\.(\d+)\.(.+)$/.exec(name);
  if (block) return { names: huggingFaceBlock(`${model}.encoder.layers.${block[1]}`, block[2] as string) };
  const [, part = '', kind = ''] = /^head\.([qkv])_proj\.(weight|bias)$/.exec(name) ?? [];
  if (part) return { names: [`${model}.head.attention.in_proj_${kind}`], third: 'qkv'.indexOf(part) };
  return {
    names: [
      `${model}.${name
        .replace(/^patch_embed\.proj/, 'embeddings.patch_embedding')
        .replace(/^positions$/, 'embeddings.position_embedding.weight')
        .replace(/^norm_post/, 'post_layernorm')
        .replace(/^norm\./, 'final_layer_norm.')
        .replace(/^head\.out_proj/, 'head.attention.out_proj')
        .replace(/^head\.norm/, 'head.layernorm')}`,
    ],
  };
}
