import { firstRepeated } from '@zeroseg/core/internal';
import type { DataSetDefinition } from '@zeroseg/core/zeroseg';
import { FileTree } from '../../archives/index.ts';
import type { DataSet } from './data-set.ts';
import {
  DataSetError,
  firstFile,
  isPhoto,
  join,
  type LabelledPhoto,
  list,
  pair,
  photosIn,
  pngLabels,
  type Renumber,
  stem,
  wrongLayout,
} from './labelled-photos.ts';

const layout = {
  expects:
    'photos in images/ (or images/SPLIT) with label maps of the same names in labels/ (or labels/SPLIT), or ID.jpg beside ID.png, also in tar shards; and names.txt with the name of a label a line, from 0 on (the first may be background)',
  remedy: 'Names are written so: printf "background\\ncat\\ndog\\n" > names.txt',
};

/** Any photos with label maps, whose names stand in a file beside them. */
export const folder: DataSet = {
  title: 'a folder with names.txt',
  definition: folderDefinition,
  layout,
  split: undefined,
  read: folderDataSet,
};

const namesFiles = ['names.txt', 'classes.txt', 'labels.txt'];
const photoFolders = ['images', 'photos', 'JPEGImages', 'img'];
const mapFolders = ['labels', 'masks', 'annotations', 'SegmentationClass', 'ann'];
/** Names that a first line may have, of what is none of the classes. */
const grounds = ['background', '_background_', 'unlabelled', 'unlabeled', 'void', 'other'];
const LARGEST_NAMES = 2 ** 22;

interface Names {
  readonly names: readonly string[];
  /** Whether label 0 is none of the names; else labels are raised by one, since 0 is what the model has no name for. */
  readonly hasGround: boolean;
}

async function readNames(files: FileTree): Promise<Names> {
  const path = await firstFile(files, namesFiles);
  if (path === undefined) throw await wrongLayout(files, `${namesFiles[0]}, which names the labels, is`, layout);
  const text = new TextDecoder().decode(await files.read(path, LARGEST_NAMES));
  // Words that mean the same may follow after commas.
  const lines = text.split(/\r?\n/).map((line) => line.split(',')[0]!.trim());
  while (lines.at(-1) === '') lines.pop();
  const place = files.place(path);
  const empty = lines.indexOf('');
  if (lines.length === 0 || empty >= 0)
    throw new DataSetError(place, lines.length === 0 ? 'there is no name in it' : `line ${empty + 1} has no name`);
  if (lines.length > 255) throw new DataSetError(place, `at most 255 names can be read; there are ${lines.length}`);
  const twice = firstRepeated(lines);
  if (twice !== undefined) throw new DataSetError(place, `the name "${twice}" is there twice`);
  const hasGround = grounds.includes(lines[0]!.toLowerCase());
  const names = hasGround ? lines.slice(1) : lines;
  if (names.length === 0) throw new DataSetError(place, 'there is no name in it but that of the background');
  return { names, hasGround };
}

/** Classes of a folder: with a background that counts where the first name says so, else without any. */
export async function folderDefinition(root: string): Promise<DataSetDefinition> {
  const { names, hasGround } = await readNames(new FileTree(root));
  return hasGround
    ? { title: root, classes: ['background', ...names], prompts: names, ignore: 255, threshold: 0.5 }
    : { title: root, classes: ['unlabelled', ...names], prompts: names, ignore: 0, threshold: 0 };
}

export async function folderDataSet(files: FileTree, split: string): Promise<LabelledPhoto[]> {
  const { hasGround } = await readNames(files);
  const renumber: Renumber | undefined = hasGround
    ? undefined
    : (labels) => Uint8Array.from(labels, (label) => (label >= 255 ? 0 : label + 1));
  const places = (names: readonly string[]): string[] =>
    names.flatMap((name) => (split === '' ? [name] : [`${name}/${split}`]));
  const [photosFolder, mapsFolder] = [await first(files, places(photoFolders)), await first(files, places(mapFolders))];
  if (photosFolder !== undefined && mapsFolder !== undefined) {
    const photos = await photosIn(files, photosFolder);
    if (photos.size === 0) throw await wrongLayout(files, `photos in ${photosFolder} are`, layout);
    return pair(files, [...photos.keys()], photos, await pngLabels(files, mapsFolder, renumber), {
      photo: (id) => `${photosFolder}/${id}.jpg`,
      map: (id) => `${mapsFolder}/${id}.png`,
    });
  }
  const found: LabelledPhoto[] = [];
  const folders = [split, ...(await list(files, split)).map((name) => join(split, name))];
  for (const place of folders)
    if (await files.isFolder(place)) found.push(...(await sideBySide(files, place, renumber)));
  if (found.length === 0)
    throw await wrongLayout(
      files,
      split === '' ? 'photos with label maps are' : `photos of the split ${split} are`,
      layout,
    );
  return found;
}

/** Photos that are no PNG, with a PNG of the same name beside: as WebDataset's shards keep what belongs together. */
async function sideBySide(files: FileTree, place: string, renumber: Renumber | undefined): Promise<LabelledPhoto[]> {
  const names = await list(files, place);
  const pngs = new Set(names.filter((name) => name.endsWith('.png')).map((name) => name.slice(0, -4)));
  const photos = new Map(
    names
      .filter((name) => isPhoto(name) && !name.endsWith('.png') && pngs.has(stem(name)))
      .map((name) => [stem(name), join(place, name)]),
  );
  return pair(files, [...photos.keys()], photos, await pngLabels(files, place, renumber), {
    photo: (id) => join(place, `${id}.jpg`),
    map: (id) => join(place, `${id}.png`),
  });
}

async function first(files: FileTree, folders: readonly string[]): Promise<string | undefined> {
  for (const one of folders) if (await files.isFolder(one)) return one;
  return undefined;
}
