// CLIP similarity: the small CLIP of @zeroseg/pretrained tells which words fit which pictures.

import { l2Normalize, matmul, mul, openDevice, read, softmax, step, tensor } from '@zeroseg/core';
import { makeVocabulary, openClipFiles, SceneAtlas, teacherViews } from '@zeroseg/core/zeroseg';
import { scenes, teacher } from '@zeroseg/pretrained';

// 1. Files: addresses of this site in a page, of the package's folder in Node.

async function bytesOf(url) {
  if (url.protocol !== 'file:') return new Uint8Array(await (await fetch(url)).arrayBuffer());
  const { readFile } = await import('node:fs/promises');
  return new Uint8Array(await readFile(url));
}
const jsonOf = async (url) => JSON.parse(new TextDecoder().decode(await bytesOf(url)));

const device = await openDevice();
const clip = await openClipFiles({ weights: await bytesOf(teacher.weights), config: await bytesOf(teacher.config) });

// 2. Words become vectors: CLIP's text tower reads each in a few sentences, and their mean is taken.

const names = [
  'dog',
  'cat',
  'car',
  'tree',
  'apple',
  'umbrella',
  'fish',
  'house',
  'banana',
  'clock',
  'elephant',
  'bicycle',
];
const text = await clip.text(device);
const { embeddings } = await makeVocabulary(device, text, await clip.tokens(), names, {
  templates: ['{}', 'a {}', 'a drawing of a {}'],
});

// 3. Pictures: drawings that come with the package, on a green ground, as the image tower wants them.

const atlas = SceneAtlas.parse(await bytesOf(scenes.atlas), await jsonOf(scenes.index));
const { image: size } = clip.config.vision;
function picture(name) {
  const rgba = atlas.cutOut(atlas.styles[0], name);
  const { side } = atlas;
  const data = new Uint8Array(side * side * 3);
  const ground = [96, 160, 80];
  for (let i = 0; i < side * side; i++) {
    const opacity = rgba[4 * i + 3] / 255;
    for (let c = 0; c < 3; c++) data[3 * i + c] = rgba[4 * i + c] * opacity + ground[c] * (1 - opacity);
  }
  return teacherViews({ width: side, height: side, data }, { grids: [1], size });
}
const pixels = new Float32Array(names.length * 3 * size * size);
names.forEach((name, i) => {
  pixels.set(picture(name), i * 3 * size * size);
});

// 4. Similarity is the cosine of the angle between two vectors; a softmax over the words makes shares of it.

const vision = await clip.vision(device);
const compare = await step(device, { pixels: [names.length, 3, size, size] }, (given) => {
  const images = l2Normalize(vision.forward(given.pixels)); // [pictures, C]
  const texts = tensor(device, embeddings, [names.length, clip.config.projection]); // of unit length already
  const cosines = matmul(images, texts, { transposeB: true }); // [pictures, words]
  return softmax(mul(cosines, clip.scale));
});
const shares = await read(compare({ pixels }));

let right = 0;
names.forEach((name, i) => {
  const row = [...shares.subarray(i * names.length, (i + 1) * names.length)];
  const best = row.map((share, j) => ({ share, word: names[j] })).sort((a, b) => b.share - a.share);
  if (best[0].word === name) right++;
  const told = best.slice(0, 3).map(({ word, share }) => `${word} ${(100 * share).toFixed(0)} %`);
  console.log(`${name.padEnd(9)} → ${told.join(', ')}`);
});
export const accuracy = right / names.length;
console.log(`${right} of ${names.length} pictures get their own name`);
device.dispose();
