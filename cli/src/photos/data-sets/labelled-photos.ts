/** What readers of data sets share: photos beside label maps, lists of ids, and what can be wrong with them. */
import { basename, extname } from 'node:path';
import { ZeroSegError } from '@zeroseg/core';
import { firstRepeated } from '@zeroseg/core/internal';
import type { Image, LabelMap } from '@zeroseg/core/zeroseg';
import type { FileTree } from '../../archives/index.ts';
import { FileError } from '../../files/index.ts';
import { decodeLabelMap, decodePhoto } from '../image-files.ts';
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
/** Names of a folder that a message tells. */
const TOLD = 8;

/** How a data set lies on disk. */
export interface Layout {
  /** Such as `JPEGImages/ID.jpg, SegmentationClass/ID.png and ImageSets/Segmentation/SPLIT.txt`. */
  readonly expects: string;
  /** The command that makes it so from what is published. */
  readonly remedy: string;
}

/** One photo and its label map. Nothing is read before {@link LabelledPhoto.load}. */
export interface LabelledPhoto {
  readonly id: string;
  /** Path of the photo; inside of an archive, as if it were unpacked. */
  readonly photo: string;
  /** Path of the label map, or of what it is made of. */
  readonly labels: string;
  /**
   * Reads both, pixel over pixel as they are stored: an EXIF orientation of the photo, which label maps do not have, is not
   * applied. Labels are numbered 0..classes-1, with 255 where nothing counts. Throws {@link DataSetError} naming both files when
   * their sizes differ.
   */
  load(): Promise<{ image: Image; labels: LabelMap }>;
}

export type Renumber = (labels: Uint8Array | Uint16Array) => Uint8Array;

/** Where the label map of a photo comes from. */
export interface LabelSource {
  readonly place: string;
  read(): Promise<LabelMap>;
}

/** Finds the label map of an id; undefined where there is none. */
export type FindLabels = (id: string) => LabelSource | undefined;

/** Whether a name is a photo's. */
export const isPhoto = (name: string): boolean => !name.startsWith('.') && isPhotoName(name);

export const stem = (name: string): string => basename(name, extname(name));

/** Paths of the photos in a folder, by their ids. */
export async function photosIn(files: FileTree, folder: string): Promise<Map<string, string>> {
  return new Map((await list(files, folder)).filter(isPhoto).map((name) => [stem(name), `${folder}/${name}`]));
}

/** PNGs with labels: `folder/ID{ending}.png`. */
export async function pngLabels(
  files: FileTree,
  folder: string,
  renumber?: Renumber,
  ending = '',
): Promise<FindLabels> {
  const names = new Set(await list(files, folder));
  return (id) => {
    const name = `${id}${ending}.png`;
    return names.has(name) ? pngSource(files, `${folder}/${name}`, renumber) : undefined;
  };
}

export function pngSource(files: FileTree, path: string, renumber?: Renumber): LabelSource {
  const place = files.place(path);
  return {
    place,
    async read() {
      const labels = decodeLabelMap(await files.read(path), place);
      return renumber ? { ...labels, data: renumber(labels.data) } : labels;
    },
  };
}

/**
 * The photos of the ids with their label maps, by id; each must be there. `map` says where a label map would be.
 *
 * @throws DataSetError naming what is missing, and what belongs to it.
 */
export function pair(
  files: FileTree,
  ids: readonly string[],
  photos: ReadonlyMap<string, string>,
  find: FindLabels,
  expected: { photo(id: string): string; map(id: string): string },
): LabelledPhoto[] {
  return [...ids].sort().map((id) => {
    const photo = photos.get(id);
    const labels = find(id);
    if (photo === undefined) {
      const map = labels?.place ?? files.place(expected.map(id));
      throw new DataSetError(files.place(expected.photo(id)), `there is no such photo; its label map would be ${map}`);
    }
    if (!labels) {
      throw new DataSetError(
        files.place(expected.map(id)),
        `there is no such label map; its photo is ${files.place(photo)}`,
      );
    }
    return { id, photo: files.place(photo), labels: labels.place, load: () => load(files, photo, labels) };
  });
}

