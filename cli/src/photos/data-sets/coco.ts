import { cocoLabels, dataSets } from '@zeroseg/core/zeroseg';
import type { FileTree } from '../../archives/index.ts';
import { readInstances, readPanoptic } from './coco-json.ts';
import type { DataSet } from './data-set.ts';
import {
  firstFile,
  firstFolder,
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
    'photos in images/SPLIT or SPLIT, and one of: objects/ID.png, annotations/SPLIT/ID_instanceTrainIds.png (GroupViT), annotations/SPLIT or stuffthingmaps/SPLIT with ID.png (COCO-Stuff), annotations/panoptic_SPLIT.json beside panoptic_SPLIT, annotations/instances_SPLIT.json',
  remedy:
    'The archives may stay as they are beside each other (val2017.zip, stuffthingmaps_trainval2017.zip, annotations_trainval2017.zip), but for panoptic_val2017.zip, which is inside of another: unzip panoptic_annotations_trainval2017.zip',
};

// Nothing is ignored in COCO-Stuff's maps; the masks of instances and of panoptic segments have crowds, which are.
const definition = { ...dataSets.coco, ignore: 255 };

export const coco: DataSet = { title: 'COCO', definition, layout, split: 'val2017', read: cocoDataSet };

export const cocoInstances: DataSet = {
  ...coco,
  title: 'COCO by instances_*.json',
  read: async (files, split) =>
    (await cocoInstancesDataSet(files, split)) ?? missing(files, `instances_${split}.json is`),
};

export const cocoPanoptic: DataSet = {
  ...coco,
  title: 'COCO by panoptic_*.json',
  read: async (files, split) =>
    (await cocoPanopticDataSet(files, split)) ?? missing(files, `panoptic_${split}.json or the folder of its PNGs is`),
};

async function missing(files: FileTree, what: string): Promise<never> {
  throw await wrongLayout(files, what, layout);
}

/** Where photos are; the last is that of a folder without splits. */
export const cocoPhotoFolders = (split: string): string[] => [`images/${split}`, split, 'images'];
export const stuffFolders = (split: string): string[] =>
  ['annotations', 'stuffthingmaps', 'stuffthingmaps_trainval2017'].map((name) => `${name}/${split}`);

/**
 * COCO's 80 objects over background, from the first of these that is there: `objects/ID.png` (0 background, 1..80, 255 crowds), GroupViT's
 * `ID_instanceTrainIds.png` (the same numbers), COCO-Stuff's pixel maps, panoptic segments, instances.
 */
export async function cocoDataSet(files: FileTree, split: string): Promise<LabelledPhoto[]> {
  if (await files.isFolder('objects')) return mapped(files, 'images', 'objects');
  const maps = await firstFolderOf(files, stuffFolders(split));
  if (maps !== undefined && (await list(files, maps)).some((name) => name.endsWith('.png'))) {
    const photos = await firstFolder(files, cocoPhotoFolders(split), 'the folder with the photos is', layout);
    const isGroupVit = (await list(files, maps)).some((name) => name.endsWith(`${GROUPVIT}.png`));
    return isGroupVit ? mapped(files, photos, maps, undefined, GROUPVIT) : mapped(files, photos, maps, cocoLabels);
  }
  return (
    (await cocoPanopticDataSet(files, split)) ??
    (await cocoInstancesDataSet(files, split)) ??
    missing(files, `labels of ${split} are`)
  );
}

/** The ending of GroupViT's conversion to the 80 objects. */
const GROUPVIT = '_instanceTrainIds';

/** Every photo of a folder with its PNG in another. */
export async function mapped(
  files: FileTree,
  photosFolder: string,
  maps: string,
  renumber?: Renumber,
  ending = '',
): Promise<LabelledPhoto[]> {
  const photos = await photosIn(files, photosFolder);
  if (photos.size === 0) throw await wrongLayout(files, `photos in ${photosFolder} are`, layout);
  const find = await pngLabels(files, maps, renumber, ending);
  return pair(files, [...photos.keys()], photos, find, {
    photo: (id) => `${photosFolder}/${id}.jpg`,
    map: (id) => `${maps}/${id}${ending}.png`,
  });
}

async function firstFolderOf(files: FileTree, folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) if (await files.isFolder(folder)) return folder;
  return undefined;
}

/** Folders that the archives of annotations unpack to. */
const jsonFolders = ['annotations', 'annotations_trainval2017', 'panoptic_annotations_trainval2017'];

/** `instances_SPLIT.json`, whose images are the split. Undefined where there is none. */
export async function cocoInstancesDataSet(files: FileTree, split: string): Promise<LabelledPhoto[] | undefined> {
  const json = await firstFile(
    files,
    jsonFolders.flatMap((folder) => [`${folder}/instances_${split}.json`, `${folder}/instances.json`]),
  );
  if (json === undefined) return undefined;
  const { photos: named, find } = await readInstances(files, json);
  return withPhotos(files, split, named, find, json);
}

/** `panoptic_SPLIT.json` with its PNGs. Undefined where there is none. */
export async function cocoPanopticDataSet(files: FileTree, split: string): Promise<LabelledPhoto[] | undefined> {
  const json = await firstFile(
    files,
    jsonFolders.flatMap((folder) => [`${folder}/panoptic_${split}.json`, `${folder}/panoptic.json`]),
  );
  const pngs = await firstFolderOf(files, [
    ...jsonFolders.map((folder) => `${folder}/panoptic_${split}`),
    `panoptic_${split}`,
    'panoptic',
  ]);
  if (json === undefined || pngs === undefined) return undefined;
  const { photos: named, find } = await readPanoptic(files, json, pngs);
  return withPhotos(files, split, named, find, json);
}

async function withPhotos(
  files: FileTree,
  split: string,
  named: readonly string[],
  find: Parameters<typeof pair>[3],
  json: string,
): Promise<LabelledPhoto[]> {
  const folder = await firstFolder(files, cocoPhotoFolders(split), 'the folder with the photos is', layout);
  return pair(files, named.map(stem), await photosIn(files, folder), find, {
    photo: (id) => `${folder}/${id}.jpg`,
    map: () => json,
  });
}
