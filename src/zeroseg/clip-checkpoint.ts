import type { Device } from '../gpu/device.ts';
import { join, storedWeights, type Weights, type WeightValues, weightsFrom } from '../nn/module.ts';
import { CheckpointError, type StoredTensor, toFloat32, toInt32 } from '../nn/safetensors.ts';
import { formatShape, type Shape, sameShape } from '../tensor/shape.ts';
import { checkGiven, checkTowers, numbered } from './checkpoint-sizes.ts';
import { type ClipConfig, ClipText, ClipVision } from './clip.ts';
import { TokenTable } from './token-table.ts';

/** The tensors of a checkpoint by name. */
export type StoredTensors = ReadonlyMap<string, StoredTensor>;

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

/** Which of the two published naming schemes a CLIP file follows. */
export type ClipNames = 'huggingface' | 'openai';

/** The convolutional stem of our own teachers, which Hugging Face has no name for. */
const stemName = 'vision_model.embeddings.stem';

/** @throws CheckpointError when the file holds no CLIP. */
export function detectClipNames(stored: StoredTensors, file: string): ClipNames {
  if (
    stored.has('vision_model.embeddings.class_embedding') ||
    stored.has('text_model.embeddings.token_embedding.weight')
  ) {
    return 'huggingface';
  }
  if (stored.has('visual.class_embedding') || stored.has('token_embedding.weight')) return 'openai';
  throw new CheckpointError(
    file,
    "holds no CLIP: neither 'vision_model.embeddings.class_embedding' (Hugging Face) nor 'visual.class_embedding' (OpenAI) is there",
  );
}

/**
 * The sizes of a CLIP checkpoint, from its tensors. Head counts leave no trace in shapes: they come from `config` (Hugging
 * Face's `config.json`, or our own form), else 64 channels a head, as in all of OpenAI's models.
 */
export function clipConfig(stored: StoredTensors, file: string, config: unknown = {}): ClipConfig {
  const names = detectClipNames(stored, file);
  const hf = names === 'huggingface';
  const given = (checkGiven(config, file) ?? {}) as {
    vision?: { heads?: number };
    text?: { heads?: number };
    vision_config?: { num_attention_heads?: number; hidden_act?: string; layer_norm_eps?: number };
    text_config?: { num_attention_heads?: number };
    activation?: ClipConfig['activation'];
    layer_norm_eps?: number;
  };
  const shape = (name: string): Shape | undefined => stored.get(name)?.shape;
  const layers = (prefix: string) => numbered(stored, prefix);
  const heads = (width: number, wanted: number | undefined, tower: string) => {
    const count = wanted ?? width / 64;
    if (!Number.isInteger(count) || width % count !== 0) {
      throw new CheckpointError(
        file,
        `the ${tower} tower is ${width} wide; its number of heads is not known: put a config.json (as Hugging Face has it) beside the file`,
      );
    }
    return count;
  };

  const patchShape = shape(hf ? 'vision_model.embeddings.patch_embedding.weight' : 'visual.conv1.weight');
  const positions = shape(hf ? 'vision_model.embeddings.position_embedding.weight' : 'visual.positional_embedding');
  const tokens = shape(hf ? 'text_model.embeddings.token_embedding.weight' : 'token_embedding.weight');
  const textPositions = shape(hf ? 'text_model.embeddings.position_embedding.weight' : 'positional_embedding');
  const projection = hf
    ? (shape('visual_projection.weight')?.[0] ?? shape('text_projection.weight')?.[0])
    : (shape('visual.proj')?.[1] ?? shape('text_projection')?.[1]);
  // Our own teachers may begin with convolutions, each of which halves the image.
  let convolutions = 0;
  while (stored.has(`${stemName}.convs.${convolutions}.weight`)) convolutions++;
  const visionWidth = patchShape?.[0] ?? shape(`${stemName}.proj.weight`)?.[0] ?? 0;
  const patch = convolutions > 0 ? 2 ** convolutions : (patchShape?.[2] ?? 1);
  const side = Math.round(Math.sqrt((positions?.[0] ?? 1) - 1));
  const textWidth = tokens?.[1] ?? 0;
  const act = given.activation ?? (given.vision_config?.hidden_act === 'gelu' ? 'gelu' : 'quick_gelu');
  const sizes: ClipConfig = {
    vision: {
      width: visionWidth,
      heads: visionWidth
        ? heads(visionWidth, given.vision?.heads ?? given.vision_config?.num_attention_heads, 'image')
        : 1,
      layers: layers(hf ? 'vision_model.encoder.layers.' : 'visual.transformer.resblocks.'),
      patch,
      image: side * patch,
      ...(convolutions > 0 && { stem: 'conv' }),
    },
    text: {
      width: textWidth,
      heads: textWidth ? heads(textWidth, given.text?.heads ?? given.text_config?.num_attention_heads, 'text') : 1,
      layers: layers(hf ? 'text_model.encoder.layers.' : 'transformer.resblocks.'),
      vocab: (tokenIds(stored, file)?.at(-1) ?? (tokens?.[0] ?? 0) - 1) + 1,
      context: textPositions?.[0] ?? 0,
    },
    projection: projection ?? 0,
    activation: act,
    layer_norm_eps: given.layer_norm_eps ?? given.vision_config?.layer_norm_eps ?? 1e-5,
  };
  checkTowers(sizes, file);
  return sizes;
}

