/**
 * Scores the built-in student as `zeroseg score --scenes 500 --seed 1` does, with 95 % intervals: scenes drawn with replacement, 2,000
 * times. Writes them, and how each scene was scored, to FILE. Minutes on a processor. Named as the model's file says; with
 * `--refine` also by PAMR, and so are the baselines, and with `--flip` over the photo and its mirror image.
 *
 *   npm run build && node scripts/score-intervals.mjs FILE.json [--refine] [--flip]
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { openDevice } from '@zeroseg/core';
import { SCORING_SEED, SegmentationScore, sceneScore, scoreScenes, scoringScenes } from '@zeroseg/core/zeroseg';
import { loadAtlas, openClip, openVocabulary } from 'zeroseg';

const SCENES = 500;
const SEED = 1;
const RESAMPLES = 2000;

const { values, positionals } = parseArgs({
  options: { refine: { type: 'boolean' }, flip: { type: 'boolean' } },
  allowPositionals: true,
});
const [out] = positionals;
if (!out) {
  console.error('Usage: node scripts/score-intervals.mjs FILE.json [--refine] [--flip]');
  process.exit(2);
}
const device = await openDevice();
const model = await openVocabulary(device, { model: 'built-in', clip: 'built-in' });
const scenes = scoringScenes(await loadAtlas(), { classes: 40, size: 128 });
const vocabulary = await model.vocabulary(scenes.names);
const { naming } = model.opened.info;
const { groups, assignment, assignmentTemperature, centre, prior } = naming;
const rules = {
  ...{ groups, assignment, assignmentTemperature, centre, prior },
  flip: values.flip ?? naming.flip,
  refine: values.refine ? (naming.pamr ?? {}) : naming.refine,
};
const teacher = await (await openClip('built-in')).vision(device);

const kinds = ['intersection', 'predicted', 'labelled'];
/** Counts of one scene by method: what a method's sums grew by. */
const perScene = new Map();
const sums = new Map();
await scoreScenes(device, {
  scenes,
  seed: SCORING_SEED + SEED,
  count: SCENES,
  vocabulary,
  teacher,
  students: { student: model.model },
  rules,
  onProgress({ done, scores }) {
    for (const [method, score] of scores) {
      const before = sums.get(method);
      const now = kinds.map((kind) => score[kind].slice());
      sums.set(method, now);
      const grown = now.map((counts, k) => counts.map((value, c) => value - (before?.[k][c] ?? 0)));
      perScene.set(method, [...(perScene.get(method) ?? []), grown]);
    }
    if (done % 50 === 0) console.error(`${done} of ${SCENES} scenes`);
  },
});
device.dispose();

const measures = ['objects', 'ground', 'accuracy'];
function scoreOf(list, picks) {
  const score = new SegmentationScore(scenes.names.length + 1, 0);
  for (const i of picks) {
    kinds.forEach((kind, k) => {
      for (let c = 0; c < score.classes; c++) score[kind][c] += list[i][k][c];
    });
  }
  return sceneScore(score, scenes.objectCount);
}

// A generator of its own, so that intervals are the same everywhere (mulberry32).
let state = 1;
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const resamples = Array.from({ length: RESAMPLES }, () =>
  Array.from({ length: SCENES }, () => Math.floor(random() * SCENES)),
);
const all = Array.from({ length: SCENES }, (_, i) => i);
const drawn = new Map();
const methods = {};
for (const [method, list] of perScene) {
  const scores = resamples.map((picks) => scoreOf(list, picks));
  drawn.set(method, scores);
  const whole = scoreOf(list, all);
  methods[method] = Object.fromEntries(
    measures.map((key) => [key, { value: whole[key], interval: interval(scores.map((one) => one[key])) }]),
  );
}
function interval(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return [sorted[Math.floor(0.025 * sorted.length)], sorted[Math.ceil(0.975 * sorted.length) - 1]];
}
const [student, crops] = [drawn.get('student softmax'), drawn.get('crops')];
const ratio = interval(student.map((one, i) => one.objects / crops[i].objects));
const accuracy = perScene.get('student softmax').map((_, i) => scoreOf(perScene.get('student softmax'), [i]).accuracy);
const result = {
  scenes: SCENES,
  seed: SEED,
  resamples: RESAMPLES,
  adapter: device.name,
  rules,
  methods,
  ratio,
  accuracy,
};
await writeFile(out, `${JSON.stringify(result, undefined, 1)}\n`);
for (const [method, found] of Object.entries(methods)) {
  const cells = measures.map((key) => {
    const { value, interval: ends } = found[key];
    return `${key} ${(100 * value).toFixed(1)} (${ends.map((end) => (100 * end).toFixed(1)).join(' to ')})`;
  });
  console.log(`${method}: ${cells.join(', ')}`);
}
console.log(`student over crops, objects: ${ratio.map((end) => end.toFixed(2)).join(' to ')} times`);
