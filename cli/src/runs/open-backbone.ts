import { readdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { weightEndings } from '@zeroseg/core/internal';
import type { FileTensor } from '@zeroseg/core/nn';
import { backboneConfig, type EncoderConfig, modelInfo } from '@zeroseg/core/zeroseg';
import { hashFiles } from '../files/index.ts';
import { builtIn, openClip, openWeights, teacherWeights } from '../weights/index.ts';
import { findModel } from './find-model.ts';

export interface BackboneChoices {
  /** Side of the images that it will see; default: that of its training. */
  readonly crop?: number | undefined;
  readonly heads?: number | undefined;
}

/** An encoder in a file. */
export interface Backbone {
  readonly path: string;
  readonly config: EncoderConfig;
  readonly tensors: ReadonlyMap<string, FileTensor>;
  hash(): Promise<string>;
}

/** The encoder of a file, to be fine-tuned: its sizes and its tensors. `built-in` is the teacher of the package. */
export async function openBackbone(place: string, { crop, heads }: BackboneChoices): Promise<Backbone> {
  const path = place === builtIn ? await teacherWeights(place) : await findModel(place);
  const file = await openWeights(path);
  const told = await toldBy(path, file);
  const name = place === builtIn ? builtIn : path;
  const config = await backboneConfig(file.tensors, name, { image: crop ?? told?.image, heads: heads ?? told?.heads });
  const { tensors } = file;
  return { path, config, tensors, hash: () => hashFiles([path]) };
}

/** What tensors do not tell, and the file or its neighbours do: a model of this package, and a CLIP beside its settings. */
async function toldBy(
  path: string,
  file: Awaited<ReturnType<typeof openWeights>>,
): Promise<{ readonly heads: number; readonly image: number } | undefined> {
  if (file.metadata['format']?.startsWith('zeroseg-model')) return modelInfo(file, path).config;
  if (![...file.tensors.keys()].some((name) => name.startsWith('vision_model.'))) return undefined;
  const beside = new Set(await readdir(dirname(path)));
  const settings = ['config.json', 'open_clip_config.json', basename(path).replace(weightEndings, '.json')];
  // Without any, by the published sizes.
  if (!settings.some((name) => beside.has(name))) return undefined;
  const { heads, image } = (await openClip(path)).config.vision;
  return { heads, image };
}
