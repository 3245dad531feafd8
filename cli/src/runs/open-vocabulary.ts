/** Models that segment by words, from files: what the library opens from bytes and addresses. */

import { dirname, join } from 'node:path';
import type { Device } from '@zeroseg/core';
import { type ClipAndText, clipAndText, groupVitAndText } from '@zeroseg/core/internal';
import { CheckpointError } from '@zeroseg/core/nn';
import {
  isGroupVit,
  type ModelAndText,
  type OpenVocabulary,
  type OpenVocabularyOptions,
  openVocabulary as openFromSources,
  type WeightFile,
} from '@zeroseg/core/zeroseg';
import { hashFiles, readJson } from '../files/index.ts';
import { kindOfPath, openClip, openWeights } from '../weights/index.ts';
import { findModel } from './find-model.ts';
import { type ModelPlace, parseModelPlace } from './model-place.ts';

/** As the library's options, with places in the stead of sources. */
export interface FileVocabularyOptions extends Omit<OpenVocabularyOptions, 'model' | 'clip' | 'settings'> {
  /**
   * Model file of a ZeroSeg or a GroupViT, run folder of `zeroseg train`, `built-in` for the student of `@zeroseg/pretrained`, or a CLIP by
   * itself: `clip:PATH:sclip`.
   */
  readonly model: string;
  /** The CLIP that made the model's features: see {@link openClip}. A GroupViT needs none. */
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
  const found = await parseModelPlace(model);
  if (found.kind === 'clip') {
    return openFromSources(device, { ...options, clip: await openClip(found.place), dense: found.mode });
  }
  const file = await openModelFile(found.place);
  checkHeld(file, found);
  return openFromSources(device, {
    ...options,
    model: file,
    ...(isGroupVit(file.tensors) ? { settings: await groupVitSettings(file) } : clip && { clip: await openClip(clip) }),
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
  if (place.kind === 'file' && place.holds === 'groupvit' && !isGroupVit(tensors)) {
    throw new CheckpointError(name, 'holds no GroupViT; leave out groupvit: for what it is');
  }
}

/** A GroupViT of a file, with the settings beside it. */
export async function openGroupVit(file: WeightFile): Promise<ModelAndText> {
  return groupVitAndText(file, await groupVitSettings(file));
}

async function groupVitSettings({ name }: WeightFile): Promise<unknown> {
  const config = join(dirname(name), 'config.json');
  return (await kindOfPath(config)) === 'file' ? readJson(config) : {};
}
