import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FileTree } from '../../../cli/src/archives/index.ts';
import { contextDataSet } from '../../../cli/src/photos/data-sets/context.ts';
import { openDataSet } from '../../../cli/src/photos/data-sets.ts';
import { readPhoto, writeLabelPng, writePng } from '../../../cli/src/photos/image-files.ts';
import { pascalPalette } from '../../../src/zeroseg/image/palette.ts';

const folder = await mkdtemp(join(tmpdir(), 'zeroseg-data-'));
afterAll(() => rm(folder, { recursive: true }));

async function photo(path: string, width = 4, height = 3): Promise<void> {
  await writePng(join(folder, path), { width, height, data: new Uint8Array(width * height * 3).fill(9) });
}

async function labels(path: string, values: number[], width = 4, height = 3): Promise<void> {
  const all = Array.from({ length: width * height }, (_, i) => values[i % values.length]!);
  const data = Math.max(...values) > 255 ? Uint16Array.from(all) : Uint8Array.from(all);
  await writeLabelPng(join(folder, path), { width, height, data }, pascalPalette());
}

async function text(path: string, content: string): Promise<void> {
  await mkdir(join(folder, path, '..'), { recursive: true });
  await writeFile(join(folder, path), content);
}

beforeAll(async () => {
  for (const id of ['b', 'a', 'c']) {
    await photo(`voc/JPEGImages/${id}.png`);
    await labels(`voc/SegmentationClass/${id}.png`, [0, 15, 255, 20]);
    await labels(`voc/SegmentationClassContext/${id}.png`, [0, 59, 255, 1]);
    await photo(`coco/images/${id}.png`);
    await labels(`coco/objects/${id}.png`, [0, 80, 255]);
    await photo(`stuff/images/val2017/${id}.png`);
    await labels(`stuff/annotations/val2017/${id}.png`, [0, 89, 182, 255]);
  }
  await text('voc/ImageSets/Segmentation/val.txt', 'b\r\na \n\n');
  await text('voc/ImageSets/Segmentation/train.txt', 'c\n');
  await text('voc/ImageSets/Segmentation/empty.txt', '\n');
  await text('voc/ImageSets/Segmentation/twice.txt', 'a\na\n');
});

const message = async (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'no error',
    (error) => String(error).replaceAll(folder, 'FOLDER'),
  );

describe('layouts', () => {
  test('VOC: the ids of the split, sorted, palette indices as classes', async () => {
    const items = await openDataSet('voc', join(folder, 'voc'));
    expect(items.map(({ id }) => id)).toEqual(['a', 'b']);
    const { image, labels } = await items[0]!.load();
    expect([image.width, image.height]).toEqual([4, 3]);
    expect([...labels.data.slice(0, 4)]).toEqual([0, 15, 255, 20]);
    expect((await openDataSet('voc', join(folder, 'voc'), 'train')).map(({ id }) => id)).toEqual(['c']);
  });

  test('Context: 60 classes as they are, 459 through a map', async () => {
    const [item] = await openDataSet('context', join(folder, 'voc'));
    expect([...(await item!.load()).labels.data.slice(0, 4)]).toEqual([0, 59, 255, 1]);
    const original = await contextDataSet(new FileTree(join(folder, 'voc')), 'val', { original: true });
    expect([...(await original[0]!.load()).labels.data.slice(0, 4)]).toEqual([0, 14, 0, 0]);
    await labels('deep/SegmentationClassContext/a.png', [0, 59, 458, 1]);
    await photo('deep/JPEGImages/a.png');
    await text('deep/ImageSets/SegmentationContext/val.txt', 'a');
    const [deep] = await openDataSet('context', join(folder, 'deep'));
    expect([...(await deep!.load()).labels.data.slice(0, 4)]).toEqual([0, 14, 59, 0]);
  });

  test('COCO objects: every photo, crowds ignored', async () => {
    const items = await openDataSet('coco', join(folder, 'coco'));
    expect(items.map(({ id }) => id)).toEqual(['a', 'b', 'c']);
    expect([...(await items[0]!.load()).labels.data.slice(0, 3)]).toEqual([0, 80, 255]);
  });

  test('COCO-Stuff: through a map', async () => {
    const items = await openDataSet('coco', join(folder, 'stuff'));
    expect([...(await items[0]!.load()).labels.data.slice(0, 4)]).toEqual([1, 80, 0, 0]);
  });
});

