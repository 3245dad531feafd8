/** How results on one photo are shown beside each other: drawn by the same hand where that is possible. */
import { dirname, join } from 'node:path';
import type { Colour } from '@zeroseg/core/internal';
import {
  classColour,
  type Drawing,
  type DrawOptions,
  drawSegmentation,
  type Image,
  type LabelMap,
  type Lettering,
  nameColours,
  resizeImage,
  type UnknownWords,
} from '@zeroseg/core/zeroseg';
import { readJson } from '../files/index.ts';
import { encodeJpeg, encodePng, nameLettering, readLabelMap, readPhoto } from '../photos/index.ts';
import { isRecord, type SegmentsRecord } from '../segments/index.ts';
import type { PairedPicture } from './pair-folders.ts';

export interface DrawnPair {
  /** PNG. */
  readonly a: Uint8Array;
  readonly b: Uint8Array;
  /** JPEG, where the photo is known. */
  readonly photo: Uint8Array | undefined;
  /** Words that were asked for and left out. */
  readonly unknown: UnknownWords;
}

/** A result of `zeroseg segment`, and its photo. */
interface Result {
  readonly record: SegmentsRecord;
  readonly labels: LabelMap;
  readonly photo: Image;
}

/** A result as it is to be seen: to be encoded with these letters. */
export interface DrawnResult {
  readonly drawing: Drawing;
  readonly lettering: Lettering;
  readonly record: SegmentsRecord;
}

/**
 * Results of `zeroseg segment` on one photo, drawn anew at the size they are shown in: a word has the same colour in all of them, whatever
 * the lists of words. Undefined where one is no such result, or is of another photo, or the photo is gone.
 */
export async function drawAlike(
  overlays: readonly string[],
  side: number,
  options: Pick<DrawOptions, 'legend'> = {},
): Promise<{ readonly photo: Image; readonly results: readonly DrawnResult[] } | undefined> {
  const found = await Promise.all(overlays.map(resultOf));
  const results = found.filter((one) => one !== undefined);
  const [first] = results;
  const isOne = results.every(
    ({ photo: { width, height } }) => width === first!.photo.width && height === first!.photo.height,
  );
  if (!first || results.length < overlays.length || !isOne) return undefined;
  const photo = shrink(first.photo, side);
  const names = [...new Set(results.flatMap(foundNames))];
  const colours = new Map(nameColours(names).map((colour, i) => [names[i] as string, colour]));
  return { photo, results: await Promise.all(results.map((one) => draw(one, photo, colours, options))) };
}

/** A pair as {@link drawAlike} draws it; where that is not possible, the pictures as they are. */
export async function drawPair({ a, b }: PairedPicture, side: number): Promise<DrawnPair> {
  const alike = await drawAlike([a, b], side);
  if (alike) {
    const encoded = alike.results.map(({ drawing, lettering }) => encodePng(drawing, lettering));
    const [drawnA, drawnB] = (await Promise.all(encoded)) as [Uint8Array, Uint8Array];
    const [unknownToA = [], unknownToB = []] = alike.results.map(({ record }) => record.unknown);
    return {
      ...{ a: drawnA, b: drawnB, photo: await encodeJpeg(alike.photo) },
      unknown: { a: unknownToA, b: unknownToB },
    };
  }
  const [pictureA, pictureB] = await Promise.all([readPhoto(a), readPhoto(b)]);
  const [resultA, resultB] = [await resultOf(a), await resultOf(b)];
  const known = (resultA ?? resultB)?.photo;
  return {
    a: await encodePng(shrink(pictureA, side)),
    b: await encodePng(shrink(pictureB, side)),
    photo: known && (await encodeJpeg(known, side)),
    unknown: { a: resultA?.record.unknown ?? [], b: resultB?.record.unknown ?? [] },
  };
}

/** What lies beside an overlay; undefined where it is no result of `zeroseg segment`, or its photo is gone. */
async function resultOf(overlay: string): Promise<Result | undefined> {
  if (!overlay.endsWith('.overlay.png')) return undefined;
  const record = await readJson(overlay.replace(/\.overlay\.png$/, '.json')).catch(() => undefined);
  if (!isRecord(record)) return undefined;
  const folder = dirname(overlay);
  try {
    const labels = await readLabelMap(join(folder, record.files.labels));
    const photo = await readPhoto(join(folder, record.source.file));
    const fits = labels.width === photo.width && labels.height === photo.height;
    return fits ? { record, labels, photo } : undefined;
  } catch {
    return undefined;
  }
}

function foundNames({ record }: Pick<Result, 'record'>): string[] {
  return record.classes.filter(({ label }) => label > 0).map(({ name }) => name);
}

async function draw(
  { record, labels }: Result,
  photo: Image,
  colours: ReadonlyMap<string, Colour>,
  options: Pick<DrawOptions, 'legend'>,
): Promise<DrawnResult> {
  const names = ['background', ...record.names];
  const { lettering, drawnAs } = await nameLettering(foundNames({ record }));
  const hasBackground = record.options['background'] !== null;
  const drawing = drawSegmentation(photo, resizeLabels(labels, photo), {
    names: names.map((name, label) => (label === 0 && !hasBackground ? undefined : (drawnAs.get(name) ?? name))),
    lettering,
    colour: (label) => colours.get(names[label] ?? '') ?? classColour(label),
    ...options,
  });
  return { drawing, lettering, record };
}

function shrink(image: Image, side: number): Image {
  const scale = side / Math.max(image.width, image.height);
  if (scale >= 1) return image;
  const size = (pixels: number) => Math.max(1, Math.round(pixels * scale));
  return resizeImage(image, size(image.width), size(image.height), 'bicubic');
}

/** By the nearest label. */
function resizeLabels(
  { width, height, data }: LabelMap,
  to: { readonly width: number; readonly height: number },
): LabelMap {
  if (to.width === width && to.height === height) return { width, height, data };
  const resized =
    data instanceof Uint16Array ? new Uint16Array(to.width * to.height) : new Uint8Array(to.width * to.height);
  for (let y = 0; y < to.height; y++) {
    const row = Math.floor(((y + 0.5) * height) / to.height) * width;
    for (let x = 0; x < to.width; x++) {
      resized[y * to.width + x] = data[row + Math.floor(((x + 0.5) * width) / to.width)] as number;
    }
  }
  return { width: to.width, height: to.height, data: resized };
}