async function load(files: FileTree, photo: string, source: LabelSource): Promise<{ image: Image; labels: LabelMap }> {
  const bytes = await files.read(photo);
  const place = files.place(photo);
  // A label map lies over the pixels of the photo's file. Turning the photo alone, as its metadata may say, would set them apart:
  // without a word where both are square, or turned by half.
  const [image, labels] = await Promise.all([decodePhoto(bytes, place, { orientation: 'stored' }), readLabels(source)]);
  if (image.width !== labels.width || image.height !== labels.height) {
    const sizes = `${labels.width} x ${labels.height}, and its photo ${place} is ${image.width} x ${image.height}`;
    const upright = await decodePhoto(bytes, place);
    const remedy =
      upright.width === labels.width && upright.height === labels.height
        ? ' as stored; if the map was drawn over the photo as its EXIF orientation shows it, turn the pixels of the photo and take the orientation out'
        : '';
    throw new DataSetError(source.place, `the label map is ${sizes}; they must be of one size${remedy}`);
  }
  return { image, labels };
}

async function readLabels(source: LabelSource): Promise<LabelMap> {
  try {
    return await source.read();
  } catch (error) {
    const { message } = error as Error;
    // Those of files name them already.
    if (error instanceof ZeroSegError && message.includes(source.place)) throw error;
    throw new DataSetError(source.place, message, { cause: error });
  }
}

/** The ids of a split's list, a line each. */
export async function readSplit(files: FileTree, folder: string, split: string): Promise<string[]> {
  const path = join(folder, `${split}.txt`);
  const place = files.place(path);
  if (!(await files.isFile(path))) {
    const known = (await list(files, folder)).filter((name) => name.endsWith('.txt')).map((name) => name.slice(0, -4));
    const remedy = known.length > 0 ? `this data set has: ${known.sort().join(', ')}` : 'the folder holds no lists';
    throw new DataSetError(place, `there is no split "${split}"; ${remedy}`);
  }
  let text: string;
  try {
    text = new TextDecoder().decode(await files.read(path, LARGEST_LIST));
  } catch (error) {
    throw new DataSetError(place, 'this is no list of ids', { cause: error });
  }
  const ids = text.split(/\r?\n/).map((line) => line.trim());
  const filled = ids.filter((id) => id !== '');
  if (filled.length === 0) throw new DataSetError(place, 'the list of ids is empty');
  const twice = firstRepeated(filled);
  if (twice !== undefined) throw new DataSetError(place, `the id ${twice} is listed twice`);
  return filled;
}

/** The first of the folders that is there. @throws DataSetError with what is there instead, and how it should be. */
export async function firstFolder(
  files: FileTree,
  folders: readonly string[],
  what: string,
  layout: Layout,
): Promise<string> {
  for (const folder of folders) if (await files.isFolder(folder)) return folder;
  throw await wrongLayout(files, what, layout);
}

/** The first of the files that is there. */
export async function firstFile(files: FileTree, paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await files.isFile(path)) return path;
  return undefined;
}

/** The folder in the root that has what `has` names: the root itself, or one of the folders that archives unpack to. */
export async function findBase(files: FileTree, has: string, folders: readonly string[]): Promise<string> {
  for (const folder of ['', ...folders]) if (await files.isFolder(join(folder, has))) return folder;
  return '';
}

export const join = (...parts: string[]): string => parts.filter((part) => part !== '').join('/');

/** Says what is missing, what is there, and how it should be. */
export async function wrongLayout(files: FileTree, what: string, { expects, remedy }: Layout): Promise<DataSetError> {
  const names = (await list(files, '')).filter((name) => !name.startsWith('.'));
  const more = names.length > TOLD ? ` and ${names.length - TOLD} more` : '';
  const found = names.length === 0 ? 'nothing' : `${names.slice(0, TOLD).join(', ')}${more}`;
  return new DataSetError(files.root, `${what} missing; found ${found}; expected ${expects}. ${remedy}`);
}

/** The names in a folder. */
export async function list(files: FileTree, folder: string): Promise<string[]> {
  try {
    return await files.list(folder);
  } catch (error) {
    if (error instanceof FileError) throw new DataSetError(files.place(folder), error.reason, { cause: error });
    throw error;
  }
}
