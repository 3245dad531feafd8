import { parseJson } from '../../gpu/index.ts';
import { CheckpointError } from '../../nn/safetensors/index.ts';
import {
  type ByteSource,
  openWeightSource,
  readSource,
  sourceName,
  type WeightFile,
  type WeightSource,
} from '../checkpoints/index.ts';
import type { ClipConfig } from '../clip/index.ts';
import { readKnownWords } from '../clip/index.ts';
import { hashedTokens, type TextTokens, Tokenizer } from '../text/index.ts';
import { loadClipText, loadClipVision, logitScale, readSettingTensors } from './load.ts';
import type { ClipSource } from './source.ts';
import { clipConfig } from './tensor-sizes.ts';

/** The files of a CLIP, as {@link openClipFiles} takes them. */
export interface ClipFiles {
  /** Weights under the names of Hugging Face, OpenAI or open_clip. */
  readonly weights: WeightSource;
  /** The settings beside them (`config.json`): parsed, or where they are. Without any, those of OpenAI's CLIPs. */
  readonly config?: ByteSource | Readonly<Record<string, unknown>> | undefined;
  /** Its `tokenizer.json`, where it is not CLIP's own. */
  readonly tokenizer?: ByteSource | undefined;
  /** Its name. Default: that of the file of weights. */
  readonly name?: string | undefined;
}

/** What {@link clipSource} cannot know from the weights alone. */
export interface ClipParts {
  readonly name: string;
  /** Settings as they were parsed: see {@link clipConfig}. */
  readonly settings: unknown;
  readonly weightsHash: () => Promise<string>;
  /** The tokenizer that belongs to the weights, and what it is called. */
  readonly tokenizer: () => Promise<{ readonly name: string; readonly tokens: Tokenizer }>;
}

/** A CLIP out of an opened file of weights. */
export async function clipSource(
  file: WeightFile,
  { name, settings, weightsHash, tokenizer }: ClipParts,
): Promise<ClipSource> {
  const label = file.name;
  const tensors = await readSettingTensors(file.tensors);
  const config = clipConfig(tensors, label, settings);
  const words = readKnownWords(file.metadata, label);
  let hash: Promise<string> | undefined;
  return {
    name,
    config,
    scale: logitScale(tensors),
    words,
    isRandom: false,
    weightsHash: () => (hash ??= weightsHash()),
    vision: (device) => loadClipVision(device, tensors, label, config),
    text: (device) => loadClipText(device, tensors, label, config),
    async tokens(kind = 'clip'): Promise<TextTokens> {
      if (kind === 'hash') return hashedTokens(config.text.vocab);
      const found = await tokenizer();
      checkTokenizer(found.tokens, found.name, config, label);
      return found.tokens;
    },
  };
}

/**
 * Opens a CLIP from bytes or addresses, in a page say. Weights are read when a tower is asked for, as {@link openWeightSource} does it.
 *
 * ```ts
 * const clip = await openClipFiles({ weights: teacher.weights, config: teacher.config }); // of '@zeroseg/pretrained'
 * ```
 *
 * @throws CheckpointError when there is no CLIP, or one that is not computed here.
 */
export async function openClipFiles({ weights, config, tokenizer, name }: ClipFiles): Promise<ClipSource> {
  const label = sourceName(weights, 'clip');
  const file = await openWeightSource(weights, label);
  const text = tokenizer === undefined ? undefined : await readText(tokenizer, 'tokenizer.json');
  const settings = isBytes(config) ? parseSettings(await readText(config, 'config.json'), label) : (config ?? {});
  return clipSource(
    { ...file, name: label },
    {
      name: name ?? label.replace(/^.*\//, '').replace(/\.safetensors$/, ''),
      settings,
      weightsHash: async () => (await file.hash?.()) ?? '',
      tokenizer: async () =>
        text === undefined
          ? { name: "CLIP's own tokenizer", tokens: await Tokenizer.clip() }
          : { name: 'tokenizer.json', tokens: Tokenizer.fromTokenizerJson(text) },
    },
  );
}

/** @throws CheckpointError when texts would be numbered otherwise than the text tower was trained with. */
function checkTokenizer(tokens: Tokenizer, name: string, { text: { end, vocab } }: ClipConfig, label: string): void {
  if (end !== undefined && tokens.end !== end) {
    throw new CheckpointError(
      label,
      `its settings read texts at token ${end} (eos_token_id), and ${name} ends them with ${tokens.end}; put the checkpoint's tokenizer.json beside it`,
    );
  }
  if (tokens.size > vocab) {
    throw new CheckpointError(
      label,
      `its text tower knows ${vocab} tokens, and ${name} has ${tokens.size}; put the checkpoint's tokenizer.json beside it`,
    );
  }
}

function isBytes(config: ClipFiles['config']): config is ByteSource {
  if (typeof config !== 'object' || config === null) return typeof config === 'string';
  return config instanceof URL || config instanceof Blob || config instanceof Uint8Array || 'readRange' in config;
}

async function readText(source: ByteSource, what: string): Promise<string> {
  return new TextDecoder().decode(await readSource(source, sourceName(source, what)));
}

function parseSettings(text: string, label: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    throw new CheckpointError(label, 'its config.json is no JSON', { cause });
  }
}
