/** Folders laid out as the official archives, with tiny files, unpacked and as they are. */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { encode } from 'fast-png';
import { zipSync } from 'fflate';
import { create } from 'tar';
import { afterAll, describe, expect, it } from 'vitest';
import { openPhotos } from '../../../cli/src/features/photo-source.ts';
import { folderDefinition } from '../../../cli/src/photos/data-sets/folder.ts';
import { openDataSet } from '../../../cli/src/photos/data-sets.ts';
import { encodePng } from '../../../cli/src/photos/image-files.ts';

const base = await mkdtemp(join(tmpdir(), 'zeroseg-layouts-'));
afterAll(() => rm(base, { recursive: true }));

const [width, height] = [4, 3];
const photo = await encodePng({ width, height, data: new Uint8Array(width * height * 3).fill(9) });
const mats = new URL('../../fixtures/mat/', import.meta.url);
const mat = (name: string) => readFile(new URL(name, mats));

/** A map of 4 x 3 that begins with these values and goes on with the last. */
const map = (...values: number[]): Uint8Array => {
  const all = Array.from({ length: width * height }, (_, i) => values[Math.min(i, values.length - 1)]!);
  const isDeep = Math.max(...values) > 255;
  return encode({
    width,
    height,
    channels: 1,
    depth: isDeep ? 16 : 8,
    data: isDeep ? Uint16Array.from(all) : Uint8Array.from(all),
  });
};

type Files = Readonly<Record<string, Uint8Array | string>>;

async function write(root: string, files: Files): Promise<string> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(base, root, path)), { recursive: true });
    await writeFile(join(base, root, path), content);
  }
  return join(base, root);
}

async function zip(path: string, files: Files): Promise<string> {
  await mkdir(dirname(join(base, path)), { recursive: true });
  const bytes = Object.fromEntries(
    Object.entries(files).map(([name, of]) => [name, typeof of === 'string' ? Buffer.from(of) : of]),
  );
  await writeFile(join(base, path), zipSync(bytes));
  return join(base, path);
}

async function tar(path: string, files: Files, options: { gzip?: boolean } = {}): Promise<string> {
  const root = await write(`${path}-files`, files);
  await mkdir(dirname(join(base, path)), { recursive: true });
  await create({ cwd: root, file: join(base, path), ...options }, Object.keys(files));
  return join(base, path);
}

/** The first labels of every photo. */
async function read(name: string, root: string, split?: string, count = 4): Promise<Record<string, readonly number[]>> {
  const found = await openDataSet(name, root, split);
  const labels = await Promise.all(
    found.map(async (one) => [one.id, [...(await one.load()).labels.data.slice(0, count)]] as const),
  );
  return Object.fromEntries(labels);
}

const message = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'no error',
    (error) => String(error).replaceAll(base, 'BASE'),
  );

const vocFiles: Files = {
  'VOCdevkit/VOC2012/JPEGImages/2007_000001.jpg': photo,
  'VOCdevkit/VOC2012/JPEGImages/2007_000002.jpg': photo,
  'VOCdevkit/VOC2012/JPEGImages/2008_000003.jpg': photo,
  'VOCdevkit/VOC2012/SegmentationClass/2007_000001.png': map(0, 15, 255),
  'VOCdevkit/VOC2012/SegmentationClass/2007_000002.png': map(1, 0, 255),
  'VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt': '2007_000001\n',
  'VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt': '2007_000002\n',
};
const sbd = async (at: string): Promise<Files> => ({
  [`${at}/cls/2008_000003.mat`]: await mat('sbd.mat'),
  [`${at}/cls/2007_000002.mat`]: await mat('sbd.mat'),
  [`${at}/train.txt`]: '2008_000003\n',
  [`${at}/val.txt`]: '2007_000002\n',
});

