import { join } from 'node:path';
import { ArgumentError } from '@zeroseg/core';
import { contextLabels, dataSets } from '@zeroseg/core/zeroseg';
import type { DataSet } from './data-set.ts';
import { type LabelledPhoto, pair, readSplit } from './labelled-photos.ts';

export const context: DataSet = {
  title: 'PASCAL Context',
  definition: dataSets.context,
  read: (root, split) => contextDataSet(root, split),
};

/**
 * PASCAL Context: VOC 2010 photos with `SegmentationClassContext/ID.png`, ids in
 * `ImageSets/SegmentationContext/SPLIT.txt`. The maps hold 60 classes, as MMSegmentation's conversion writes them. Those
 * with the original 459 categories are renumbered: 16-bit PNGs always, 8-bit ones (which cannot hold them all) when
 * `original` says so, since a small category looks like a class.
 */
export async function contextDataSet(
  root: string,
  split = 'val',
  { original = false }: { original?: boolean } = {},
): Promise<LabelledPhoto[]> {
  const ids = await readSplit(root, ['ImageSets/SegmentationContext', 'ImageSets/Segmentation'], split);
  const labels = join(root, 'SegmentationClassContext');
  return pair(ids, { photos: join(root, 'JPEGImages'), labels, renumber: original ? contextLabels : convertedOnly });
}

function convertedOnly(labels: Uint8Array | Uint16Array): Uint8Array {
  if (labels instanceof Uint16Array) return contextLabels(labels);
  const high = labels.find((label) => label > 59 && label !== 255);
  if (high === undefined) return labels;
  throw new ArgumentError(
    `label ${high} is none of the 60 classes; if these are the original 459 categories, say so (original: true)`,
  );
}
