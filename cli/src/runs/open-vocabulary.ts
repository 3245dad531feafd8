/** Models that segment by words, from files: what the library opens from bytes and addresses. */

import { dirname, join } from 'node:path';
import { ArgumentError, type Device } from '@zeroseg/core';
import { type ClipAndText, clipAndText, groupVitAndText, segClipAndText, shownValue } from '@zeroseg/core/internal';
import { CheckpointError } from '@zeroseg/core/nn';
import {
  isGroupVit,
  isSegClip,
  type ModelAndText,
  type OpenVocabulary,
  type OpenVocabularyOptions,
  openVocabulary as openFromSources,
  type WeightFile,
} from '@zeroseg/core/zeroseg';
import { hashFiles, readJson } from '../files/index.ts';
import { builtIn, kindOfPath, openClip, openWeights } from '../weights/index.ts';
import { findModel } from './find-model.ts';
import { type ModelPlace, type OwnTextKind, parseModelPlace } from './model-place.ts';

/** As the library's options, with places in the stead of sources. */
export interface FileVocabularyOptions extends Omit<OpenVocabularyOptions, 'model' | 'clip' | 'settings'> {
  /**
   * Model file of a ZeroSeg, a GroupViT or a SegCLIP, run folder of `zeroseg train`, `built-in` for the student of `@zeroseg/pretrained`, or a CLIP by
   * itself: `clip:PATH:sclip`. Default: none, so that `clip` segments by itself, in the way that `dense` names.
   */
  readonly model?: string | undefined;
  /** The CLIP that made the model's features: see {@link openClip}. The others need none. */
  readonly clip?: string | undefined;
}

/**
 * Opens a model that segments photos by the words that its CLIP knows: any, of one that read the web. The small one that the package
 * brings knows 54 things in drawings, and `result.unknown` tells what else was asked for.
 *
 * ```ts
 * const model = await openVocabulary(device, { model: 'built-in', clip: 'built-in' });
 * const { labels, names, unknown } = await model.segment(await readPhoto('park.jpg'), ['dog', 'grass']);
 * ```
 */
export async function openVocabulary(
  device: Device,
  { model, clip, ...options }: FileVocabularyOptions,
): Promise<OpenVocabulary> {
  for (const [name, place] of Object.entries({ model, clip })) {
    if (place === undefined || typeof place === 'string') continue;
    throw new ArgumentError(`openVocabulary: ${name} must be a path or '${builtIn}'; got ${shownValue(place)}`);
  }
  if (model === undefined) {
    return openFromSources(device, { ...options, ...(clip !== undefined && { clip: await openClip(clip) }) });
  }
  const found = await parseModelPlace(model);
  if (found.kind === 'clip') {
    return openFromSources(device, { ...options, clip: await openClip(found.place), dense: found.mode });
  }
  const file = await openModelFile(found.place);
  checkHeld(file, found);
  return openFromSources(device, {
    ...options,
    model: file,
    ...(isGroupVit(file.tensors) && { settings: await groupVitSettings(file) }),
    ...(clip !== undefined && !hasOwnText(file) && { clip: await openClip(clip) }),
  });
}

/** The header of a model's file. */
export async function openModelFile(place: string): Promise<WeightFile> {
  const path = await findModel(place);
  return { name: path, ...(await openWeights(path)), hash: () => hashFiles([path]) };
}

/** A CLIP that segments by itself. */
export async function openDenseClip({ place, mode }: Extract<ModelPlace, { kind: 'clip' }>): Promise<ClipAndText> {
  return clipAndText(await openClip(place), mode);
}

/** @throws CheckpointError when a file does not hold what it was said to. */
export function checkHeld({ name, tensors }: WeightFile, place: ModelPlace): void {
  if (place.kind !== 'file' || place.holds === undefined) return;
  const { title, isIn } = ownText[place.holds];
  if (isIn(tensors)) return;
  throw new CheckpointError(name, `holds no ${title}; leave out ${place.holds}: for what it is`);
}

const ownText = {
  groupvit: { title: 'GroupViT', isIn: isGroupVit },
  segclip: { title: 'SegCLIP', isIn: isSegClip },
} as const satisfies Record<OwnTextKind, unknown>;

/** Whether a model's text encoder is in its file: a GroupViT's or a SegCLIP's. */
export function hasOwnText({ tensors }: WeightFile): boolean {
  return Object.values(ownText).some(({ isIn }) => isIn(tensors));
}

/** A model of a file that {@link hasOwnText}, with the settings beside it. */
export async function openWithOwnText(file: WeightFile): Promise<ModelAndText> {
  return isSegClip(file.tensors) ? segClipAndText(file) : groupVitAndText(file, await groupVitSettings(file));
}

async function groupVitSettings({ name }: WeightFile): Promise<unknown> {
  const config = join(dirname(name), 'config.json');
  return (await kindOfPath(config)) === 'file' ? readJson(config) : {};
}