describe('PASCAL VOC', () => {
  it('from its archive, unpacked or not', async () => {
    const unpacked = await write('voc', vocFiles);
    const wanted = { '2007_000002': [1, 0, 255, 255] };
    expect(await read('voc', join(unpacked, 'VOCdevkit/VOC2012'))).toEqual(wanted);
    expect(await read('voc', join(unpacked, 'VOCdevkit'))).toEqual(wanted);
    expect(await read('voc', unpacked)).toEqual(wanted);
    const packed = await tar('archives/VOCtrainval_11-May-2012.tar', vocFiles);
    expect(await read('voc', packed, 'train')).toEqual({ '2007_000001': [0, 15, 255, 255] });
    expect(await read('voc', dirname(packed))).toEqual(wanted);
    expect(await read('voc20', unpacked)).toEqual({ '2007_000002': [1, 0, 0, 0] });
  });

  it('with SBD: its masks, and the list trainaug out of its lists', async () => {
    const root = join(
      await write('voc-sbd', { ...vocFiles, ...(await sbd('VOCdevkit/VOC2012/dataset')) }),
      'VOCdevkit/VOC2012',
    );
    const row = [0, 15, 15, 0];
    expect(await read('voc', root, 'trainaug')).toEqual({ '2007_000001': [0, 15, 255, 255], '2008_000003': row });
    expect(await read('voc', root, 'aug')).toEqual({ '2008_000003': row });
    await write('voc-sbd/VOCdevkit/VOC2012', {
      'SegmentationClassAug/2008_000003.png': map(3),
      'ImageSets/Segmentation/aug.txt': '2008_000003',
    });
    expect(await read('voc', root, 'aug')).toEqual({ '2008_000003': [3, 3, 3, 3] });
  });
});

describe('PASCAL Context', () => {
  const photos: Files = { 'JPEGImages/2008_000002.jpg': photo, 'JPEGImages/2008_000003.jpg': photo };
  // The fixture's rows: categories 2, 9, 284, 458, and 1, 459, 2, 2.
  const row = [1, 2, 37, 59, 0, 0, 1, 1];

  it('from .mat files, compressed or not', async () => {
    const files: Files = {
      ...photos,
      'trainval/2008_000002.mat': await mat('context.mat'),
      'trainval/2008_000003.mat': await mat('context-plain.mat'),
      'val.txt': '2008_000002\n2008_000003\n',
    };
    const root = await write('context-mat', files);
    expect(await read('context', root, 'val', 8)).toEqual({ '2008_000002': row, '2008_000003': row });
    expect(await read('context', await zip('context-mat.zip', files), 'val', 8)).toEqual({
      '2008_000002': row,
      '2008_000003': row,
    });
    expect(await read('context59', root, 'val', 8)).toEqual({ '2008_000002': row, '2008_000003': row });
  });

  it('from trainval_merged.json, whose images say their split', async () => {
    const size = [height, width];
    const image = (file: string, id: number, phase: string) => ({
      file_name: file,
      image_id: id,
      phase,
      height,
      width,
    });
    const merged = {
      images: [image('2008_000002.jpg', 2008000002, 'val'), image('2008_000003.jpg', 2008000003, 'train')],
      annos_segmentation: [
        { id: 1, image_id: 2008000002, category_id: 2, segmentation: { size, counts: [0, 12] } },
        // The second column, as text.
        { id: 2, image_id: 2008000002, category_id: 458, segmentation: { size, counts: '336' } },
        { id: 3, image_id: 2008000003, category_id: 9, segmentation: [[0, 0, 4, 0, 4, 1, 0, 1]] },
      ],
    };
    const root = await write('context-json', { ...photos, 'trainval_merged.json': JSON.stringify(merged) });
    expect(await read('context', root)).toEqual({ '2008_000002': [1, 59, 1, 1] });
    expect(await read('context', root, 'train', 6)).toEqual({ '2008_000003': [2, 2, 2, 2, 0, 0] });
    expect(await message(openDataSet('context', root, 'test'))).toMatchInlineSnapshot(
      `"DataSetError: data set: BASE/context-json/trainval_merged.json: there is no split "test"; this file has: train, val"`,
    );
  });

  it('from the maps of MMSegmentation, and of 16 bits', async () => {
    const lists = { 'ImageSets/SegmentationContext/val.txt': '2008_000002\n2008_000003\n' };
    const root = await write('context-png', {
      ...photos,
      ...lists,
      'SegmentationClassContext/2008_000002.png': map(0, 59, 255, 1),
      'SegmentationClassContext/2008_000003.png': map(0, 9, 458, 284),
    });
    expect(await read('context', root)).toEqual({ '2008_000002': [0, 59, 255, 1], '2008_000003': [0, 2, 59, 37] });
  });
});

