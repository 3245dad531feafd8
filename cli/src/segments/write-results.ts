/** The files about one photo. */
import { join } from 'node:path';
import type { Colour } from '@zeroseg/core/internal';
import {
  classRecord,
  classRegions,
  drawSegmentation,
  type Image,
  labelScores,
  type OpenVocabularyResult,
  softMask,
} from '@zeroseg/core/zeroseg';
import { recordText, writeFileAtomic } from '../files/index.ts';
import {
  encodeCutout,
  encodeThumbnail,
  ImageError,
  type NameLettering,
  readTransparent,
  segmentsFormat,
  writeLabelPng,
  writePng,
} from '../photos/index.ts';
import type { SegmentsRecord } from './record.ts';
import { type Claim, filesOf, firstBytes, wayToPhoto } from './results-folder.ts';

/** What is the same for all photos of a run. */
export interface ResultsOptions {
  readonly folder: string;
  /** Whether there is background; else label 0 does not come. */
  readonly withBackground: boolean;
  /** Names of classes that are cut out. */
  readonly cutouts: readonly string[];
  /** Letters of all names. */
  readonly letters: NameLettering;
  colour(label: number): Colour;
  /** What records say of how they were made. */
  readonly facts: Pick<SegmentsRecord, 'options' | 'unknown' | 'model' | 'clip' | 'settings'>;
}

/** A photo as it was found on the disk. */
export interface PhotoStamp {
  readonly bytes: number;
  readonly modified: number;
}

/** Writes what was found in a photo. The record comes last: where it is, the rest is. */
export async function writeResults(
  photo: Image,
  stamp: PhotoStamp,
  { photo: { path }, name }: Claim,
  result: OpenVocabularyResult,
  { folder, withBackground, cutouts, letters, colour, facts }: ResultsOptions,
): Promise<SegmentsRecord> {
  const { labels, names, resized } = result;
  const own = filesOf(name);
  const place = (file: string): string => join(folder, name, '..', file);
  const within = { within: folder };
  const regions = classRegions(labels, { scores: labelScores(result) });

  const { lettering, drawnAs } = letters;
  const shown = names.map((one, label) => (label === 0 && !withBackground ? undefined : (drawnAs.get(one) ?? one)));
  const overlay = drawSegmentation(photo, labels, { names: shown, lettering, colour });
  await writePng(place(own.overlay), overlay, { ...within, lettering });
  await writeLabelPng(
    place(own.labels),
    labels,
    Array.from({ length: Math.min(256, names.length) }, (_, label) => colour(label)),
    within,
  );
  await writeFileAtomic(place(own.thumbnail), await encodeThumbnail(photo), within);

  const cutoutFiles: Record<string, string> = Object.create(null);
  const isCut = regions.some(({ label }) => label !== 0 && cutouts.includes(names[label]!));
  const transparent = isCut ? await readTransparent(path) : undefined;
  if (transparent && (transparent.photo.width !== photo.width || transparent.photo.height !== photo.height)) {
    throw new ImageError('segment', path, 'the file has become another photo meanwhile; run the same command again');
  }
  for (const { label } of regions) {
    const word = names[label]!;
    if (label === 0 || !cutouts.includes(word)) continue;
    const file = own.json.replace(/json$/, `${wordInName(word, label)}.cutout.png`);
    const softness = Math.max(1, photo.width / resized.width);
    const alpha = softMask(labels, label, softness);
    // What is transparent in the photo stays so.
    if (transparent)
      for (let i = 0; i < alpha.length; i++) alpha[i] = Math.round((alpha[i]! * transparent.alpha[i]!) / 255);
    await writeFileAtomic(place(file), await encodeCutout(transparent?.photo ?? photo, alpha), within);
    cutoutFiles[word] = file;
  }

  const record: SegmentsRecord = {
    format: segmentsFormat,
    photo: path,
    width: photo.width,
    height: photo.height,
    source: { file: wayToPhoto(folder, name, path), ...stamp },
    files: { overlay: own.overlay, labels: own.labels, thumbnail: own.thumbnail, cutouts: cutoutFiles },
    classes: regions.map((region) =>
      classRecord(region, {
        name: names[region.label]!,
        colour: colour(region.label),
        drawnAs: drawnAs.get(names[region.label]!),
      }),
    ),
    names: names.slice(1),
    resized,
    ...facts,
  };
  await writeFileAtomic(place(own.json), recordText(record), within);
  return record;
}

/** Bytes of a word that a file's name may have. */
const LONGEST_WORD = 60;

function wordInName(word: string, label: number): string {
  const letters = firstBytes(word.replace(/[^\p{L}\p{M}\p{N}]+/gu, '-'), LONGEST_WORD);
  const plain = letters.replace(/^-+|-+$/g, '');
  // Words that differ in other letters only would share a file.
  return plain === word ? plain : `${plain}-${label}`.replace(/^-/, '');
}
