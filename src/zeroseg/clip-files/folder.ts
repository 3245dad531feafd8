/** A CLIP in a folder, as Hugging Face, OpenAI or open_clip lay out its files: on a disk, in a page's own file system, given by a visitor. */
import { CheckpointError, type RangeSource } from '../../nn/safetensors/index.ts';
import {
  type FolderWeights,
  openFolderFile,
  usualWeights,
  type WeightFolder,
  weightCandidates,
  weightEndings,
} from '../checkpoints/index.ts';
import { sha256OfRanges } from '../host/index.ts';
import { checkSize, LARGEST_JSON, parseJsonFile } from '../storage/index.ts';
import { Tokenizer } from '../text/index.ts';
import { detectClipNames } from './load.ts';
import { clipSource } from './open.ts';
import { settingsForm } from './settings.ts';
import type { ClipSource } from './source.ts';

export interface ClipFolderOptions {
  /** Which file holds the weights, or lists those that do. Default: the one that is found. */
  readonly file?: string | undefined;
  /** What the CLIP is called. Default: as the folder, or as `file` without its ending. */
  readonly name?: string | undefined;
  /** What the message says that helps where there is no CLIP. */
  readonly remedy?: string | undefined;
  /** SHA-256 over files, one after the other. Default: they are read and hashed here. */
  readonly hash?: ((files: readonly string[]) => Promise<string>) | undefined;
}

/** A tokenizer's files: CLIP's are of 3 MB. */
const LARGEST_TOKENIZER = 2 ** 28;

/** Files beside the weights that are read, where they are there. */
export const clipCompanions: readonly string[] = [
  'config.json',
  'open_clip_config.json',
  'preprocessor_config.json',
  'tokenizer.json',
  'merges.txt',
  'vocab.json',
];

/**
 * Opens a CLIP in a folder: `model.safetensors`, or parts with an index, with `config.json` and a tokenizer beside;
 * `open_clip_model.safetensors` with `open_clip_config.json`; the same as PyTorch writes them (`pytorch_model.bin`); or any one file that
 * holds a CLIP, such as OpenAI's `ViT-B-16.pt`. Weights are read tensor by
 * tensor when a tower is asked for.
 *
 * ```ts
 * const clip = await openClipFolder(await opfsFileSystem('models/clip-vit-base-patch16'));
 * ```
 *
 * @throws CheckpointError when there is no CLIP, more than one, or one that is not complete or not computed here.
 */
export async function openClipFolder(folder: WeightFolder, options: ClipFolderOptions = {}): Promise<ClipSource> {
  const names = await folder.list();
  const weights = await findWeights(folder, names, options);
  const label = folder.describe(weights.file);
  const settings = await findSettings(folder, names, weights);
  return clipSource(
    { name: label, ...weights.opened },
    {
      name: options.name ?? calledBy(folder, options.file),
      settings,
      weightsHash: () => (options.hash ?? hashOf(folder))(weights.parts),
      tokenizer: () => findTokenizer(folder, names),
    },
  );
}

