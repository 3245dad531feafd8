import type { Device } from '../../gpu/index.ts';
import { buildModule, join, type Weights, type WeightValues, weightsFrom } from '../../nn/layers/index.ts';
import {
  CheckpointError,
  readNamed,
  readTensor,
  type StoredTensor,
  toFloat32,
  toInt32,
  type WeightTensor,
} from '../../nn/safetensors/index.ts';
import { formatShape, type Shape, sameShape } from '../../tensor/values/index.ts';
import { huggingFaceName, openAiName, TOKEN_IDS } from '../checkpoints/index.ts';
import { type ClipConfig, ClipText, ClipVision } from '../clip/index.ts';
import { TokenTable } from '../text/index.ts';

/** The tensors of a checkpoint by name. */
export type StoredTensors = ReadonlyMap<string, WeightTensor>;

/** Which of the two published naming schemes a CLIP file follows. */
export type ClipNames = 'huggingface' | 'openai';

/**
 * The tensors under the names that are looked for: without `module.` in front of all, which training on many GPUs leaves, and without
 * `text.`, under which open_clip keeps custom text towers.
 *
 * @throws CheckpointError when two tensors then have one name.
 */
export function plainNames(stored: StoredTensors, file: string): StoredTensors {
  const names = [...stored.keys()];
  const isWrapped = names.length > 0 && names.every((name) => name.startsWith('module.'));
  const isCustom = names.some((name) => name.replace(/^module\./, '') === 'text.token_embedding.weight');
  if (!isWrapped && !isCustom) return stored;
  const plain = new Map<string, WeightTensor>();
  for (const [name, tensor] of stored) {
    const short = isWrapped ? name.slice('module.'.length) : name;
    const ours = isCustom ? short.replace(/^text\./, '') : short;
    if (plain.has(ours)) throw new CheckpointError(file, `has the tensor '${ours}' twice, also as '${name}'`);
    plain.set(ours, tensor);
  }
  return plain;
}