describe('COCO', () => {
  const images = [
    { id: 7, file_name: '000000000007.jpg', height, width },
    { id: 8, file_name: '000000000008.jpg', height, width },
  ];
  const photosOf = (at: string): Files => ({ [`${at}/000000000007.jpg`]: photo, [`${at}/000000000008.jpg`]: photo });
  const size = [height, width];
  const instances = JSON.stringify({
    images,
    annotations: [
      // A cup (47, class 42) on a table (67, class 61), and a crowd (1) below both; listed the wrong way round.
      { image_id: 7, category_id: 47, area: 1, iscrowd: 0, segmentation: [[0, 0, 1, 0, 1, 1, 0, 1]] },
      { image_id: 7, category_id: 67, area: 2, iscrowd: 0, segmentation: [[0, 0, 2, 0, 2, 1, 0, 1]] },
      { image_id: 7, category_id: 1, area: 12, iscrowd: 1, segmentation: { size, counts: [0, 9, 3] } },
    ],
  });
  const wanted = { '000000000007': [42, 61, 255, 0], '000000000008': [0, 0, 0, 0] };

  it('instances: polygons and run lengths; smaller ones on top, crowds not counted', async () => {
    const root = await write('coco-instances', {
      ...photosOf('val2017'),
      'annotations/instances_val2017.json': instances,
    });
    expect(await read('coco', root)).toEqual(wanted);
    expect(await read('coco-instances', root)).toEqual(wanted);
  });

  it('archives beside each other, as they are downloaded', async () => {
    await zip('coco-zips/val2017.zip', photosOf('val2017'));
    await zip('coco-zips/annotations_trainval2017.zip', {
      'annotations/instances_val2017.json': instances,
      'annotations/captions_val2017.json': '{}',
    });
    expect(await read('coco', join(base, 'coco-zips'))).toEqual(wanted);
    await zip('coco-zips/stuffthingmaps_trainval2017.zip', {
      'train2017/000000000001.png': map(0),
      'val2017/000000000007.png': map(0, 89, 182, 255),
      'val2017/000000000008.png': map(91, 181, 255, 46),
    });
    const root = join(base, 'coco-zips');
    expect(await read('coco', root)).toEqual({ '000000000007': [1, 80, 0, 0], '000000000008': [0, 0, 0, 42] });
    expect(await read('stuff', root)).toEqual({ '000000000007': [1, 80, 0, 0], '000000000008': [81, 171, 0, 42] });
    const [first] = await openDataSet('coco', root);
    expect(first!.photo).toBe(join(root, 'val2017/000000000007.jpg'));
  });

  it('panoptic segments by the colours of their PNGs', async () => {
    const colours = new Uint8Array(width * height * 3);
    // Segment 1 + 256 · 2: a dog (18, class 17); segment 7: grass; the rest has no segment.
    colours.set([1, 2, 0, 7, 0, 0, 5, 0, 1]);
    const panoptic = JSON.stringify({
      images: [images[0]],
      annotations: [
        {
          image_id: 7,
          file_name: '000000000007.png',
          segments_info: [
            { id: 513, category_id: 18, iscrowd: 0 },
            { id: 7, category_id: 193, iscrowd: 0 },
            { id: 65_541, category_id: 1, iscrowd: 1 },
          ],
        },
      ],
    });
    const root = await write('coco-panoptic', {
      ...photosOf('val2017'),
      'annotations/panoptic_val2017.json': panoptic,
      'annotations/panoptic_val2017/000000000007.png': encode({ width, height, channels: 3, data: colours }),
    });
    expect(await read('coco-panoptic', root)).toEqual({ '000000000007': [17, 0, 255, 0] });
    expect(await read('coco', root)).toEqual({ '000000000007': [17, 0, 255, 0] });
  });

  it("GroupViT's and MMSegmentation's conversions, beside the maps that they were made of", async () => {
    const root = await write('coco-groupvit', {
      ...photosOf('images/val2017'),
      ...Object.fromEntries(
        ['7', '8'].flatMap((id) => [
          [`annotations/val2017/00000000000${id}.png`, map(0)],
          [`annotations/val2017/00000000000${id}_instanceTrainIds.png`, map(0, 80, 3, 0)],
          [`annotations/val2017/00000000000${id}_labelTrainIds.png`, map(0, 170, 255, 79)],
        ]),
      ),
    });
    expect((await read('coco', root))['000000000008']).toEqual([0, 80, 3, 0]);
    expect((await read('stuff', root))['000000000007']).toEqual([1, 171, 0, 80]);
  });
});

