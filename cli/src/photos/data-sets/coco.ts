import { basename, extname, join } from 'node:path';
import { cocoLabels, dataSets } from '@zeroseg/core/zeroseg';
import type { DataSet } from './data-set.ts';
import { firstFolder, isFolder, isPhoto, type LabelledPhoto, list, pair } from './labelled-photos.ts';

export const coco: DataSet = { title: 'COCO', definition: dataSets.coco, read: cocoDataSet };

/**
 * COCO objects. Either `images/ID.jpg` with `objects/ID.png` (grey: 0 background, 1..80 objects, 255 crowds), or the
 * official files: photos in `images/SPLIT` or `SPLIT`, COCO-Stuff pixel maps in `annotations/SPLIT`,
 * `stuffthingmaps/SPLIT` or `stuffthingmaps_trainval2017/SPLIT`, renumbered to the 80 objects.
 */
export async function cocoDataSet(root: string, split = 'val2017'): Promise<LabelledPhoto[]> {
  if (await isFolder(join(root, 'objects'))) {
    const photos = join(root, 'images');
    const ids = (await list(photos)).filter(isPhoto).map((name) => basename(name, extname(name)));
    return pair(ids, { photos, labels: join(root, 'objects') });
  }
  const photos = await firstFolder(root, [`images/${split}`, split], 'photos');
  const folders = [`annotations/${split}`, `stuffthingmaps/${split}`, `stuffthingmaps_trainval2017/${split}`];
  const labels = await firstFolder(root, folders, 'label maps');
  const ids = (await list(photos)).filter(isPhoto).map((name) => basename(name, extname(name)));
  return pair(ids, { photos, labels, renumber: cocoLabels });
}
