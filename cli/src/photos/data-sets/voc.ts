import { dataSets } from '@zeroseg/core/zeroseg';
import type { FileTree } from '../../archives/index.ts';
import type { DataSet } from './data-set.ts';
import {
  type FindLabels,
  findBase,
  firstFolder,
  join,
  type LabelledPhoto,
  type Layout,
  pair,
  photosIn,
  pngLabels,
  readSplit,
} from './labelled-photos.ts';
import { matLabels } from './mat-labels.ts';

export const vocLayout: Layout = {
  expects: 'JPEGImages/ID.jpg, SegmentationClass/ID.png and ImageSets/Segmentation/SPLIT.txt',
  remedy:
    'The archive of VOC 2012 can be given as it is (--root VOCtrainval_11-May-2012.tar), or unpacked: tar -xf VOCtrainval_11-May-2012.tar, then --root VOCdevkit/VOC2012',
};

export const voc: DataSet = {
  title: 'PASCAL VOC',
  definition: dataSets.voc,
  layout: {
    expects: `${vocLayout.expects}; for more masks SegmentationClassAug/ID.png, or SBD's dataset/cls/ID.mat`,
    remedy: vocLayout.remedy,
  },
  split: 'val',
  read: vocDataSet,
};

/** Without its background, as dense CLIPs are scored: label 0 and borders do not count. */
export const voc20: DataSet = {
  ...voc,
  title: 'PASCAL VOC without background',
  definition: { ...dataSets.voc, title: 'PASCAL VOC 2012 without background', ignore: 0, threshold: 0 },
  read: async (files, split) => vocDataSet(files, split, voidAsBackground),
};

/** Where archives unpack to. */
const bases = ['VOC2012', 'VOCdevkit/VOC2012', 'VOCtrainval_11-May-2012'];
/** Where SBD, which has masks for 8,498 more of the photos, may be; `benchmark.tgz` unpacks to the last. */
const sbdFolders = ['SBD', 'sbd', 'dataset', 'VOCaug/dataset', 'benchmark_RELEASE/dataset'];

/**
 * PASCAL VOC 2012: `JPEGImages/ID.jpg`, `SegmentationClass/ID.png` (palette indices), ids in `ImageSets/Segmentation/SPLIT.txt`.
 * Ids that have no map there have one in `SegmentationClassAug`, or in SBD's `cls/ID.mat`. The splits `trainaug` and `aug` need no list
 * where SBD's are: all of VOC's training and SBD's photos without VOC's validation (10,582), and these without VOC's training.
 */
export async function vocDataSet(
  files: FileTree,
  split: string,
  renumber?: (labels: Uint8Array | Uint16Array) => Uint8Array,
): Promise<LabelledPhoto[]> {
  const base = await findBase(files, 'JPEGImages', bases);
  const lists = await firstFolder(
    files,
    [join(base, 'ImageSets/Segmentation')],
    'the folder with the lists of ids is',
    voc.layout,
  );
  const photosFolder = await firstFolder(
    files,
    [join(base, 'JPEGImages')],
    'the folder with the photos is',
    voc.layout,
  );
  const sbd = await sbdFolder(files, base);
  const ids = await idsOf(files, lists, sbd, split);
  const finders: FindLabels[] = [];
  for (const name of ['SegmentationClass', 'SegmentationClassAug']) {
    const folder = join(base, name);
    if (await files.isFolder(folder)) finders.push(await pngLabels(files, folder, renumber));
  }
  if (sbd !== undefined)
    finders.push(await matLabels(files, join(sbd, 'cls'), ['GTcls', 'Segmentation'], renumber ?? asBytes));
  if (finders.length === 0)
    await firstFolder(files, [join(base, 'SegmentationClass')], 'the folder with the label maps is', voc.layout);
  const photos = new Map([
    ...(sbd !== undefined && (await files.isFolder(join(sbd, 'img'))) ? await photosIn(files, join(sbd, 'img')) : []),
    ...(await photosIn(files, photosFolder)),
  ]);
  const find: FindLabels = (id) => {
    for (const one of finders) {
      const found = one(id);
      if (found) return found;
    }
    return undefined;
  };
  return pair(files, ids, photos, find, {
    photo: (id) => `${photosFolder}/${id}.jpg`,
    map: (id) => `${join(base, 'SegmentationClass')}/${id}.png`,
  });
}

async function sbdFolder(files: FileTree, base: string): Promise<string | undefined> {
  for (const folder of sbdFolders) {
    for (const place of new Set([join(base, folder), folder]))
      if (await files.isFolder(join(place, 'cls'))) return place;
  }
  return undefined;
}

async function idsOf(files: FileTree, lists: string, sbd: string | undefined, split: string): Promise<string[]> {
  const isComposed = split === 'trainaug' || split === 'aug';
  if (!isComposed || sbd === undefined || (await files.isFile(`${lists}/${split}.txt`)))
    return readSplit(files, lists, split);
  const [train, val] = [await readSplit(files, lists, 'train'), await readSplit(files, lists, 'val')];
  const more = [...(await readSplit(files, sbd, 'train')), ...(await readSplit(files, sbd, 'val'))];
  const without = new Set(split === 'aug' ? [...val, ...train] : val);
  return [...new Set([...(split === 'aug' ? [] : train), ...more])].filter((id) => !without.has(id));
}

const asBytes = (labels: Uint8Array | Uint16Array): Uint8Array =>
  labels instanceof Uint8Array ? labels : Uint8Array.from(labels);

/** Void is then left out with the background. */
export function voidAsBackground(labels: Uint8Array | Uint16Array): Uint8Array {
  return Uint8Array.from(labels, (label) => (label === 255 ? 0 : label));
}