describe('other data sets', () => {
  it('ADE20K, from its archive', async () => {
    const files: Files = {
      'ADEChallengeData2016/images/validation/ADE_val_00000001.jpg': photo,
      'ADEChallengeData2016/annotations/validation/ADE_val_00000001.png': map(0, 150, 1, 2),
      'ADEChallengeData2016/objectInfo150.txt': '',
    };
    const wanted = { ADE_val_00000001: [0, 150, 1, 2] };
    const unpacked = await write('ade', files);
    expect(await read('ade', unpacked)).toEqual(wanted);
    expect(await read('ade', join(unpacked, 'ADEChallengeData2016'), 'val')).toEqual(wanted);
    expect(await read('ade', await zip('ADEChallengeData2016.zip', files))).toEqual(wanted);
  });

  it('Cityscapes, by labelIds and by trainIds, from its archives', async () => {
    const id = 'aachen_000000_000019';
    const left = { [`leftImg8bit/val/aachen/${id}_leftImg8bit.png`]: photo };
    const ids = { [`gtFine/val/aachen/${id}_gtFine_labelIds.png`]: map(7, 33, 0, 5) };
    expect(await read('cityscapes', await write('cityscapes', { ...left, ...ids }))).toEqual({ [id]: [1, 19, 0, 0] });
    const trainIds = { ...ids, [`gtFine/val/aachen/${id}_gtFine_labelTrainIds.png`]: map(0, 18, 255, 10) };
    expect(await read('cityscapes', await write('cityscapes-train', { ...left, ...trainIds }))).toEqual({
      [id]: [1, 19, 0, 11],
    });
    await zip('cityscapes-zips/leftImg8bit_trainvaltest.zip', { ...left, README: '', 'license.txt': '' });
    await zip('cityscapes-zips/gtFine_trainvaltest.zip', { ...ids, README: '', 'license.txt': '' });
    expect(await read('cityscapes', join(base, 'cityscapes-zips'))).toEqual({ [id]: [1, 19, 0, 0] });
    await zip('cityscapes-bare/leftImg8bit_trainvaltest.zip', { ...left, 'leftImg8bit/train/x/y.png': photo });
    await zip('cityscapes-bare/gtFine_trainvaltest.zip', { ...ids, 'gtFine/train/x/y.png': photo });
    expect(await read('cityscapes', join(base, 'cityscapes-bare'))).toEqual({ [id]: [1, 19, 0, 0] });
  });

  it('any folder with names.txt: with and without a background, by splits, and as tar shards', async () => {
    const root = await write('mine', {
      'images/a.jpg': photo,
      'labels/a.png': map(0, 2, 255),
      'names.txt': 'background\ncat, kitten\ndog\n',
    });
    expect(await read('folder', root)).toEqual({ a: [0, 2, 255, 255] });
    expect(await folderDefinition(root)).toMatchObject({
      classes: ['background', 'cat', 'dog'],
      prompts: ['cat', 'dog'],
      ignore: 255,
    });
    await write('mine-without', {
      'images/test/a.jpg': photo,
      'masks/test/a.png': map(0, 1, 255),
      'classes.txt': 'cat\ndog',
    });
    expect(await read('folder', join(base, 'mine-without'), 'test')).toEqual({ a: [1, 2, 0, 0] });
    await write('shards', { 'names.txt': 'background\ncat' });
    await tar('shards/shard-000000.tar', { '0001.jpg': photo, '0001.png': map(1), '0001.json': '{}' });
    await tar('shards/shard-000001.tar', { '0002.jpg': photo, '0002.png': map(0) });
    expect(await read('folder', join(base, 'shards'))).toEqual({ '0001': [1, 1, 1, 1], '0002': [0, 0, 0, 0] });
  });
});

