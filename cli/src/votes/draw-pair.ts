/** How a pair is shown: both drawn by the same hand where that is possible. */
import { dirname, join } from 'node:path';
import type { Colour } from '@zeroseg/core/internal';
import {
  classColour,
  drawSegmentation,
  type Image,
  type LabelMap,
  nameColours,
  resizeImage,
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
}

/** A result of `zeroseg segment`, and its photo. */
interface Result {
  readonly record: SegmentsRecord;
  readonly labels: LabelMap;
  readonly photo: Image;
}

/**
 * Where both are results of `zeroseg segment` and the photo is there, both are drawn anew at the size they are shown in: a word has the same
 * colour in both, whatever the two lists of words. Else the pictures are taken as they are.
 */
export async function drawPair(pair: PairedPicture, side: number): Promise<DrawnPair> {
  const results = await Promise.all([resultOf(pair.a), resultOf(pair.b)]);
  const [a, b] = results;
  if (a && b && a.photo.width === b.photo.width && a.photo.height === b.photo.height) {
    const photo = shrink(a.photo, side);
    const found = [a, b].map(foundNames);
    const names = [...new Set(found.flat())];
    const colours = new Map(nameColours(names).map((colour, i) => [names[i] as string, colour]));
    const [drawnA, drawnB] = await Promise.all([draw(a, photo, colours), draw(b, photo, colours)]);
    return { a: drawnA, b: drawnB, photo: await encodeJpeg(photo) };
  }
  const [pictureA, pictureB] = await Promise.all([readPhoto(pair.a), readPhoto(pair.b)]);
  const known = (a ?? b)?.photo;
  return {
    a: await encodePng(shrink(pictureA, side)),
    b: await encodePng(shrink(pictureB, side)),
    photo: known && (await encodeJpeg(known, side)),
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

function foundNames({ record }: Result): string[] {
  return record.classes.filter(({ label }) => label > 0).map(({ name }) => name);
}

async function draw(
  { record, labels }: Result,
  photo: Image,
  colours: ReadonlyMap<string, Colour>,
): Promise<Uint8Array> {
  const names = ['background', ...record.names];
  const { lettering, drawnAs } = await nameLettering(foundNames({ record } as Result));
  const hasBackground = record.options['background'] !== null;
  const picture = drawSegmentation(photo, resizeLabels(labels, photo), {
    names: names.map((name, label) => (label === 0 && !hasBackground ? undefined : (drawnAs.get(name) ?? name))),
    lettering,
    colour: (label) => colours.get(names[label] ?? '') ?? classColour(label),
  });
  return encodePng(picture, lettering);
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