/** @throws CheckpointError when the file holds no CLIP. */
export function detectClipNames(given: StoredTensors, file: string): ClipNames {
  const stored = plainNames(given, file);
  if (stored.has('vision_model.head.probe') || stored.has('text_model.head.weight')) {
    throw new CheckpointError(
      file,
      'holds a SigLIP, not a CLIP: its image tower can be a teacher (zeroseg cache --clip), and its texts need a SentencePiece tokenizer, which is not read here',
    );
  }
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

/** Names of towers, in either scheme; and of what lies among them and is never computed with. */
const towerNames =
  /^(vision_model|text_model|visual|transformer|text|ln_final)\.|^(visual|text)_projection|^(token_embedding|positional_embedding|class_embedding)/;
const leftovers = /(^|\.)(position_ids|num_batches_tracked|attn_mask)$/;

/** A tower with a tensor that is not known computes something else than what is computed here. */
export function refuseUnknown(stored: StoredTensors, file: string, names: ClipNames): void {
  const block =
    names === 'huggingface'
      ? String.raw`(layer_norm[12]|self_attn\.([qkv]|out)_proj|mlp\.fc[12])\.(weight|bias)`
      : String.raw`(ln_[12]|attn\.out_proj|mlp\.c_fc|mlp\.c_proj)\.(weight|bias)|attn\.in_proj_(weight|bias)`;
  const known =
    names === 'huggingface'
      ? new RegExp(
          String.raw`^((vision|text)_model\.encoder\.layers\.\d+\.(${block})|(vision|text)_model\.embeddings\.((position|token|patch)_embedding\.weight|class_embedding|token_ids|stem\..+)|vision_model\.(pre_layrnorm|post_layernorm)\.(weight|bias)|text_model\.final_layer_norm\.(weight|bias)|(visual|text)_projection\.weight)$`,
        )
      : new RegExp(
          String.raw`^((visual\.)?transformer\.resblocks\.\d+\.(${block})|(visual\.)?positional_embedding|visual\.(class_embedding|conv1\.weight|proj)|visual\.ln_(pre|post)\.(weight|bias)|token_embedding\.weight|ln_final\.(weight|bias)|text_projection)$`,
        );
  const strange = [...stored.keys()].find(
    (name) => towerNames.test(name) && !known.test(name) && !leftovers.test(name),
  );
  if (strange !== undefined) {
    throw new CheckpointError(
      file,
      `has the tensor '${strange}', which no CLIP has that can be computed here: this is another model`,
    );
  }
}

/** The image tower of a checkpoint, on the GPU. */
export async function loadClipVision(
  device: Device,
  given: StoredTensors,
  file: string,
  config: ClipConfig,
): Promise<ClipVision> {
  const stored = plainNames(given, file);
  if (config.vision.width === 0) throw new CheckpointError(file, 'holds no image tower');
  return buildModule(clipWeights(device, stored, file, 'vision'), (weights) => new ClipVision(weights, config));
}

/** The text tower of a checkpoint, on the GPU. */
export async function loadClipText(
  device: Device,
  given: StoredTensors,
  file: string,
  config: ClipConfig,
): Promise<ClipText> {
  const stored = plainNames(given, file);
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
  const rows = new TokenTable(toFloat32(await readTensor(table)), config.text.width, ids);
  return buildModule(clipWeights(device, stored, file, 'text'), (weights) => new ClipText(weights, config, rows));
}

/** The tokens of a sparse vocabulary; undefined where every token has a row. */
export function tokenIds(stored: StoredTensors, file: string): Uint32Array | undefined {
  const found = stored.get(TOKEN_IDS);
  if (!found) return undefined;
  const ids = toInt32(inMemory(found));
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
  const towers = { vision: towerValues(stored, file, 'vision'), text: towerValues(stored, file, 'text') };
  const weights = weightsFrom(device, (name, shape, init) => {
    const [, tower, rest] = /^(vision|text)\.(.+)$/.exec(name) ?? [];
    if (tower && rest) return towers[tower as 'vision' | 'text'](rest, shape, init);
    return { tensors: [direct(stored, file, name, shape)], make: join };
  });
  return { weights, ids };
}

/** What is of no tower: the token table and the scale. */
function direct(stored: StoredTensors, file: string, name: string, shape: Shape): WeightTensor {
  const found = need(stored, file, name === 'token_embedding' ? 'text_model.embeddings.token_embedding.weight' : name);
  if (sameShape(found.shape, shape)) return found;
  throw new CheckpointError(
    file,
    `tensor '${found.name}' is ${formatShape(found.shape)}; expected ${formatShape(shape)}`,
  );
}

function clipWeights(device: Device, stored: StoredTensors, file: string, tower: 'vision' | 'text'): Weights {
  return weightsFrom(device, towerValues(stored, file, tower));
}

function towerValues(stored: StoredTensors, file: string, tower: 'vision' | 'text'): WeightValues {
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
      return found;
    });
    const turn = (data: Float32Array, i: number) => {
      const [rows, cols] = (stack[i] as WeightTensor).shape as [number, number];
      return transposed ? transpose(data, rows, cols) : data;
    };
    return { tensors: stack, make: (parts) => join(parts.map(turn)) };
  };
  return values;
}

function need(stored: StoredTensors, file: string, name: string): WeightTensor {
  const found = stored.get(name);
  if (!found) throw new CheckpointError(file, `has no tensor '${name}'`);
  return found;
}

function transpose(data: Float32Array, rows: number, cols: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) out[c * rows + r] = data[r * cols + c] as number;
  return out;
}

/** `min(exp(logit_scale), 100)`: the factor on cosines. 100 where the file has none. */
export function logitScale(stored: StoredTensors): number {
  const found = stored.get('logit_scale') ?? stored.get('module.logit_scale');
  if (!found) return 100;
  const scale = Math.min(Math.exp(toFloat32(inMemory(found))[0] ?? Math.log(100)), 100);
  if (Number.isNaN(scale)) throw new CheckpointError(found.file, "tensor 'logit_scale' must be a number; it is NaN");
  return scale;
}

/** Tensors that say what a CLIP is, beside the shapes of all others: a few kilobytes, read before its configuration is found. */
export function readSettingTensors(stored: StoredTensors): Promise<StoredTensors> {
  return readNamed(stored, (name) => name.endsWith(TOKEN_IDS) || name.endsWith('logit_scale'));
}

function inMemory(tensor: WeightTensor): StoredTensor {
  if ('bytes' in tensor) return tensor;
  throw new Error(`internal: tensor '${tensor.name}' must be read first`);
}