it('photos for a cache: of folders, of archives in them, and of one archive', async () => {
  await write('photos', { 'b.jpg': photo, 'sub/a.jpg': photo });
  await tar('photos/shard-0.tar', { '2.jpg': photo, '1.jpg': photo, '1.txt': 'a cat', '.hidden.jpg': photo });
  await rm(join(base, 'photos/shard-0.tar-files'), { recursive: true });
  await zip('photos/more.zip', { 'x/3.jpg': photo });
  const { photos, decode } = await openPhotos(join(base, 'photos'), false);
  const wanted = ['b.jpg', 'sub/a.jpg', 'more.zip/x/3.jpg', 'shard-0.tar/1.jpg', 'shard-0.tar/2.jpg'];
  expect(photos.map(({ path }) => path)).toEqual(wanted);
  for (const one of photos) {
    const bytes = await one.bytes();
    expect([...bytes], one.path).toEqual([...photo]);
    expect(await one.status()).toMatchObject({ size: photo.length });
    expect(await decode(bytes, one.path)).toMatchObject({ width, height });
  }
  const shard = await openPhotos(join(base, 'photos/shard-0.tar'), true);
  expect(shard.photos.map(({ path }) => path)).toEqual(['1.jpg', '2.jpg']);
  expect(await message(openPhotos(join(base, 'mine-without/none.tar'), true))).toMatchInlineSnapshot(
    `"FileError: archive: BASE/mine-without/none.tar: there is no such file or folder"`,
  );
});

