import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { writeFileAtomic } from '../../../cli/src/files/files.ts';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import { scenesConfig } from '../../../src/zeroseg/model/config.ts';
import { modelFile } from '../../../src/zeroseg/model/model-file.ts';
import { ZeroSeg } from '../../../src/zeroseg/model/zeroseg.ts';
import { useDevice } from '../../support/device.ts';
import { temporaryFolder, useCommandLine } from '../../support/made-up.ts';

const zeroseg = useCommandLine();
const device = useDevice();
const base = await temporaryFolder();
const at = (...names: string[]) => join(base, ...names);

const student = at('student.safetensors');
const demo = (...more: string[]) =>
  zeroseg('demo', '--model', student, '--clip', 'random-tiny', '--init', 'new', ...more);

beforeAll(async () => {
  const model = new ZeroSeg(newWeights(device.current, 1), { ...scenesConfig, clip_dim: 64 });
  await writeFileAtomic(student, await modelFile(model, { step: 7, teacher: '' }));
});

test('a folder that holds no demo is refused', async () => {
  await writeFileAtomic(at('mine', 'diary.txt'), 'dear diary');
  const { code, err } = await demo('--out', at('mine'));
  expect(code).toBe(1);
  expect(err.replaceAll(base, 'BASE').split('\n').at(-1)).toMatchInlineSnapshot(
    `"zeroseg: demo: BASE/mine: the folder is not empty and holds no demo; choose another --out"`,
  );
  expect(await readdir(at('mine'))).toEqual(['diary.txt']);
});

test('a folder that holds what the demo reads is not emptied', async () => {
  await writeFileAtomic(at('last', 'demo.json'), JSON.stringify({ format: 'zeroseg demo' }));
  const mine = at('last', 'model.safetensors');
  await writeFileAtomic(mine, await readFile(student));
  const { code, err } = await demo('--model', mine, '--out', at('last'));
  expect(code).toBe(1);
  expect(err.replaceAll(base, 'BASE').split('\n').at(-1)).toMatchInlineSnapshot(
    `"zeroseg: demo: BASE/last/model.safetensors is in BASE/last, which the demo empties; copy it elsewhere, or choose another --out"`,
  );
  expect((await readdir(at('last'))).sort()).toEqual(['demo.json', 'model.safetensors']);
});

test('patches that do not divide the scenes are refused before anything is made', async () => {
  const odd = at('odd.safetensors');
  const config = { ...scenesConfig, stem: 'patch', image: 48, patch: 12, clip_dim: 64 } as const;
  await writeFileAtomic(
    odd,
    await modelFile(new ZeroSeg(newWeights(device.current, 1), config), { step: 7, teacher: '' }),
  );
  const { code, err } = await demo('--model', odd, '--out', at('no'));
  expect(code).toBe(1);
  expect(err.replaceAll(base, 'BASE').split('\n').at(-1)).toMatchInlineSnapshot(
    `"zeroseg: demo: --model BASE/odd.safetensors: its patches of 12 pixels do not divide the demo's scenes of 128; give one whose patches do"`,
  );
  expect(await readdir(base)).not.toContain('no');
});

test('--words is refused by the name that took its place', async () => {
  const { code, err } = await demo('--words', 'cat', '--out', at('no'));
  expect(code).toBe(1);
  expect(err).toMatchInlineSnapshot(
    `"zeroseg: demo: --words is --classes now, as in zeroseg segment: --classes "cat, umbrella, grass""`,
  );
});

test('scenes, views, training, words, scores and a report', async () => {
  const words = 'cat, kitten, grass';
  const { code, out, err } = await demo(
    '--out',
    at('demo'),
    '--quick',
    '--steps',
    '2',
    '--scenes',
    '64',
    '--scored',
    '2',
    '--classes',
    words,
  );
  expect(err).toBe('random-tiny: its weights are random, so its words mean nothing');
  expect(code).toBe(0);
  expect(out.match(/^\d\. .*/gm)).toMatchInlineSnapshot(`
    [
      "1. Scenes to learn from: drawings on painted grounds",
      "2. What the teacher sees in them, whole and in pieces",
      "3. Training a student, without a label and without a word",
      "4. Segmenting by words: cat, kitten, grass",
      "5. Scores on scenes that no student has seen",
      "6. Report",
    ]
  `);
  expect((await readdir(at('demo'))).sort()).toEqual([
    'cache',
    'demo.json',
    'metrics.jsonl',
    'model.safetensors',
    'report.html',
    'scenes',
    'scores.json',
  ]);
  const scores = JSON.parse(await readFile(at('demo', 'scores.json'), 'utf8'));
  const own = ['objects', 'stuff', 'accuracy'];
  for (const key of ['fresh', 'shipped', 'start']) {
    expect(Object.keys(scores[key])).toEqual(expect.arrayContaining([...own, 'groupsUsed']));
  }
  expect(Object.keys(scores.baselines)).toEqual(['crops', 'plain', 'value', 'kmeans', 'ceiling', 'chance']);
  for (const baseline of Object.values(scores.baselines)) {
    expect(Object.keys(baseline as object)).toEqual(own);
    for (const value of Object.values(baseline as object)) {
      expect(value).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThanOrEqual(1);
    }
  }
  const report = await readFile(at('demo', 'report.html'), 'utf8');
  expect(report).toContain('kitten');
  // Nothing is loaded from anywhere.
  expect(report.match(/(src|href)=["'](?!data:)|url\((?!data:)|@import/g)).toBe(null);
  expect(report.match(/data:image\/webp;base64,/g)?.length).toBeGreaterThan(20);
});
