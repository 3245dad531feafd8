// Draws the scenes of the page's first pictures, and records what the built-in model makes of them: for browsers without WebGPU, which
// can name what was recorded, and look at nothing new. Needs `npm run build`; runs on whatever GPU there is.
//
//     node web/scripts/record-samples.mjs

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { openDevice } from '@zeroseg/core';
import { writeSafetensors } from '@zeroseg/core/nn';
import { openVocabulary, SceneAtlas, SceneMaker, scenePresets } from '@zeroseg/core/zeroseg';
import { scenes, student, teacher } from '@zeroseg/pretrained';
import { writePng } from 'zeroseg';

/** Seeds of scenes that show what the model can do, and where it errs. */
const seeds = [153, 105, 151, 121];
const folder = new URL('../samples/', import.meta.url);

const atlas = SceneAtlas.parse(readFileSync(scenes.atlas), JSON.parse(readFileSync(scenes.index, 'utf8')));
const maker = new SceneMaker(atlas, { ...scenePresets.crowded, classes: 40, named: 1, size: 256 });
const device = await openDevice();
const clip = { weights: readFileSync(teacher.weights), config: JSON.parse(readFileSync(teacher.config, 'utf8')) };
const model = await openVocabulary(device, { model: readFileSync(student.weights), clip });

mkdirSync(folder, { recursive: true });
// How its file says that segments are named: the page has no GPU to draw scores to edges.
const { scoring, top, assignment, assignmentTemperature, centre, prior } = model.opened.info.naming;
const naming = { scoring, top, assignment, assignmentTemperature, centre, prior };
const vocabulary = await model.vocabulary(maker.names);
const entries = [['vocabulary', tensor('F32', [maker.names.length, -1], vocabulary.embeddings)]];
const samples = [];
for (const seed of seeds) {
  const { image, labels, caption } = maker.scene(seed, 0);
  const file = `scene-${seed}.png`;
  await writePng(new URL(file, folder).pathname, image);
  const { width, height, resized, windows } = await model.divide(image);
  for (const [i, { segmentOf, segments, global, assignment }] of windows.entries()) {
    entries.push(
      [`${file}.${i}.segmentOf`, tensor('U8', [-1], segmentOf)],
      [`${file}.${i}.segments`, tensor('F32', [-1, global.length], segments)],
      [`${file}.${i}.global`, tensor('F32', [-1], global)],
      [`${file}.${i}.shares`, tensor('F16', [-1, assignment.rows, assignment.cols], assignment.shares)],
    );
  }
  samples.push({
    file,
    caption,
    words: wordsOf(labels.data),
    width,
    height,
    resized,
    boxes: windows.map(({ box }) => box),
  });
}
const metadata = {
  names: JSON.stringify(maker.names),
  scale: String(vocabulary.scale),
  naming: JSON.stringify(naming),
  samples: JSON.stringify(samples),
};
writeFileSync(new URL('recorded.safetensors', folder), writeSafetensors(entries, metadata));
const shown = samples.map(({ file, caption, words }) => ({ file, caption, words }));
writeFileSync(new URL('samples.json', folder), `${JSON.stringify(shown, undefined, 2)}\n`);
device.dispose();

/** What is in a scene, most pixels first. */
function wordsOf(labels) {
  const counts = new Map();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts]
    .filter(([label]) => label > 0)
    .sort((a, b) => b[1] - a[1])
    .map(([label]) => maker.names[label - 1]);
}

/** One side of the shape is left open as -1. */
function tensor(dtype, shape, data) {
  const known = shape.reduce((size, side) => (side === -1 ? size : size * side), 1);
  return { dtype, shape: shape.map((side) => (side === -1 ? data.length / known : side)), data };
}
