import type { Device } from '../../gpu/index.ts';
import { buildModule, storedWeights } from '../../nn/layers/index.ts';
import { CheckpointError, readTensor, toFloat32 } from '../../nn/safetensors/index.ts';
import { checkTowers, huggingFaceBlock, numbered } from '../checkpoints/index.ts';
import type { StoredTensors } from '../clip-files/index.ts';
import { hiddenWidth } from '../model/index.ts';
import { TokenTable } from '../text/index.ts';
import { type GroupVitClaim, type GroupVitTowerSettings, groupVitSettings } from './settings.ts';
import { type GroupVitConfig, GroupVitText, GroupVitVision } from './towers.ts';

/** Published ones have three. */
const MAX_STAGES = 16;

/** Whether a file holds a GroupViT, by Hugging Face's names (spec §16.2). */
export function isGroupVit(stored: StoredTensors): boolean {
  return stored.has('vision_model.encoder.stages.0.group_token');
}

/**
 * The sizes of a GroupViT checkpoint, from its tensors. Head counts and eps leave no trace in shapes: they come from `config`, Hugging
 * Face's `config.json` or our own form, else 64 channels a head and 1e-5, as published.
 *
 * @throws CheckpointError when the file holds no GroupViT, or when its settings are of something that is not computed here (the message
 *   names the key).
 */
export function groupVitConfig(stored: StoredTensors, file: string, config: unknown = {}): GroupVitConfig {
  const given = groupVitSettings(config, file);
  const shape = (name: string) => {
    const found = stored.get(name);
    if (!found) throw new CheckpointError(file, `holds no GroupViT: there is no tensor '${name}'`);
    return found.shape as readonly [number, number, number, number];
  };
  const stages = 'vision_model.encoder.stages.';
  const patches = shape('vision_model.embeddings.patch_embeddings.projection.weight');
  const [width, , patch] = patches;
  const side = Math.round(Math.sqrt(shape('vision_model.embeddings.position_embeddings')[1]));
  const count = Math.min(numbered(stored, stages), MAX_STAGES);
  const depths = Array.from({ length: count }, (_, s) => numbered(stored, `${stages}${s}.layers.`));
  const tokens = Array.from({ length: count }, (_, s) =>
    stored.has(`${stages}${s}.group_token`) ? shape(`${stages}${s}.group_token`)[1] : 0,
  );
  const grouping = tokens.flatMap((n, s) => (n > 0 ? [`${stages}${s}.downsample`] : []));
  const first = grouping[0] ?? `${stages}0.downsample`;
  const deep = depths.findIndex((depth) => depth > 0);
  const [vocab, textWidth] = shape('text_model.embeddings.token_embedding.weight');
  const heads = (total: number, { heads: wanted, defaultHeads }: GroupVitTowerSettings, tower: string) => {
    const n = wanted ?? total / 64;
    if (!(Number.isInteger(n) && n > 0 && total % n === 0)) {
      throw new CheckpointError(
        file,
        `the ${tower} tower is ${total} wide; its number of heads is not known: put a config.json (as Hugging Face has it) beside the file`,
      );
    }
    if (wanted === undefined && defaultHeads !== undefined && n !== defaultHeads) {
      throw new CheckpointError(
        file,
        `the settings do not say how many heads the ${tower} tower has; Hugging Face then takes ${defaultHeads}, and 64 channels each make ${n}: put num_attention_heads into config.json`,
      );
    }
    return n;
  };
  const found: GroupVitConfig = {
    vision: {
      image: side * patch,
      patch,
      width,
      heads: heads(width, given.vision, 'image'),
      depths,
      group_tokens: tokens,
      output_groups: grouping.map((prefix) => shape(`${prefix}.mlp_inter.fc2.weight`)[0]),
      mlp_ratio: deep < 0 ? 4 : ratio(width, shape(`${stages}${deep}.layers.0.mlp.fc1.weight`)[0]),
      assign_mlp_ratio: [
        ratio(width, shape(`${first}.mlp_inter.fc1.weight`)[0]),
        ratio(width, shape(`${first}.mlp_channels.fc1.weight`)[0]),
      ],
    },
    text: {
      width: textWidth,
      heads: heads(textWidth, given.text, 'text'),
      layers: numbered(stored, 'text_model.encoder.layers.'),
      vocab,
      context: shape('text_model.embeddings.position_embedding.weight')[0],
      ...(given.text.eps !== given.vision.eps && { layer_norm_eps: given.text.eps }),
    },
    projection: shape('visual_projection.3.weight')[0],
    projection_hidden: shape('visual_projection.0.weight')[0],
    layer_norm_eps: given.vision.eps,
    batch_norm_eps: given.batchNormEps,
  };
  checkClaims(found, given.claims, file);
  checkTowers(found, file);
  return found;
}

