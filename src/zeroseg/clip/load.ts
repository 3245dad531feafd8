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
import { type Claim, checkTowers, huggingFaceName, openAiName, stemName, TOKEN_IDS } from '../checkpoints/index.ts';
import { TokenTable } from '../text/index.ts';
import { clipSettings } from './settings.ts';
import type { ClaimedSize, ClipSettings, TowerSettings } from './tower-settings.ts';
import { type ClipConfig, ClipText, ClipVision } from './towers.ts';

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
function plainNames(stored: StoredTensors, file: string): StoredTensors {
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
function refuseUnknown(stored: StoredTensors, file: string, names: ClipNames): void {
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

/**
 * The configuration of a CLIP checkpoint: sizes from its tensors, and what leaves no trace in them (head counts, activation, eps) from
 * the settings beside it: Hugging Face's `config.json`, open_clip's `open_clip_config.json`, or our own form. Without any, what all of
 * OpenAI's models have.
 *
 * @throws CheckpointError when the file holds no CLIP, when its settings are of something that is not computed here (the message names
 *   the key), or when they do not fit the tensors.
 */
export function clipConfig(given: StoredTensors, file: string, config: unknown = {}): ClipConfig {
  const names = detectClipNames(given, file);
  const stored = plainNames(given, file);
  refuseUnknown(stored, file, names);
  const settings = clipSettings(config, file);
  const hf = names === 'huggingface';
  const shape = (name: string): Shape | undefined => stored.get(name)?.shape;
  const layers = (prefix: string) => {
    const numbers = [...stored.keys()].flatMap((key) =>
      key.startsWith(prefix) ? [Number.parseInt(key.slice(prefix.length), 10)] : [],
    );
    const n = new Set(numbers).size;
    const lost = Array.from({ length: n }, (_, i) => i).find((i) => !numbers.includes(i));
    if (lost !== undefined) throw new CheckpointError(file, `has no layer '${prefix}${lost}', and later ones`);
    return n;
  };
  const heads = (width: number, { heads: wanted, headWidth, defaultHeads }: TowerSettings, tower: string) => {
    const count = wanted ?? width / (headWidth ?? 64);
    if (!Number.isInteger(count) || width % count !== 0) {
      const reason =
        wanted !== undefined || headWidth !== undefined
          ? `and cannot have ${wanted ?? count} heads`
          : 'its number of heads is not known';
      throw new CheckpointError(
        file,
        `the ${tower} tower is ${width} wide; ${reason}: put a config.json (as Hugging Face has it) beside the file`,
      );
    }
    if (wanted === undefined && defaultHeads !== undefined && count !== defaultHeads) {
      throw new CheckpointError(
        file,
        `the settings do not say how many heads the ${tower} tower has; Hugging Face then takes ${defaultHeads}, and 64 channels each make ${count}: put num_attention_heads into config.json`,
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
  const side = Math.sqrt((positions?.[0] ?? 1) - 1);
  if (visionWidth > 0 && !(Number.isInteger(side) && side > 0)) {
    throw new CheckpointError(
      file,
      `its ${positions?.[0] ?? 0} positions are not those of a square of patches and a class token`,
    );
  }
  const blocks = {
    vision: hf ? 'vision_model.encoder.layers.' : 'visual.transformer.resblocks.',
    text: hf ? 'text_model.encoder.layers.' : 'transformer.resblocks.',
  };
  const textWidth = tokens?.[1] ?? 0;
  const hiddenOf = (tower: 'vision' | 'text', width: number) =>
    shape(`${blocks[tower]}0.mlp.${hf ? 'fc1' : 'c_fc'}.weight`)?.[0] ?? 4 * width;
  const { activation, eps } = visionWidth > 0 ? settings.vision : settings.text;
  const tower = (kind: 'vision' | 'text', width: number) => {
    const own = settings[kind];
    const hidden = hiddenOf(kind, width);
    return {
      width,
      heads: width ? heads(width, own, kind === 'vision' ? 'image' : 'text') : 1,
      layers: layers(blocks[kind]),
      ...(width > 0 && hidden !== 4 * width && { hidden }),
      ...(width > 0 && own.activation !== activation && { activation: own.activation }),
      ...(width > 0 && own.eps !== eps && { layer_norm_eps: own.eps }),
    };
  };
  const found: ClipConfig = {
    vision: {
      ...tower('vision', visionWidth),
      patch,
      image: side * patch,
      ...(convolutions > 0 && { stem: 'conv' }),
      ...(settings.mean && { mean: settings.mean }),
      ...(settings.std && { std: settings.std }),
    },
    text: {
      ...tower('text', textWidth),
      vocab: (tokenIds(stored, file)?.at(-1) ?? (tokens?.[0] ?? 0) - 1) + 1,
      context: textPositions?.[0] ?? 0,
      ...(settings.text.end !== undefined && { end: settings.text.end }),
    },
    projection: projection ?? 0,
    activation,
    layer_norm_eps: eps,
  };
  checkClaims(found, settings, file);
  checkTowers(found, file);
  return found;
}

/** Settings and tensors must be of one model: open_clip and Hugging Face would build what the settings say. */
function checkClaims({ vision, text, projection }: ClipConfig, settings: ClipSettings, file: string): void {
  const differs = (claim: Claim | undefined, size: number, what: string) => {
    if (claim === undefined || claim.value === size) return;
    throw new CheckpointError(
      file,
      `'${claim.key}' is ${claim.value}, and the tensors are of ${what} ${size}; these settings are of another file`,
    );
  };
  for (const [kind, tower] of [
    ['vision', vision],
    ['text', text],
  ] as const) {
    if (tower.width === 0) continue;
    const { claims, mlpRatio } = settings[kind];
    const hidden = tower.hidden ?? 4 * tower.width;
    const sizes = { ...tower, hidden } as Readonly<Partial<Record<ClaimedSize, number>>>;
    for (const [name, claim] of Object.entries(claims)) differs(claim, sizes[name as ClaimedSize] as number, name);
    // Rounded down, as open_clip does.
    const width = mlpRatio && { key: mlpRatio.key, value: Math.floor(tower.width * mlpRatio.value) };
    if (width && width.value !== hidden) {
      throw new CheckpointError(
        file,
        `'${width.key}' is ${mlpRatio.value}, which makes MLPs ${width.value} wide, and the tensors' are ${hidden}; these settings are of another file`,
      );
    }
  }
  differs(settings.projection, projection, 'a projection of');
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
function tokenIds(stored: StoredTensors, file: string): Uint32Array | undefined {
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
