/** What is learnt from and looked at: scenes that are drawn, or photos of the visitor's. */
import {
  type CacheReader,
  heldOutNumbers,
  type Image,
  type PhotoSource,
  type Scene,
  type SceneAtlas,
  SceneMaker,
  scenePhotos,
  scenePresets,
  scoringScenes,
} from '@zeroseg/core/zeroseg';
import { encode } from 'fast-png';
import type { GivenFile } from '../../app/visitor-files.ts';
import { decodePhoto } from '../../engine/photos.ts';
import type { Plan } from '../plan.ts';

/** Side of the scenes that are learnt from: the student's own. */
export const LEARNT_SIDE = 64;
/** Side of the pictures that it is shown whole, to divide: twice that of its training. */
export const SHOWN_SIDE = 128;
/** Kinds of objects: those that the built-in teacher knows. */
const CLASSES = 40;
/** Added to the seed: what training is watched on is never learnt from. */
const WATCHED_SEED = 400_000_000;
/** Scenes that are scored. */
export const WATCHED = 8;
/** Rows of a sheet of samples. */
export const SHEET_ROWS = 4;
/** Photos that are held out, of all. */
export const HELD_OUT = 0.1;

export function sourceOfScenes(atlas: SceneAtlas, { seed, scenes }: Plan): PhotoSource {
  const maker = new SceneMaker(atlas, { ...scenePresets.mixed, size: LEARNT_SIDE, classes: CLASSES });
  return scenePhotos(maker, { seed, count: scenes });
}

/** Scenes that a run is watched on, and the words of what they may show. */
export function watchedScenes(
  atlas: SceneAtlas,
  { seed }: Plan,
  count: number,
): { scenes: Scene[]; names: readonly string[] } {
  const maker = scoringScenes(atlas, { classes: CLASSES, size: SHOWN_SIDE });
  const scenes = Array.from({ length: count }, (_, i) => maker.scene(WATCHED_SEED + seed, i));
  // Those with the most to tell apart are shown.
  return { scenes: scenes.sort((a, b) => b.objects.length - a.objects.length), names: maker.names };
}

export function sourceOfPhotos(photos: readonly GivenFile[]): PhotoSource {
  const files = new Map(photos.map(({ path, file }) => [path, file]));
  return {
    decoder: 'canvas',
    photos: photos.map(({ path, file }) => ({
      path,
      status: async () => ({ size: file.size, mtime: file.lastModified }),
      bytes: async () => new Uint8Array(await file.arrayBuffer()),
    })),
    decode: (bytes, path) => decodePhoto(new Blob([bytes], { type: files.get(path)?.type ?? '' }), path),
  };
}

/** The squares of a few photos that are held out. */
export async function heldOutSquares(cache: CacheReader, seed: number): Promise<Image[]> {
  const numbers = heldOutNumbers(cache.length, HELD_OUT, seed).slice(0, SHEET_ROWS);
  return Promise.all(numbers.map((number) => cache.image(number)));
}

/** The name of the features: the same pictures have the same. */
export async function featuresName(plan: Plan, photos: readonly GivenFile[]): Promise<string> {
  if (plan.source === 'scenes') return `scenes-${plan.seed}-${plan.scenes}`;
  const list = photos.map(({ path, file }) => `${path} ${file.size} ${file.lastModified}`).sort();
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(list.join('\n')));
  const digits = Array.from(new Uint8Array(hash).subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0'));
  return `photos-${digits.join('')}`;
}

/** Squares of one size as one picture, one below the other. */
export function stacked(images: readonly Image[]): Image {
  const [{ width, height }] = images as [Image, ...Image[]];
  const data = new Uint8Array(images.length * 3 * width * height);
  images.forEach((image, i) => {
    data.set(image.data, i * 3 * width * height);
  });
  return { width, height: images.length * height, data };
}

/** Two pictures of one height as one. */
export function beside(left: Image, right: Image): Image {
  const [width, { height }] = [left.width + right.width, left];
  const data = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    data.set(left.data.subarray(3 * y * left.width, 3 * (y + 1) * left.width), 3 * y * width);
    data.set(right.data.subarray(3 * y * right.width, 3 * (y + 1) * right.width), 3 * (y * width + left.width));
  }
  return { width, height, data };
}

export function pngOf(image: Image): Blob {
  return new Blob([encode({ ...image, channels: 3 }) as Uint8Array<ArrayBuffer>], { type: 'image/png' });
}