/** The image tower of a checkpoint, on the GPU. */
export function loadClipVision(device: Device, stored: StoredTensors, file: string, config: ClipConfig): ClipVision {
  if (config.vision.width === 0) throw new CheckpointError(file, 'holds no image tower');
  return new ClipVision(clipWeights(device, stored, file, 'vision'), config);
}

/** The text tower of a checkpoint, on the GPU. */
export function loadClipText(device: Device, stored: StoredTensors, file: string, config: ClipConfig): ClipText {
  if (config.text.width === 0) throw new CheckpointError(file, 'holds no text tower');
  const hf = detectClipNames(stored, file) === 'huggingface';
  const table = need(stored, file, hf ? 'text_model.embeddings.token_embedding.weight' : 'token_embedding.weight');
  const ids = tokenIds(stored, file);
  if (ids && table.shape[0] !== ids.length + 1) {
    throw new CheckpointError(
      file,
      `tensor '${table.name}' is ${formatShape(table.shape)}; expected ${ids.length + 1} rows: one for each of '${TOKEN_IDS}' and one for all others`,
    );
  }
  return new ClipText(
    clipWeights(device, stored, file, 'text'),
    config,
    new TokenTable(toFloat32(table), config.text.width, ids),
  );
}

/** The tokens of a sparse vocabulary; undefined where every token has a row. */
function tokenIds(stored: StoredTensors, file: string): Uint32Array | undefined {
  const found = stored.get(TOKEN_IDS);
  if (!found) return undefined;
  const ids = toInt32(found);
  if (ids.length === 0 || ids.some((id, i) => id <= (i ? (ids[i - 1] as number) : -1))) {
    throw new CheckpointError(file, `tensor '${TOKEN_IDS}' must list tokens, from 0, each larger than the one before`);
  }
  return Uint32Array.from(ids);
}

/**
 * The weights of both towers of a sparse checkpoint as `TrainableClip` takes them, to train it further; with the tokens that have
 * rows in it.
 *
 * @throws CheckpointError when the file lists no tokens: whole vocabularies are not trained here.
 */
export function trainableWeights(
  device: Device,
  stored: StoredTensors,
  file: string,
): { weights: Weights; ids: Uint32Array } {
  const ids = tokenIds(stored, file);
  if (!ids)
    throw new CheckpointError(file, `has no tensor '${TOKEN_IDS}': only a teacher made here can be trained further`);
  const direct: Readonly<Record<string, string>> = {
    token_embedding: 'text_model.embeddings.token_embedding.weight',
    logit_scale: 'logit_scale',
  };
  const weights: Weights = {
    ...storedWeights(device, stored, file, (name) => direct[name] ?? name),
    in: (tower) => clipWeights(device, stored, file, tower as 'vision' | 'text'),
  };
  return { weights, ids };
}

function clipWeights(device: Device, stored: StoredTensors, file: string, tower: 'vision' | 'text'): Weights {
  const hf = detectClipNames(stored, file) === 'huggingface';
  const publishedName = hf ? huggingFaceName : openAiName;
  const values: WeightValues = (name, shape) => {
    const { names, transposed } = publishedName(tower, name);
    const stack = names.map((part) => {
      const found = need(stored, file, part);
      const rows = (shape[0] ?? 1) / names.length;
      const ours = names.length === 1 ? shape : [rows, ...shape.slice(1)];
      const wanted = transposed ? [...ours].reverse() : ours;
      if (!sameShape(found.shape, wanted)) {
        throw new CheckpointError(
          file,
          `tensor '${part}' is ${formatShape(found.shape)}; expected ${formatShape(wanted)}`,
        );
      }
      const data = toFloat32(found);
      return transposed ? transpose(data, wanted[0] as number, wanted[1] as number) : data;
    });
    return join(stack);
  };
  return weightsFrom(device, values);
}

function need(stored: StoredTensors, file: string, name: string): StoredTensor {
  const found = stored.get(name);
  if (!found) throw new CheckpointError(file, `has no tensor '${name}'`);
  return found;
}

function transpose(data: Float32Array, rows: number, cols: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) out[c * rows + r] = data[r * cols + c] as number;
  return out;
}

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

function openAiName(tower: 'vision' | 'text', name: string): Published {
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

/** `min(exp(logit_scale), 100)`: the factor on cosines. 100 where the file has none. */
export function logitScale(stored: StoredTensors): number {
  const found = stored.get('logit_scale');
  if (!found) return 100;
  const scale = Math.min(Math.exp(toFloat32(found)[0] ?? Math.log(100)), 100);
  if (Number.isNaN(scale)) throw new CheckpointError(found.file, "tensor 'logit_scale' must be a number; it is NaN");
  return scale;
}
