import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cocoDataSet, contextDataSet, openDataSet, vocDataSet } from '../../src/node/data-sets.ts';
import { writeLabelPng, writePng } from '../../src/node/image-files.ts';
import { pascalPalette } from '../../src/zeroseg/palette.ts';

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
    const items = await vocDataSet(join(folder, 'voc'));
    expect(items.map(({ id }) => id)).toEqual(['a', 'b']);
    const { image, labels } = await items[0]!.load();
    expect([image.width, image.height]).toEqual([4, 3]);
    expect([...labels.data.slice(0, 4)]).toEqual([0, 15, 255, 20]);
    expect((await vocDataSet(join(folder, 'voc'), 'train')).map(({ id }) => id)).toEqual(['c']);
  });

  test('Context: 60 classes as they are, 459 through a map', async () => {
    const [item] = await contextDataSet(join(folder, 'voc'));
    expect([...(await item!.load()).labels.data.slice(0, 4)]).toEqual([0, 59, 255, 1]);
    const original = await contextDataSet(join(folder, 'voc'), 'val', { original: true });
    expect([...(await original[0]!.load()).labels.data.slice(0, 4)]).toEqual([0, 14, 0, 0]);
    await labels('deep/SegmentationClassContext/a.png', [0, 59, 458, 1]);
    await photo('deep/JPEGImages/a.png');
    await text('deep/ImageSets/SegmentationContext/val.txt', 'a');
    const [deep] = await openDataSet('context', join(folder, 'deep'));
    expect([...(await deep!.load()).labels.data.slice(0, 4)]).toEqual([0, 14, 59, 0]);
  });

  test('COCO objects: every photo, crowds ignored', async () => {
    const items = await cocoDataSet(join(folder, 'coco'));
    expect(items.map(({ id }) => id)).toEqual(['a', 'b', 'c']);
    expect([...(await items[0]!.load()).labels.data.slice(0, 3)]).toEqual([0, 80, 255]);
  });

  test('COCO-Stuff: through a map', async () => {
    const items = await openDataSet('coco', join(folder, 'stuff'));
    expect([...(await items[0]!.load()).labels.data.slice(0, 4)]).toEqual([1, 80, 0, 0]);
  });
});

describe('errors', () => {
  test('what is missing in the folders', async () => {
    const messages = [
      await message(vocDataSet(join(folder, 'nowhere'))),
      await message(vocDataSet(join(folder, 'coco'))),
      await message(vocDataSet(join(folder, 'voc'), 'test')),
      await message(vocDataSet(join(folder, 'voc'), 'empty')),
      await message(vocDataSet(join(folder, 'voc'), 'twice')),
      await message(cocoDataSet(join(folder, 'voc'))),
      await message(cocoDataSet(join(folder, 'stuff'), 'train2017')),
    ];
    expect(messages).toMatchInlineSnapshot(`
      [
        "DataSetError: data set: FOLDER/nowhere: there is no such folder; check the spelling",
        "DataSetError: data set: FOLDER/coco: the folder with the lists of ids is missing; looked for ImageSets/Segmentation",
        "DataSetError: data set: FOLDER/voc/ImageSets/Segmentation/test.txt: there is no split "test"; this data set has: empty, train, twice, val",
        "DataSetError: data set: FOLDER/voc/ImageSets/Segmentation/empty.txt: the list of ids is empty",
        "DataSetError: data set: FOLDER/voc/ImageSets/Segmentation/twice.txt: the id a is listed twice",
        "DataSetError: data set: FOLDER/voc: the folder with the photos is missing; looked for images/val2017, val2017",
        "DataSetError: data set: FOLDER/stuff: the folder with the photos is missing; looked for images/train2017, train2017",
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
      await message(vocDataSet(root, 'photo')),
      await message(vocDataSet(root, 'map')),
      await message((await vocDataSet(root))[0]!.load()),
      await message((await contextDataSet(root))[0]!.load()),
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
