/** Labelled photos to fine-tune on: those of a data set, or photos that a model labels itself. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataSetDefinition, Labelled, OpenVocabulary } from '@zeroseg/core/zeroseg';
import { readLabelMap, writeLabelPng } from '../photos/index.ts';

/** Where nothing counts. */
const VOID = 255;

/** A data set's photos with 255 in the stead of its own label for what does not count: of scenes 0, ground without a name. */
export function withVoid(photos: readonly Labelled[], { ignore }: Pick<DataSetDefinition, 'ignore'>): Labelled[] {
  if (ignore === null || ignore === VOID) return [...photos];
  return photos.map(({ id, load }) => ({
    id,
    load: async () => {
      const { image, labels } = await load();
      return { image, labels: { ...labels, data: labels.data.map((label) => (label === ignore ? VOID : label)) } };
    },
  }));
}

/** Where labels are kept, and what they were made by: others are made anew. */
export interface PseudoPlace {
  readonly folder: string;
  readonly made: unknown;
}

function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 24);
}

/**
 * Photos with the labels that a model gives them, as in the self-training of MaskCLIP+: the truth is not looked at. Each photo is labelled
 * when it is first asked for, and its labels are kept in a folder: with many photos, memory would not hold them. Where the data set has no background, what the model takes for background does not count.
 */
export function pseudoLabelled(
  photos: readonly Labelled[],
  model: OpenVocabulary,
  { prompts, ignore, threshold }: Pick<DataSetDefinition, 'prompts' | 'ignore' | 'threshold'>,
  { folder, made }: PseudoPlace,
): Labelled[] {
  return withVoid(
    photos.map(({ id, load }) => ({
      id,
      load: async () => {
        const { image } = await load();
        const path = join(folder, `${hashOf([made, prompts, threshold, id])}.png`);
        const there = (await stat(path).catch(() => undefined))?.isFile() ? await readLabelMap(path) : undefined;
        if (there && there.width === image.width && there.height === image.height) return { image, labels: there };
        const { labels } = await model.segment(image, prompts, { threshold });
        await writeLabelPng(path, labels, []);
        return { image, labels };
      },
    })),
    { ignore: ignore === 0 ? 0 : VOID },
  );
}
