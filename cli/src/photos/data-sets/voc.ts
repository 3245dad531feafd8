import { join } from 'node:path';
import { dataSets } from '@zeroseg/core/zeroseg';
import type { DataSet } from './data-set.ts';
import { type LabelledPhoto, pair, readSplit } from './labelled-photos.ts';

export const voc: DataSet = { title: 'PASCAL VOC', definition: dataSets.voc, read: vocDataSet };

/**
 * PASCAL VOC 2012: `JPEGImages/ID.jpg`, `SegmentationClass/ID.png` (palette indices), ids in
 * `ImageSets/Segmentation/SPLIT.txt`.
 *
 * ```ts
 * for (const item of await vocDataSet('VOCdevkit/VOC2012')) {
 *   const { image, labels } = await item.load();
 * }
 * ```
 */
export async function vocDataSet(root: string, split = 'val'): Promise<LabelledPhoto[]> {
  const ids = await readSplit(root, ['ImageSets/Segmentation'], split);
  return pair(ids, { photos: join(root, 'JPEGImages'), labels: join(root, 'SegmentationClass') });
}
