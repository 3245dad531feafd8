import { CheckpointError } from '../../nn/safetensors/index.ts';
import type { Shape } from '../../tensor/values/index.ts';
import { type Claim, checkTowers, stemName } from '../checkpoints/index.ts';
import type { ClipConfig } from '../clip/index.ts';
import { detectClipNames, plainNames, refuseUnknown, type StoredTensors, tokenIds } from './load.ts';
import { clipSettings } from './settings.ts';
import type { ClaimedSize, ClipSettings, TowerSettings } from './tower-settings.ts';

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
