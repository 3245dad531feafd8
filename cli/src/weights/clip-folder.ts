/** The teacher on disk: a CLIP checkpoint as Hugging Face, OpenAI or open_clip name its tensors, with its tokenizer. */

import { createHash } from 'node:crypto';
import { basename, dirname, join, resolve } from 'node:path';
import {
  clipSource,
  detectClipNames,
  hashedTokens,
  ownValue,
  randomClips,
  randomClipText,
  randomClipVision,
  settingsForm,
} from '@zeroseg/core/internal';
import { CheckpointError } from '@zeroseg/core/nn';
import { type ClipConfig, type ClipSource, Tokenizer } from '@zeroseg/core/zeroseg';
import { FileError, hashFiles, readBounded, readJson, systemReason } from '../files/index.ts';
import { builtIn, builtInTeacher } from './built-in.ts';
import { clipCommand } from './clip-command.ts';
import { kindOfPath, listWeights, openShardedWeights, openWeights, type WeightFiles } from './weight-files.ts';

/** A tokenizer's files: CLIP's are of 3 MB. */
const LARGEST_TEXT = 2 ** 28;

/**
 * Opens a CLIP: a folder (`model.safetensors`, or parts with an index, with `config.json` and a tokenizer beside; or
 * `open_clip_model.safetensors` with `open_clip_config.json`), a safetensors file, `built-in` for the small one that the package brings, or the name of one of the random ones
 * (`random-tiny`, `random-vit-l-14`).
 *
 * ```ts
 * const clip = await openClip('models/clip-vit-large-patch14');
 * const vision = await clip.vision(device);
 * ```
 *
 * @throws {CheckpointError} when there is no CLIP, or one that is not complete.
 */
export async function openClip(place: string): Promise<ClipSource> {
  const random = ownValue(randomClips, place);
  if (random && (await kindOfPath(place)) === undefined) return randomSource(place, random);
  const isBuiltIn = place === builtIn && (await kindOfPath(place)) === undefined;
  const { weights, label } = await findWeights(isBuiltIn ? await builtInTeacher() : place);
  const folder = dirname(weights.files[0] as string);
  const settings = await findConfig(folder, weights);
  return clipSource(
    { name: label, metadata: weights.metadata, tensors: weights.tensors },
    {
      name: basename(resolve(place)).replace(/\.safetensors$/, ''),
      settings,
      weightsHash: () => hashFiles(weights.files),
      tokenizer: () => findTokenizer(folder),
    },
  );
}

function randomSource(name: string, config: ClipConfig): ClipSource {
  return {
    name,
    config,
    scale: 100,
    isRandom: true,
    weightsHash: async () => createHash('sha256').update(`${name} seed 0`).digest('hex'),
    vision: async (device) => randomClipVision(device, config),
    text: async (device) => randomClipText(device, config),
    tokens: async (kind = 'clip') => (kind === 'hash' ? hashedTokens(config.text.vocab) : Tokenizer.clip()),
  };
}

async function findWeights(place: string): Promise<{ weights: WeightFiles; label: string }> {
  const kind = await kindOfPath(place);
  if (!kind) {
    throw new FileError(
      'openClip',
      place,
      `there is no such file or folder; give ${builtIn}, or download a CLIP: ${clipCommand(basename(place))}`,
    );
  }
  if (kind === 'file') {
    const weights = place.endsWith('.index.json') ? await openShardedWeights(place) : await openWeights(place);
    detectClipNames(weights.tensors, place);
    return { weights, label: place };
  }
  for (const name of ['model.safetensors.index.json', 'model.safetensors', 'open_clip_model.safetensors']) {
    const path = join(place, name);
    if (!(await kindOfPath(path))) continue;
    const weights = name.endsWith('.json') ? await openShardedWeights(path) : await openWeights(path);
    detectClipNames(weights.tensors, path);
    return { weights, label: path };
  }
  const names = await listWeights(place);
  const holding: { weights: WeightFiles; label: string }[] = [];
  let problem: unknown;
  for (const name of names) {
    try {
      const weights = await openWeights(join(place, name));
      detectClipNames(weights.tensors, join(place, name));
      holding.push({ weights, label: join(place, name) });
    } catch (error) {
      problem = error;
    }
  }
  const [only, other] = holding;
  if (only && !other) return only;
  if (other) {
    const list = holding.map(({ label }) => basename(label)).join(', ');
    throw new CheckpointError(place, `holds more than one CLIP (${list}); name the file`);
  }
  if (names.length === 1) throw problem;
  const reason =
    names.length === 0 ? 'holds no safetensors file' : `holds no CLIP in its ${names.length} safetensors files`;
  throw new CheckpointError(
    place,
    `${reason}; a CLIP of Hugging Face has model.safetensors and config.json, and is had by: ${clipCommand(basename(place))}`,
  );
}

/**
 * Head counts and activation leave no trace in the weights: they are in a JSON file beside them. Where there are several, that of the
 * program whose names the tensors have is read.
 */
async function findConfig(folder: string, { files, tensors }: WeightFiles): Promise<unknown> {
  const place = files[0] as string;
  const known = ['config.json', 'open_clip_config.json'];
  if (detectClipNames(tensors, place) === 'openai') known.reverse();
  const own = files.length === 1 ? [basename(place).replace(/\.safetensors$/, '.json')] : [];
  let strange: string | undefined;
  for (const name of [...known, ...own]) {
    const path = join(folder, name);
    if ((await kindOfPath(path)) !== 'file') continue;
    const found = (await readJson(path)) as { config?: unknown } | null;
    const settings = [found, found?.config].find((json) => settingsForm(json) !== undefined);
    if (settings === undefined) {
      if (known.includes(name)) strange ??= name;
      continue;
    }
    const preprocessor = join(folder, 'preprocessor_config.json');
    if (settingsForm(settings) !== 'huggingface' || (await kindOfPath(preprocessor)) !== 'file') return settings;
    return { ...(settings as object), preprocessor: await readJson(preprocessor) };
  }
  if (strange !== undefined) {
    throw new CheckpointError(
      place,
      `${strange}, beside it, holds no settings of a CLIP (no vision_config, no model_cfg)`,
    );
  }
  if (basename(place).startsWith('open_clip')) {
    throw new CheckpointError(
      place,
      'open_clip_config.json is not beside it: weights of open_clip do not say their activation and head width; copy it from where the weights are',
    );
  }
  return {};
}

/** The tokenizer beside the weights, else CLIP's own. */
async function findTokenizer(folder: string): Promise<{ name: string; tokens: Tokenizer }> {
  const text = async (name: string) => {
    const path = join(folder, name);
    if ((await kindOfPath(path)) !== 'file') return undefined;
    const bytes = await readBounded('openClip', path, LARGEST_TEXT).catch((error: unknown) => {
      if (error instanceof FileError) throw error;
      throw new FileError('openClip', path, systemReason(error), { cause: error });
    });
    return new TextDecoder().decode(bytes);
  };
  const whole = await text('tokenizer.json');
  if (whole !== undefined) {
    return { name: join(folder, 'tokenizer.json'), tokens: Tokenizer.fromTokenizerJson(whole) };
  }
  const merges = await text('merges.txt');
  if (merges === undefined) return { name: "CLIP's own tokenizer", tokens: await Tokenizer.clip() };
  const ids = (await text('vocab.json')) === undefined ? undefined : await readJson(join(folder, 'vocab.json'));
  const tokens = Tokenizer.fromMerges(merges, ids as Record<string, number> | undefined);
  return { name: join(folder, 'merges.txt'), tokens };
}