describe('what does not fit', () => {
  it('is told with what is there, what should be, and the command that makes it so', async () => {
    await write('context-tgz', { 'JPEGImages/a.jpg': photo });
    await tar('context-tgz/trainval.tar.gz', { 'trainval/a.mat': await mat('context.mat') }, { gzip: true });
    await rm(join(base, 'context-tgz/trainval.tar.gz-files'), { recursive: true });
    const messages = [
      await message(openDataSet('context', join(base, 'context-tgz'))),
      await message(openDataSet('voc', join(base, 'context-tgz/trainval.tar.gz'))),
      await message(openDataSet('ade', join(base, 'cityscapes'))),
      await message(openDataSet('cityscapes', join(base, 'ade'))),
      await message(openDataSet('folder', join(base, 'ade'))),
      await message(folderDefinition(join(base, 'mine/images'))),
      await message(openDataSet('coco-panoptic', join(base, 'coco-instances'))),
    ];
    expect(messages).toMatchInlineSnapshot(`
      [
        "DataSetError: data set: BASE/context-tgz: the labels are missing; found JPEGImages, trainval.tar.gz; expected JPEGImages/ID.jpg of VOC 2010 beside trainval_merged.json, or SegmentationClassContext/ID.png, or trainval/ID.mat; with the latter two a list ImageSets/SegmentationContext/SPLIT.txt or SPLIT.txt. The archive of VOC 2010 is unpacked by tar -xf VOCtrainval_03-May-2010.tar, the labels beside it by tar -xzf trainval.tar.gz",
        "FileError: archive: BASE/context-tgz/trainval.tar.gz: it is compressed as a whole (gzip), so its files cannot be read one by one; unpack it: tar -xzf BASE/context-tgz/trainval.tar.gz",
        "DataSetError: data set: BASE/cityscapes: the folder with the photos is missing; found gtFine, leftImg8bit; expected images/validation/ID.jpg and annotations/validation/ID.png. ADEChallengeData2016.zip can be given as it is (--root ADEChallengeData2016.zip), or unpacked: unzip ADEChallengeData2016.zip",
        "DataSetError: data set: BASE/ade: the folder with the photos is missing; found ADEChallengeData2016; expected leftImg8bit/SPLIT/CITY/ID_leftImg8bit.png and gtFine/SPLIT/CITY/ID_gtFine_labelIds.png (or _labelTrainIds.png). The archives may stay as they are beside each other: leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip",
        "DataSetError: data set: BASE/ade: names.txt, which names the labels, is missing; found ADEChallengeData2016; expected photos in images/ (or images/SPLIT) with label maps of the same names in labels/ (or labels/SPLIT), or ID.jpg beside ID.png, also in tar shards; and names.txt with the name of a label a line, from 0 on (the first may be background). Names are written so: printf "background\\ncat\\ndog\\n" > names.txt",
        "DataSetError: data set: BASE/mine/images: names.txt, which names the labels, is missing; found a.jpg; expected photos in images/ (or images/SPLIT) with label maps of the same names in labels/ (or labels/SPLIT), or ID.jpg beside ID.png, also in tar shards; and names.txt with the name of a label a line, from 0 on (the first may be background). Names are written so: printf "background\\ncat\\ndog\\n" > names.txt",
        "DataSetError: data set: BASE/coco-instances: panoptic_val2017.json or the folder of its PNGs is missing; found annotations, val2017; expected photos in images/SPLIT or SPLIT, and one of: objects/ID.png, annotations/SPLIT/ID_instanceTrainIds.png (GroupViT), annotations/SPLIT or stuffthingmaps/SPLIT with ID.png (COCO-Stuff), annotations/panoptic_SPLIT.json beside panoptic_SPLIT, annotations/instances_SPLIT.json. The archives may stay as they are beside each other (val2017.zip, stuffthingmaps_trainval2017.zip, annotations_trainval2017.zip), but for panoptic_val2017.zip, which is inside of another: unzip panoptic_annotations_trainval2017.zip",
      ]
    `);
  });

  it('damaged files are named, and the others go on', async () => {
    await cp(join(base, 'context-mat'), join(base, 'context-damaged'), { recursive: true });
    const bytes = await mat('context.mat');
    await write('context-damaged/trainval', {
      '2008_000002.mat': bytes.subarray(0, 180),
      '2008_000003.mat': await mat('sbd.mat'),
    });
    const photos = await openDataSet('context', join(base, 'context-damaged'));
    const cut = (await readFile(join(base, 'archives/VOCtrainval_11-May-2012.tar'))).subarray(0, 3000);
    await write('cut', {
      'voc.tar': cut,
      'voc.zip': (await readFile(join(base, 'ADEChallengeData2016.zip'))).subarray(0, 200),
    });
    const messages = [
      ...(await Promise.all(photos.map((one) => message(one.load())))),
      await message(openDataSet('voc', join(base, 'cut/voc.tar'))),
      await message(openDataSet('voc', join(base, 'cut/voc.zip'))),
    ];
    expect(messages).toMatchInlineSnapshot(`
      [
        "DataSetError: data set: BASE/context-damaged/trainval/2008_000002.mat: it is damaged or cut off",
        "DataSetError: data set: BASE/context-damaged/trainval/2008_000003.mat: it has no label map LabelMap; it has GTcls",
        "FileError: archive: BASE/cut/voc.tar: it is cut off at byte 3000; copy it again",
        "FileError: archive: BASE/cut/voc.zip: the zip archive is damaged or cut off (End of central directory record signature not found. Either not a zip file, or file is truncated.); copy it again",
      ]
    `);
  });
});
