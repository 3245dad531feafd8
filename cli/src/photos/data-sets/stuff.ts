import { dataSets } from '@zeroseg/core/zeroseg';
import type { FileTree } from '../../archives/index.ts';
import { cocoPhotoFolders, mapped, stuffFolders } from './coco.ts';
import type { DataSet } from './data-set.ts';
import { firstFolder, type LabelledPhoto, list } from './labelled-photos.ts';

// Of COCO-Stuff's 91 kinds of stuff, by their ids 92..182.
const stuffClasses = `
  banner, blanket, branch, bridge, building-other, bush, cabinet, cage, cardboard, carpet, ceiling-other, ceiling-tile, cloth, clothes,
  clouds, counter, cupboard, curtain, desk-stuff, dirt, door-stuff, fence, floor-marble, floor-other, floor-stone, floor-tile, floor-wood,
  flower, fog, food-other, fruit, furniture-other, grass, gravel, ground-other, hill, house, leaves, light, mat, metal, mirror-stuff, moss,
  mountain, mud, napkin, net, paper, pavement, pillow, plant-other, plastic, platform, playingfield, railing, railroad, river, road, rock,
  roof, rug, salad, sand, sea, shelf, sky-other, skyscraper, snow, solid-other, stairs, stone, straw, structural-other, table, tent,
  textile-other, towel, tree, vegetable, wall-brick, wall-concrete, wall-other, wall-panel, wall-stone, wall-tile, wall-wood, water-other,
  waterdrops, window-blind, window-other, wood`
  .trim()
  .split(/,\s+/);

const objects = dataSets.coco.prompts;
const classes = [...objects, ...stuffClasses];

/** COCO-Stuff 164k: 80 objects and 91 kinds of stuff; what is unlabelled does not count. */
export const stuff: DataSet = {
  title: 'COCO-Stuff',
  definition: {
    title: 'COCO-Stuff 164k',
    classes: ['unlabelled', ...classes],
    prompts: classes,
    ignore: 0,
    threshold: 0,
  },
  layout: {
    expects:
      'photos in images/SPLIT or SPLIT, and annotations/SPLIT, stuffthingmaps/SPLIT or stuffthingmaps_trainval2017/SPLIT with ID.png or ID_labelTrainIds.png',
    remedy: 'The archives may stay as they are beside each other: val2017.zip and stuffthingmaps_trainval2017.zip',
  },
  split: 'val2017',
  read: stuffDataSet,
};

/** The ending of MMSegmentation's conversion, which numbers the 171 classes from 0 on. */
const CONVERTED = '_labelTrainIds';

export async function stuffDataSet(files: FileTree, split: string): Promise<LabelledPhoto[]> {
  const photos = await firstFolder(files, cocoPhotoFolders(split), 'the folder with the photos is', stuff.layout);
  const maps = await firstFolder(files, stuffFolders(split), 'the folder with the label maps is', stuff.layout);
  const isConverted = (await list(files, maps)).some((name) => name.endsWith(`${CONVERTED}.png`));
  return isConverted ? mapped(files, photos, maps, plusOne, CONVERTED) : mapped(files, photos, maps, stuffLabels);
}

const plusOne = (values: Uint8Array | Uint16Array): Uint8Array =>
  Uint8Array.from(values, (value) => (value >= 171 ? 0 : value + 1));

/** 1..80 for objects, 81..171 for stuff, out of COCO-Stuff's values (the id less one); 0 for what is unlabelled. */
export function stuffLabels(values: Uint8Array | Uint16Array): Uint8Array {
  const toObject = dataSets.coco.renumber!;
  const labels = toObject(Uint8Array.from({ length: 256 }, (_, value) => value));
  for (let value = 91; value < 182; value++) labels[value] = 81 + value - 91;
  return Uint8Array.from(values, (value) => labels[value] ?? 0);
}
