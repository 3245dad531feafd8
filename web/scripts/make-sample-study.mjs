// Makes the study that visitors can try without one of their own: scenes that are named by the built-in student, and by its teacher patch
// by patch. Needs `npm run build`; runs on whatever GPU there is.
//
//     node web/scripts/make-sample-study.mjs

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { openDevice, permutation, random } from '@zeroseg/core';
import {
  drawSegmentation,
  nameColours,
  openVocabulary,
  resizeImage,
  SceneAtlas,
  SceneMaker,
  scenePresets,
} from '@zeroseg/core/zeroseg';
import { scenes, student, teacher } from '@zeroseg/pretrained';
import { interLettering, rasterise } from 'zeroseg';

const seeds = [901, 904, 905, 907, 908, 911, 914, 917];
/** Sides in pixels: of the scenes, and of the pictures that are shown. */
const [SIDE, SHOWN] = [256, 480];
const SEED = 1;
const folder = new URL('../samples/study/', import.meta.url);

const atlas = SceneAtlas.parse(readFileSync(scenes.atlas), JSON.parse(readFileSync(scenes.index, 'utf8')));
const maker = new SceneMaker(atlas, { ...scenePresets.crowded, classes: 40, named: 1, size: SIDE });
const device = await openDevice();
const clip = { weights: readFileSync(teacher.weights), config: JSON.parse(readFileSync(teacher.config, 'utf8')) };
const models = {
  a: await openVocabulary(device, { model: readFileSync(student.weights), clip }),
  b: await openVocabulary(device, { clip, dense: 'value' }),
};

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const lettering = interLettering();
const colours = nameColours(maker.names);
const hidden = permutation(seeds.length, random(SEED, 'names of files'));
const pictures = [];
const hash = createHash('sha256');
for (const [i, seed] of seeds.entries()) {
  const { image, caption } = maker.scene(seed, 0);
  const large = resizeImage(image, SHOWN, SHOWN, 'bicubic');
  const swapped = hidden[i] % 2;
  const file = { a: `${i + 1}-${1 + swapped}.webp`, b: `${i + 1}-${2 - swapped}.webp`, photo: `${i + 1}-photo.webp` };
  for (const side of ['a', 'b']) {
    const { labels } = await models[side].segment(image, maker.names, { size: { width: SHOWN, height: SHOWN } });
    const drawn = drawSegmentation(large, labels, {
      names: [undefined, ...maker.names],
      colour: (label) => colours[label - 1] ?? [0, 0, 0],
      lettering,
    });
    await write(file[side], drawn);
  }
  await write(file.photo, large);
  pictures.push({ name: caption, ...file });
}
const study = {
  format: 'zeroseg-study-1',
  id: hash.digest('hex').slice(0, 16),
  seed: SEED,
  votes: 5,
  question: 'Which one divides and names the picture better?',
  titles: { a: 'Built-in student (ZeroSeg)', b: 'Its teacher, patch by patch' },
  pictures,
  same: 0,
};
writeFileSync(new URL('study.json', folder), `${JSON.stringify(study, undefined, 2)}\n`);
device.dispose();

async function write(file, picture) {
  const bytes = await rasterise(picture, lettering).webp({ quality: 82 }).toBuffer();
  hash.update(bytes);
  writeFileSync(new URL(file, folder), bytes);
}