/** Settings and tensors must be of one model. */
function checkClaims(found: GroupVitConfig, claims: readonly GroupVitClaim[], file: string): void {
  for (const { key, value, of } of claims) {
    const size = of(found, value);
    if (size.join() === value.join()) continue;
    throw new CheckpointError(
      file,
      `'${key}' is ${value.join(', ')}, and the tensors are of ${size.join(', ')}; these settings are of another file`,
    );
  }
}

/** A ratio whose hidden width is `hidden`. */
function ratio(width: number, hidden: number): number {
  const exact = hidden / width;
  return hiddenWidth(width, exact) === hidden ? exact : (hidden + 0.25) / width;
}

/** The image encoder of a checkpoint, on the GPU. */
export async function loadGroupVitVision(
  device: Device,
  stored: StoredTensors,
  file: string,
  config: GroupVitConfig,
): Promise<GroupVitVision> {
  const weights = storedWeights(device, stored, file, visionName);
  return buildModule(weights, (from) => new GroupVitVision(from, config));
}

/** The text encoder of a checkpoint, on the GPU. */
export async function loadGroupVitText(
  device: Device,
  stored: StoredTensors,
  file: string,
  config: GroupVitConfig,
): Promise<GroupVitText> {
  const key = 'text_model.embeddings.token_embedding.weight';
  const table = stored.get(key);
  if (!table) throw new CheckpointError(file, `has no tensor '${key}'`);
  const rows = new TokenTable(toFloat32(await readTensor(table)), config.text.width);
  const weights = storedWeights(device, stored, file, textName);
  return buildModule(weights, (from) => new GroupVitText(from, config, rows));
}

function visionName(name: string): string | readonly string[] {
  const stage = /^stages\.(\d+)\.(.+)$/.exec(name);
  if (!stage) return directName(name, 'visual_projection');
  const prefix = `vision_model.encoder.stages.${stage[1]}`;
  const rest = stage[2] as string;
  const block = /^blocks\.(\d+)\.(.+)$/.exec(rest);
  if (block) return huggingFaceBlock(`${prefix}.layers.${block[1]}`, block[2] as string);
  return `${prefix}.${rest
    .replace(/^group_projector\.norm\./, 'group_projector.0.')
    .replace(/^group_projector\.mlp\./, 'group_projector.1.')
    .replace(/^grouping\.pre_assign\.attn\.proj\./, 'grouping.pre_assign.attn.out_proj.')
    .replace(/^grouping\.pre_assign\./, 'grouping.pre_assign_attn.')
    .replace(/^grouping\./, 'downsample.')}`;
}

function textName(name: string): string | readonly string[] {
  const block = /^blocks\.(\d+)\.(.+)$/.exec(name);
  if (block) return huggingFaceBlock(`text_model.encoder.layers.${block[1]}`, block[2] as string);
  if (name === 'positions') return 'text_model.embeddings.position_embedding.weight';
  return directName(name.replace(/^norm\./, 'text_model.final_layer_norm.'), 'text_projection');
}

function directName(name: string, projection: string): string {
  return name
    .replace(/^projector\.fc1\./, `${projection}.0.`)
    .replace(/^projector\.norm\./, `${projection}.1.`)
    .replace(/^projector\.fc2\./, `${projection}.3.`)
    .replace(/^patch_embed\.proj\./, 'vision_model.embeddings.patch_embeddings.projection.')
    .replace(/^norm_embed\./, 'vision_model.embeddings.layernorm.')
    .replace(/^positions$/, 'vision_model.embeddings.position_embeddings')
    .replace(/^norm\./, 'vision_model.layernorm.');
}