describe('photo and label map lie over each other, whatever the photo says of its orientation', () => {
  const openers = {
    VOC: {
      photos: 'JPEGImages',
      maps: 'SegmentationClass',
      list: 'ImageSets/Segmentation/val.txt',
      open: (root: string) => openDataSet('voc', root),
    },
    Context: {
      photos: 'JPEGImages',
      maps: 'SegmentationClassContext',
      list: 'ImageSets/SegmentationContext/val.txt',
      open: (root: string) => openDataSet('context', root),
    },
    'COCO objects': {
      photos: 'images',
      maps: 'objects',
      list: undefined,
      open: (root: string) => openDataSet('coco', root),
    },
    'COCO-Stuff': {
      photos: 'images/val2017',
      maps: 'annotations/val2017',
      list: undefined,
      open: (root: string) => openDataSet('coco', root),
    },
  } as const;
  const sizes = { wide: [24, 16], square: [16, 16] } as const;
  // Blocks of 8 × 8 in one colour, which also a JPEG keeps.
  const block = (i: number, width: number) => Math.floor((i % width) / 8) + 3 * Math.floor(i / width / 8);
  const encoders = {
    png: (photo: Sharp) => photo.png(),
    webp: (photo: Sharp) => photo.webp({ lossless: true }),
    tif: (photo: Sharp) => photo.tiff({ compression: 'lzw' }),
    jpg: (photo: Sharp) => photo.jpeg({ quality: 100, chromaSubsampling: '4:4:4' }),
  } as const;

  test.each(Object.keys(openers) as (keyof typeof openers)[])('%s', async (kind) => {
    const { photos, maps, list, open } = openers[kind];
    for (const [shape, [width, height]] of Object.entries(sizes)) {
      const root = join(folder, `turned/${kind}-${shape}`);
      const blocks = Array.from({ length: width * height }, (_, i) => block(i, width));
      await mkdir(join(root, photos), { recursive: true });
      const ids: string[] = [];
      for (const [ending, encode] of Object.entries(encoders)) {
        for (let orientation = 1; orientation <= 8; orientation++) {
          const id = `${ending}-${orientation}`;
          ids.push(id);
          const grey = Buffer.from(blocks.flatMap((b) => [40 * b, 40 * b, 40 * b]));
          const picture = sharp(grey, { raw: { width, height, channels: 3 } }).withMetadata({ orientation });
          await encode(picture).toFile(join(root, photos, `${id}.${ending}`));
          await mkdir(join(root, maps), { recursive: true });
          await writeLabelPng(
            join(root, maps, `${id}.png`),
            { width, height, data: Uint8Array.from(blocks) },
            pascalPalette(),
          );
        }
      }
      if (list) {
        await mkdir(join(root, list, '..'), { recursive: true });
        await writeFile(join(root, list), ids.join('\n'));
      }
      const items = await open(root);
      expect(items.map(({ id }) => id)).toEqual([...ids].sort());
      for (const item of items) {
        const upright = await readPhoto(item.photo);
        const isTurned = Number(item.id.at(-1)) > 4 && width !== height;
        expect([upright.width, upright.height], item.id).toEqual(isTurned ? [height, width] : [width, height]);
        const { image, labels: read } = await item.load();
        expect([image.width, image.height, read.width, read.height], item.id).toEqual([width, height, width, height]);
        const found = blocks.map((_, i) => Math.round(image.data[3 * i]! / 40));
        expect(found, item.id).toEqual(blocks);
        // COCO-Stuff's labels are renumbered; which pixels are alike is the same.
        const numbers = new Map(blocks.map((b, i) => [b, read.data[i]!]));
        expect([...read.data], item.id).toEqual(blocks.map((b) => numbers.get(b)));
      }
    }
  });

  test('a map of another size names both files, and the way out', async () => {
    const root = join(folder, 'drawn-upright');
    await mkdir(join(root, 'images'), { recursive: true });
    await mkdir(join(root, 'objects'));
    await sharp({ create: { width: 4, height: 3, channels: 3, background: '#fff' } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toFile(join(root, 'images/a.jpg'));
    await labels('drawn-upright/objects/a.png', [1], 3, 4);
    const [item] = await openDataSet('coco', root);
    expect(await message(item!.load())).toMatchInlineSnapshot(
      `"DataSetError: data set: FOLDER/drawn-upright/objects/a.png: the label map is 3 x 4, and its photo FOLDER/drawn-upright/images/a.jpg is 4 x 3; they must be of one size as stored; if the map was drawn over the photo as its EXIF orientation shows it, turn the pixels of the photo and take the orientation out"`,
    );
  });
});

describe('errors', () => {
  test('what is missing in the folders', async () => {
    const messages = [
      await message(openDataSet('voc', join(folder, 'nowhere'))),
      await message(openDataSet('voc', join(folder, 'coco'))),
      await message(openDataSet('voc', join(folder, 'voc'), 'test')),
      await message(openDataSet('voc', join(folder, 'voc'), 'empty')),
      await message(openDataSet('voc', join(folder, 'voc'), 'twice')),
      await message(openDataSet('coco', join(folder, 'voc'))),
      await message(openDataSet('coco', join(folder, 'stuff'), 'train2017')),
    ];
    expect(messages).toMatchInlineSnapshot(`
      [
        "DataSetError: data set: FOLDER/nowhere: there is no such folder or archive; check the spelling",
        "DataSetError: data set: FOLDER/coco: the folder with the lists of ids is missing; found images, objects; expected JPEGImages/ID.jpg, SegmentationClass/ID.png and ImageSets/Segmentation/SPLIT.txt; for more masks SegmentationClassAug/ID.png, or SBD's dataset/cls/ID.mat. The archive of VOC 2012 can be given as it is (--root VOCtrainval_11-May-2012.tar), or unpacked: tar -xf VOCtrainval_11-May-2012.tar, then --root VOCdevkit/VOC2012",
        "DataSetError: data set: FOLDER/voc/ImageSets/Segmentation/test.txt: there is no split "test"; this data set has: empty, train, twice, val",
        "DataSetError: data set: FOLDER/voc/ImageSets/Segmentation/empty.txt: the list of ids is empty",
        "DataSetError: data set: FOLDER/voc/ImageSets/Segmentation/twice.txt: the id a is listed twice",
        "DataSetError: data set: FOLDER/voc: labels of val2017 are missing; found ImageSets, JPEGImages, SegmentationClass, SegmentationClassContext; expected photos in images/SPLIT or SPLIT, and one of: objects/ID.png, annotations/SPLIT/ID_instanceTrainIds.png (GroupViT), annotations/SPLIT or stuffthingmaps/SPLIT with ID.png (COCO-Stuff), annotations/panoptic_SPLIT.json beside panoptic_SPLIT, annotations/instances_SPLIT.json. The archives may stay as they are beside each other (val2017.zip, stuffthingmaps_trainval2017.zip, annotations_trainval2017.zip), but for panoptic_val2017.zip, which is inside of another: unzip panoptic_annotations_trainval2017.zip",
        "DataSetError: data set: FOLDER/stuff: labels of train2017 are missing; found annotations, images; expected photos in images/SPLIT or SPLIT, and one of: objects/ID.png, annotations/SPLIT/ID_instanceTrainIds.png (GroupViT), annotations/SPLIT or stuffthingmaps/SPLIT with ID.png (COCO-Stuff), annotations/panoptic_SPLIT.json beside panoptic_SPLIT, annotations/instances_SPLIT.json. The archives may stay as they are beside each other (val2017.zip, stuffthingmaps_trainval2017.zip, annotations_trainval2017.zip), but for panoptic_val2017.zip, which is inside of another: unzip panoptic_annotations_trainval2017.zip",
      ]
    `);
  });

  test('photos and label maps that do not belong together', async () => {
    await cp(join(folder, 'voc'), join(folder, 'odd'), { recursive: true });
    const root = join(folder, 'odd');
    await text('odd/ImageSets/Segmentation/photo.txt', 'd\n');
    await text('odd/ImageSets/Segmentation/map.txt', 'e\n');
    await photo('odd/JPEGImages/e.png');
    await labels('odd/SegmentationClass/a.png', [0], 3, 4);
    await labels('odd/SegmentationClassContext/a.png', [0, 284]);
    const messages = [
      await message(openDataSet('voc', root, 'photo')),
      await message(openDataSet('voc', root, 'map')),
      await message((await openDataSet('voc', root))[0]!.load()),
      await message((await openDataSet('context', root))[0]!.load()),
    ];
    expect(messages).toMatchInlineSnapshot(`
      [
        "DataSetError: data set: FOLDER/odd/JPEGImages/d.jpg: there is no such photo; its label map would be FOLDER/odd/SegmentationClass/d.png",
        "DataSetError: data set: FOLDER/odd/SegmentationClass/e.png: there is no such label map; its photo is FOLDER/odd/JPEGImages/e.png",
        "DataSetError: data set: FOLDER/odd/SegmentationClass/a.png: the label map is 3 x 4, and its photo FOLDER/odd/JPEGImages/a.png is 4 x 3; they must be of one size",
        "no error",
      ]
    `);
  });
});
