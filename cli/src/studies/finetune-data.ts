/** Labelled photos to fine-tune on: those of a data set, or photos that a model labels itself. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { dataSettings } from '@zeroseg/core/internal';
import type {
  ClassWords,
  DataSetDefinition,
  Labelled,
  ModelAndText,
  NamingOptions,
  OpenVocabulary,
  SegmentByNamesOptions,
} from '@zeroseg/core/zeroseg';
import { readLabelMap, writeLabelPng } from '../photos/index.ts';
import {
  type Context,
  clipPlace,
  dataSetWords,
  type ModelAndWordsArguments,
  tellUnknown,
  withNaming,
  withoutUnknown,
} from '../shell/index.ts';

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

/** How a model labels photos. */
export interface Labelling {
  /** What it is asked for, one for each class. */
  readonly words: readonly ClassWords[];
  readonly rules: SegmentByNamesOptions;
}

/** How a model labels the photos of a data set: asked for what `zeroseg eval` asks it for, by the same rules. */
export async function labellingOf(
  context: Context,
  opened: ModelAndText,
  {
    set,
    data,
    asked,
  }: { readonly set: DataSetDefinition; readonly data: string; readonly asked: ModelAndWordsArguments },
): Promise<Labelling & { readonly naming: NamingOptions }> {
  const authors = dataSettings(opened, data);
  const naming = withNaming(opened, asked, authors);
  const words = dataSetWords(set, authors);
  const { unknown } = tellUnknown(context, opened.text, words, await clipPlace(asked));
  const { mode, scoring, top, short, background: threshold = set.threshold } = naming;
  return {
    naming,
    words: withoutUnknown(words, unknown),
    rules: { mode, scoring, top, short, threshold, ...naming.rules },
  };
}

/** Where labels are kept, and by what model they were made: others are made anew, those of other words and rules too. */
export interface PseudoPlace extends Labelling {
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
  { ignore }: Pick<DataSetDefinition, 'ignore'>,
  { folder, made, words, rules }: PseudoPlace,
): Labelled[] {
  return withVoid(
    photos.map(({ id, load }) => ({
      id,
      load: async () => {
        const { image } = await load();
        const path = join(folder, `${hashOf([made, words, rules, id])}.png`);
        const there = (await stat(path).catch(() => undefined))?.isFile() ? await readLabelMap(path) : undefined;
        if (there && there.width === image.width && there.height === image.height) return { image, labels: there };
        const { labels } = await model.segment(image, words, rules);
        await writeLabelPng(path, labels, []);
        return { image, labels };
      },
    })),
    { ignore: ignore === 0 ? 0 : VOID },
  );
}
