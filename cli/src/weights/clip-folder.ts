/** The teacher on disk: a CLIP checkpoint as Hugging Face, OpenAI or open_clip name its tensors, with its tokenizer. */

import { createHash } from 'node:crypto';
import { basename, dirname, join, resolve } from 'node:path';
import {
  hashedTokens,
  ownValue,
  randomClips,
  randomClipText,
  randomClipVision,
  weightEndings,
} from '@zeroseg/core/internal';
import { CheckpointError } from '@zeroseg/core/nn';
import {
  type ClipConfig,
  type ClipSource,
  openClipFolder,
  openSiglipFolder,
  type TeacherSource,
  Tokenizer,
} from '@zeroseg/core/zeroseg';
import { FileError, hashFiles } from '../files/index.ts';
import { builtIn, builtInTeacher } from './built-in.ts';
import { clipCommand } from './clip-command.ts';
import { diskFolder, kindOfPath } from './weight-files.ts';

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
  const kind = await kindOfPath(place);
  if (random && kind === undefined) return randomSource(place, random);
  const found = place === builtIn && kind === undefined ? await builtInTeacher() : place;
  const isFile = (await kindOfPath(found)) === 'file';
  if (kind === undefined && found === place) {
    throw new FileError(
      'openClip',
      place,
      `there is no such file or folder; give ${builtIn}, or download a CLIP: ${clipCommand(basename(place))}`,
    );
  }
  const folder = isFile ? dirname(found) : found;
  return openClipFolder(diskFolder(folder), {
    ...(isFile && { file: basename(found) }),
    name: basename(resolve(place)).replace(weightEndings, ''),
    remedy: `, and is had by: ${clipCommand(basename(found))}`,
    hash: (files) => hashFiles(files.map((file) => join(folder, file))),
  });
}

/** Whether a CLIP of this name is made on the spot, of random weights. */
export function isRandomClip(name: string): boolean {
  return ownValue(randomClips, name) !== undefined;
}

/**
 * Opens what a cache is filled by: a SigLIP, or whatever {@link openClip} opens.
 *
 * @throws {CheckpointError} as {@link openClip}.
 */
export async function openTeacher(place: string): Promise<TeacherSource> {
  const kind = await kindOfPath(place);
  if (kind === undefined) return openClip(place);
  const [folder, file] = kind === 'file' ? [dirname(place), basename(place)] : [place, undefined];
  const hash = (files: readonly string[]): Promise<string> => hashFiles(files.map((one) => join(folder, one)));
  const siglip = await openSiglipFolder(diskFolder(folder), { file, hash }).catch((error: unknown) => {
    // Without weights, or with several files of which one may be a CLIP: that is told, or found, below.
    if (error instanceof CheckpointError && error.file === folder) return undefined;
    throw error;
  });
  return siglip ?? openClip(place);
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
