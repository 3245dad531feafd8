import { ArgumentError } from '@zeroseg/core';
import { contextLabels, dataSets } from '@zeroseg/core/zeroseg';
import type { FileTree } from '../../archives/index.ts';
import { readContextJson } from './context-json.ts';
import type { DataSet } from './data-set.ts';
import {
  type FindLabels,
  findBase,
  firstFile,
  firstFolder,
  join,
  type LabelledPhoto,
  list,
  pair,
  photosIn,
  pngLabels,
  type Renumber,
  readSplit,
  wrongLayout,
} from './labelled-photos.ts';
import { matLabels } from './mat-labels.ts';
import { voidAsBackground } from './voc.ts';

export const context: DataSet = {
  title: 'PASCAL Context',
  definition: dataSets.context,
  layout: {
    expects:
      'JPEGImages/ID.jpg of VOC 2010 beside trainval_merged.json, or SegmentationClassContext/ID.png, or trainval/ID.mat; with the latter two a list ImageSets/SegmentationContext/SPLIT.txt or SPLIT.txt',
    remedy:
      'The archive of VOC 2010 is unpacked by tar -xf VOCtrainval_03-May-2010.tar, the labels beside it by tar -xzf trainval.tar.gz',
  },
  split: 'val',
  read: (files, split) => contextDataSet(files, split),
};

/** Without its background, as dense CLIPs are scored. */
export const context59: DataSet = {
  ...context,
  title: 'PASCAL Context without background',
  definition: { ...dataSets.context, title: 'PASCAL Context without background', ignore: 0, threshold: 0 },
  read: (files, split) => contextDataSet(files, split, { after: voidAsBackground }),
};

const bases = ['VOC2010', 'VOCdevkit/VOC2010', 'VOCtrainval_03-May-2010'];
const jsonNames = ['trainval_merged.json', 'annotations/trainval_merged.json'];

/**
 * PASCAL Context on VOC 2010's photos. Labels are the first of these that is there:
 *
 * - `SegmentationClassContext/ID.png`: 60 classes, as MMSegmentation's conversion writes them, or the original 459 categories: 16-bit PNGs
 *   always, 8-bit ones (which cannot hold them all) when `original` says so, since a small category looks like a class;
 * - `trainval_merged.json`, whose images say which split they are of;
 * - `trainval/ID.mat`, the original 459 categories.
 */
export async function contextDataSet(
  files: FileTree,
  split: string,
  { original = false, after }: { original?: boolean; after?: Renumber } = {},
): Promise<LabelledPhoto[]> {
  const base = await findBase(files, 'JPEGImages', bases);
  const photosFolder = await firstFolder(
    files,
    [join(base, 'JPEGImages')],
    'the folder with the photos is',
    context.layout,
  );
  const photos = await photosIn(files, photosFolder);
  const then = (first: Renumber): Renumber => (after ? (labels) => after(first(labels)) : first);
  const maps = join(base, 'SegmentationClassContext');
  const places = { photo: (id: string) => `${photosFolder}/${id}.jpg`, map: (id: string) => `${maps}/${id}.png` };
  if (await files.isFolder(maps)) {
    const find = await pngLabels(files, maps, then(original ? contextLabels : convertedOnly));
    return pair(files, await listed(files, base, split), photos, find, places);
  }
  const json = await firstFile(files, [...new Set(jsonNames.flatMap((name) => [join(base, name), name]))]);
  if (json !== undefined) {
    const found = await readContextJson(files, json, split, then(contextLabels));
    return pair(files, found.ids, photos, found.find, { ...places, map: () => json });
  }
  for (const folder of [...new Set([join(base, 'trainval'), 'trainval', base])]) {
    if (folder !== '' && !(await files.isFolder(folder))) continue;
    if (!(await list(files, folder)).some((name) => name.endsWith('.mat'))) continue;
    const find: FindLabels = await matLabels(files, folder, ['LabelMap'], then(contextLabels));
    return pair(files, await listed(files, base, split), photos, find, {
      ...places,
      map: (id) => join(folder, `${id}.mat`),
    });
  }
  throw await wrongLayout(files, 'the labels are', context.layout);
}

async function listed(files: FileTree, base: string, split: string): Promise<string[]> {
  if (await files.isFile(join(base, `${split}.txt`))) return readSplit(files, base, split);
  const folders = ['ImageSets/SegmentationContext', 'ImageSets/Segmentation'].map((name) => join(base, name));
  return readSplit(
    files,
    await firstFolder(files, folders, 'the folder with the lists of ids is', context.layout),
    split,
  );
}

function convertedOnly(labels: Uint8Array | Uint16Array): Uint8Array {
  if (labels instanceof Uint16Array) return contextLabels(labels);
  const high = labels.find((label) => label > 59 && label !== 255);
  if (high === undefined) return labels;
  throw new ArgumentError(
    `label ${high} is none of the 60 classes; if these are the original 459 categories, say so (original: true)`,
  );
}
