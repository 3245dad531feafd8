/** What readers of data sets share: photos beside label maps, lists of ids, and what can be wrong with them. */
import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { ZeroSegError } from '@zeroseg/core';
import { firstRepeated } from '@zeroseg/core/internal';
import type { Image, LabelMap } from '@zeroseg/core/zeroseg';
import { FileError, readBounded, systemReason } from '../../files/index.ts';
import { readLabelMap, readPhoto } from '../image-files.ts';
import { isPhotoName } from '../photos.ts';

/** A data set is incomplete or not laid out as expected; `path` names where. */
export class DataSetError extends ZeroSegError {
  override readonly name = 'DataSetError';
  readonly code = 'data-set';
  readonly path: string;

  constructor(path: string, reason: string, options?: ErrorOptions) {
    super(`data set: ${path}: ${reason}`, options);
    this.path = path;
  }
}

const LARGEST_LIST = 2 ** 28;

/** One photo and its label map. Nothing is read before {@link LabelledPhoto.load}. */
export interface LabelledPhoto {
  readonly id: string;
  /** Path of the photo. */
  readonly photo: string;
  /** Path of the label map. */
  readonly labels: string;
  /**
   * Reads both, pixel over pixel as they are stored: an EXIF orientation of the photo, which label maps do not have, is not
   * applied. Labels are numbered 0..classes-1, with 255 where nothing counts. Throws {@link DataSetError} naming both files when
   * their sizes differ.
   */
  load(): Promise<{ image: Image; labels: LabelMap }>;
}

export type Renumber = (labels: Uint8Array | Uint16Array) => Uint8Array;

/** Where in the data set's folder photos, label maps and the list of ids are; label maps are `ID.png`. */
interface Layout {
  readonly photos: string;
  readonly labels: string;
  readonly renumber?: Renumber | undefined;
}

/** Whether a name is a photo's. */
export const isPhoto = (name: string): boolean => !name.startsWith('.') && isPhotoName(name);

/** The photos of the ids with their label maps; each must be there. */
export async function pair(ids: readonly string[], { photos, labels, renumber }: Layout): Promise<LabelledPhoto[]> {
  const photoNames = new Map((await list(photos)).filter(isPhoto).map((name) => [basename(name, extname(name)), name]));
  const labelNames = new Set(await list(labels));
  if (ids.length === 0) throw new DataSetError(photos, 'there are no photos in this folder');
  return [...ids].sort().map((id) => {
    const photo = join(photos, photoNames.get(id) ?? `${id}.jpg`);
    const map = join(labels, `${id}.png`);
    if (!photoNames.has(id)) throw new DataSetError(photo, `there is no such photo; its label map would be ${map}`);
    if (!labelNames.has(`${id}.png`)) throw new DataSetError(map, `there is no such label map; its photo is ${photo}`);
    return { id, photo, labels: map, load: () => load(photo, map, renumber) };
  });
}

async function load(
  photo: string,
  map: string,
  renumber: Renumber | undefined,
): Promise<{ image: Image; labels: LabelMap }> {
  // A label map lies over the pixels of the photo's file. Turning the photo alone, as its metadata may say, would set them apart:
  // without a word where both are square, or turned by half.
  const [image, labels] = await Promise.all([readPhoto(photo, { orientation: 'stored' }), readLabelMap(map)]);
  if (image.width !== labels.width || image.height !== labels.height) {
    const sizes = `${labels.width} x ${labels.height}, and its photo ${photo} is ${image.width} x ${image.height}`;
    const upright = await readPhoto(photo);
    const remedy =
      upright.width === labels.width && upright.height === labels.height
        ? ' as stored; if the map was drawn over the photo as its EXIF orientation shows it, turn the pixels of the photo and take the orientation out'
        : '';
    throw new DataSetError(map, `the label map is ${sizes}; they must be of one size${remedy}`);
  }
  if (!renumber) return { image, labels };
  try {
    return { image, labels: { ...labels, data: renumber(labels.data) } };
  } catch (error) {
    throw new DataSetError(map, (error as Error).message, { cause: error });
  }
}

/** The ids of a split's list. */
export async function readSplit(root: string, folders: readonly string[], split: string): Promise<string[]> {
  const folder = await firstFolder(root, folders, 'lists of ids');
  const path = join(folder, `${split}.txt`);
  let text: string;
  try {
    text = new TextDecoder().decode(await readBounded('data set', path, LARGEST_LIST));
  } catch (error) {
    if (error instanceof FileError) throw new DataSetError(path, 'this is no list of ids', { cause: error });
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw new DataSetError(path, systemReason(error), { cause: error });
    }
    const known = (await list(folder)).filter((name) => name.endsWith('.txt')).map((name) => name.slice(0, -4));
    const remedy = known.length > 0 ? `this data set has: ${known.sort().join(', ')}` : 'the folder holds no lists';
    throw new DataSetError(path, `there is no split "${split}"; ${remedy}`, { cause: error });
  }
  const ids = text.split(/\r?\n/).map((line) => line.trim());
  const filled = ids.filter((id) => id !== '');
  if (filled.length === 0) throw new DataSetError(path, 'the list of ids is empty');
  const twice = firstRepeated(filled);
  if (twice !== undefined) throw new DataSetError(path, `the id ${twice} is listed twice`);
  return filled;
}

/** The first of the folders that is there. */
export async function firstFolder(root: string, folders: readonly string[], what: string): Promise<string> {
  if (!(await isFolder(root))) throw new DataSetError(root, 'there is no such folder; check the spelling');
  for (const folder of folders) if (await isFolder(join(root, folder))) return join(root, folder);
  throw new DataSetError(root, `the folder with the ${what} is missing; looked for ${folders.join(', ')}`);
}

export async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** The names in a folder. */
export async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    throw new DataSetError(folder, systemReason(error), { cause: error });
  }
}
