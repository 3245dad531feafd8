import type { FileTree } from '../../archives/index.ts';
import type { DataSet } from './data-set.ts';
import {
  type FindLabels,
  findBase,
  firstFolder,
  isPhoto,
  join,
  type LabelledPhoto,
  list,
  pair,
  pngLabels,
} from './labelled-photos.ts';

// The 19 classes that are scored, in the order of their trainIds, and their ids in labelIds.png.
const classes: readonly (readonly [name: string, id: number])[] = [
  ['road', 7],
  ['sidewalk', 8],
  ['building', 11],
  ['wall', 12],
  ['fence', 13],
  ['pole', 17],
  ['traffic light', 19],
  ['traffic sign', 20],
  ['vegetation', 21],
  ['terrain', 22],
  ['sky', 23],
  ['person', 24],
  ['rider', 25],
  ['car', 26],
  ['truck', 27],
  ['bus', 28],
  ['train', 31],
  ['motorcycle', 32],
  ['bicycle', 33],
];
const names = classes.map(([name]) => name);

export const cityscapes: DataSet = {
  title: 'Cityscapes',
  definition: {
    title: 'Cityscapes (19 classes)',
    classes: ['other', ...names],
    prompts: names,
    ignore: 0,
    threshold: 0,
  },
  layout: {
    expects:
      'leftImg8bit/SPLIT/CITY/ID_leftImg8bit.png and gtFine/SPLIT/CITY/ID_gtFine_labelIds.png (or _labelTrainIds.png)',
    remedy:
      'The archives may stay as they are beside each other: leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip',
  },
  split: 'val',
  read: cityscapesDataSet,
};

const PHOTO = '_leftImg8bit';

export async function cityscapesDataSet(files: FileTree, split: string): Promise<LabelledPhoto[]> {
  const [left, fine] = await Promise.all([
    findBase(files, 'leftImg8bit', ['leftImg8bit_trainvaltest']),
    findBase(files, 'gtFine', ['gtFine_trainvaltest']),
  ]);
  // An archive that holds nothing but its folder is that folder.
  const photosRoot = await firstFolder(
    files,
    [join(left, `leftImg8bit/${split}`), `leftImg8bit_trainvaltest/${split}`],
    'the folder with the photos is',
    cityscapes.layout,
  );
  const mapsRoot = await firstFolder(
    files,
    [join(fine, `gtFine/${split}`), `gtFine_trainvaltest/${split}`],
    'the folder with the label maps is',
    cityscapes.layout,
  );
  const photos: LabelledPhoto[] = [];
  for (const city of await list(files, photosRoot)) {
    const folder = `${photosRoot}/${city}`;
    if (!(await files.isFolder(folder))) continue;
    const maps = `${mapsRoot}/${city}`;
    const isTrainIds = (await list(files, maps)).some((name) => name.endsWith('_gtFine_labelTrainIds.png'));
    const ending = isTrainIds ? '_gtFine_labelTrainIds' : '_gtFine_labelIds';
    const find: FindLabels = await pngLabels(files, maps, isTrainIds ? fromTrainIds : fromLabelIds, ending);
    const named = (await list(files, folder))
      .filter(isPhoto)
      .map((name) => [name.replace(/(_leftImg8bit)?\.\w+$/, ''), `${folder}/${name}`] as const);
    photos.push(
      ...pair(
        files,
        named.map(([id]) => id),
        new Map(named),
        find,
        {
          photo: (id) => `${folder}/${id}${PHOTO}.png`,
          map: (id) => `${maps}/${id}${ending}.png`,
        },
      ),
    );
  }
  return photos;
}

function fromTrainIds(values: Uint8Array | Uint16Array): Uint8Array {
  return Uint8Array.from(values, (value) => (value < classes.length ? value + 1 : 0));
}

function fromLabelIds(values: Uint8Array | Uint16Array): Uint8Array {
  const labels = new Uint8Array(256);
  for (const [i, [, id]] of classes.entries()) labels[id] = i + 1;
  return Uint8Array.from(values, (value) => labels[value] ?? 0);
}