function calledBy({ name }: WeightFolder, file = name): string {
  return file.replace(/^.*\//s, '').replace(weightEndings, '');
}

async function findWeights(
  folder: WeightFolder,
  names: readonly string[],
  { file, remedy }: ClipFolderOptions,
): Promise<FolderWeights> {
  const found = file ?? usualWeights(names);
  if (found !== undefined) {
    const weights = await openFolderFile(folder, found);
    detectClipNames(weights.opened.tensors, folder.describe(found));
    return weights;
  }
  const candidates = weightCandidates(names);
  const holding: FolderWeights[] = [];
  let problem: unknown;
  for (const name of candidates) {
    try {
      const weights = await openFolderFile(folder, name);
      detectClipNames(weights.opened.tensors, folder.describe(name));
      holding.push(weights);
    } catch (error) {
      problem = error;
    }
  }
  const [only, other] = holding;
  if (only && !other) return only;
  if (other) {
    const list = holding.map((one) => one.file).join(', ');
    throw new CheckpointError(folder.name, `holds more than one CLIP (${list}); give one of them`);
  }
  if (candidates.length === 1) throw problem;
  throw new CheckpointError(folder.name, `${whyNone(candidates.length)}${remedy ?? ''}`);
}

/** What a folder without a CLIP holds in its stead. */
function whyNone(files: number): string {
  const reason =
    files > 0
      ? `holds no CLIP in its ${files} files of weights`
      : 'holds no weights (safetensors, or PyTorch’s .bin, .pt or .pth)';
  return `${reason}; a CLIP of Hugging Face has model.safetensors and config.json`;
}

/**
 * Head counts and activation leave no trace in the weights: they are in a JSON file beside them. Where there are several, that of the
 * program whose names the tensors have is read.
 */
async function findSettings(
  folder: WeightFolder,
  names: readonly string[],
  { file, parts, opened }: FolderWeights,
): Promise<unknown> {
  const [place = file] = parts;
  const label = folder.describe(place);
  const known = ['config.json', 'open_clip_config.json'];
  if (detectClipNames(opened.tensors, label) === 'openai') known.reverse();
  const own = parts.length === 1 ? [place.replace(weightEndings, '.json')] : [];
  let strange: string | undefined;
  for (const name of [...known, ...own].filter((one) => names.includes(one))) {
    const found = (await readJson(folder, name)) as { config?: unknown } | null;
    const settings = [found, found?.config].find((json) => settingsForm(json) !== undefined);
    if (settings === undefined) {
      if (known.includes(name)) strange ??= name;
      continue;
    }
    const preprocessor = 'preprocessor_config.json';
    if (settingsForm(settings) !== 'huggingface' || !names.includes(preprocessor)) return settings;
    return { ...(settings as object), preprocessor: await readJson(folder, preprocessor) };
  }
  if (strange !== undefined) {
    throw new CheckpointError(
      label,
      `${strange}, beside it, holds no settings of a CLIP (no vision_config, no model_cfg)`,
    );
  }
  if (place.startsWith('open_clip')) {
    throw new CheckpointError(
      label,
      'open_clip_config.json is not beside it: weights of open_clip do not say their activation and head width; copy it from where the weights are',
    );
  }
  return {};
}

/** The tokenizer beside the weights, else CLIP's own. */
async function findTokenizer(
  folder: WeightFolder,
  names: readonly string[],
): Promise<{ name: string; tokens: Tokenizer }> {
  if (names.includes('tokenizer.json')) {
    const text = await readText(folder, 'tokenizer.json', LARGEST_TOKENIZER);
    return { name: folder.describe('tokenizer.json'), tokens: Tokenizer.fromTokenizerJson(text) };
  }
  if (!names.includes('merges.txt')) return { name: "CLIP's own tokenizer", tokens: await Tokenizer.clip() };
  const merges = await readText(folder, 'merges.txt', LARGEST_TOKENIZER);
  const ids = names.includes('vocab.json') ? await readJson(folder, 'vocab.json') : undefined;
  const tokens = Tokenizer.fromMerges(merges, ids as Record<string, number> | undefined);
  return { name: folder.describe('merges.txt'), tokens };
}

async function readBytes(folder: WeightFolder, file: string, max: number): Promise<Uint8Array> {
  const source = await folder.open(file);
  checkSize('openClip', folder.describe(file), source.size, max);
  return source.readRange(0, source.size);
}

async function readText(folder: WeightFolder, file: string, max: number): Promise<string> {
  return new TextDecoder().decode(await readBytes(folder, file, max));
}

async function readJson(folder: WeightFolder, file: string): Promise<unknown> {
  return parseJsonFile(await readBytes(folder, file, LARGEST_JSON), folder.describe(file));
}

function hashOf(folder: WeightFolder): (files: readonly string[]) => Promise<string> {
  return async (files) => sha256OfRanges(joined(await Promise.all(files.map((file) => folder.open(file)))));
}

/** Files one after another, as one. */
function joined(parts: readonly RangeSource[]): RangeSource {
  const size = parts.reduce((sum, part) => sum + part.size, 0);
  return {
    size,
    readRange: async (start, end) => {
      const bytes = new Uint8Array(end - start);
      let first = 0;
      for (const part of parts) {
        const [from, to] = [Math.max(start, first), Math.min(end, first + part.size)];
        if (from < to) bytes.set(await part.readRange(from - first, to - first), from - start);
        first += part.size;
      }
      return bytes;
    },
  };
}
