import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { EvaluationFolder } from '../../../cli/src/evaluations/index.ts';
import { SegmentationScore } from '../../../src/zeroseg/evaluation/index.ts';
import { classColour } from '../../../src/zeroseg/image/index.ts';
import { temporaryFolder } from '../../support/made-up.ts';

const base = await temporaryFolder();
const at = (...names: string[]) => join(base, ...names);
const options = { classes: 3, ignore: 255, colour: classColour };
const names = ['background', 'cat', 'dog & <co>'];

/** 8 x 4 pixels of cat, of which so many were found to be dog. */
const photo = (id: string, wrong: number) => ({
  id,
  image: { width: 8, height: 4, data: new Uint8Array(96).fill(120) },
  labels: { width: 8, height: 4, data: new Uint8Array(32).fill(1) },
  prediction: { width: 8, height: 4, data: Uint8Array.from({ length: 32 }, (_, i) => (i < wrong ? 2 : 1)) },
});

const evaluated = async (folder: string, ...photos: ReturnType<typeof photo>[]) => {
  const saved = await EvaluationFolder.open(at(folder), options);
  const score = new SegmentationScore(3);
  for (const one of photos) {
    score.add(one.prediction.data, one.labels.data);
    await saved.add(one);
  }
  const classes = score.iou().map((iou, label) => ({ label, name: names[label], iou, pixels: score.labelled[label] }));
  const means = { mean_iou: score.meanIou(), mean_iou_without_background: score.meanIou({ background: false }) };
  const result = {
    data: 'voc',
    photos: score.images,
    threshold: 0.95,
    ...means,
    pixel_accuracy: score.pixelAccuracy(),
    classes,
  };
  const page = await saved.write(result, {
    title: 'A title & more',
    unit: 'photos',
    notes: ['the model knows no <yak>'],
  });
  await saved.close();
  return {
    page: await readFile(page, 'utf8'),
    json: JSON.parse(await readFile(at(folder, 'evaluation.json'), 'utf8')),
  };
};

test('the worst come first, with photo, truth, prediction and mistakes', async () => {
  const { page, json } = await evaluated('three', photo('good', 0), photo('<bad>', 24), photo('fair', 8));
  expect(json.worst_first.map(({ id, file, mean_iou }: Record<string, unknown>) => [id, file, mean_iou])).toEqual([
    ['<bad>', 'photos/1.jpg', 0.125],
    ['fair', 'photos/2.jpg', 0.375],
    ['good', 'photos/3.jpg', 1],
  ]);
  expect(json.confusion).toEqual([
    [0, 0, 0],
    [0, 64, 32],
    [0, 0, 0],
  ]);
  expect(page).toContain('<bdi>cat</bdi> taken for <bdi>dog &#38; &#60;co&#62;</bdi>: 33.3\u2009% of it, 32 pixels');
  expect(page.indexOf('&#60;bad&#62;')).toBeLessThan(page.indexOf('<b>fair</b>'));
  expect(page).toContain('<p class="note">The model knows no &#60;yak&#62;.</p>');
  expect(page).not.toMatch(/<bad>|<co>|<yak>|https?:/);
  const properties = [...page.matchAll(/var\((--[\w-]+)/g)].map(([, name]) => name);
  expect(properties.filter((name) => !page.includes(`${name}:`))).toEqual([]);
  const { width, height } = await sharp(at('three', 'photos', '1.jpg')).metadata();
  expect([width, height]).toEqual([4 * 8 + 3 * 6, 4]);
});

test('an earlier evaluation is replaced, with its pictures; a folder of something else is refused', async () => {
  await evaluated('twice', photo('a', 1), photo('b', 2), photo('c', 3));
  await evaluated('twice', photo('a', 1));
  expect(await readdir(at('twice', 'photos'))).toEqual(['1.jpg']);
  await mkdir(at('busy'));
  await writeFile(at('busy', 'letter.txt'), 'mine');
  await expect(EvaluationFolder.open(at('busy'), options)).rejects.toThrow(
    'busy: there is something else in this folder; give a new one',
  );
  await expect(EvaluationFolder.open(at('busy', 'letter.txt'), options)).rejects.toThrow(
    'this is a file; give a folder',
  );
});

test('of more than a hundred photos the worst have pictures, all have scores', async () => {
  const photos = Array.from({ length: 130 }, (_, i) => photo(`photo-${i}`, (i * 7) % 32));
  const { json, page } = await evaluated('many', ...photos);
  expect(json.worst_first).toHaveLength(130);
  expect(json.files).toHaveLength(100);
  expect(await readdir(at('many', 'photos'))).toHaveLength(100);
  expect(json.worst_first.findIndex(({ file }: { file?: string }) => file === undefined)).toBe(100);
  expect(page).toContain('The 100 worst of 130');
});
