import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { photos } from '@zeroseg/pretrained';
import { beforeAll, expect, test } from 'vitest';
import { writeFileAtomic } from '../../../cli/src/files/files.ts';
import { openStart } from '../../../cli/src/studies/demo-training.ts';
import type { Device } from '../../../src/gpu/device.ts';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import type { LiveScore } from '../../../src/zeroseg/demo/live-scores.ts';
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
const photo = fileURLToPath(photos.cat);
const demo = (...more: string[]) =>
  zeroseg('demo', '--model', student, '--clip', 'random-tiny', '--init', 'new', ...more);

beforeAll(async () => {
  const model = new ZeroSeg(newWeights(device.current, 1), { ...scenesConfig, clip_dim: 64 });
  await writeFileAtomic(student, await modelFile(model, { step: 7, teacher: '' }));
});

test('a student begins with what its device has time for, and its teacher has', async () => {
  const gpu = Object.create(device.current, { isSoftware: { value: false } }) as Device;
  const kindOf = async (clip: string, device: Device) => (await (await openStart(undefined, clip, 1))(device)).kind;
  expect(device.current.isSoftware).toBe(true);
  expect(await kindOf('built-in', device.current)).toBe('names');
  expect(await kindOf('built-in', gpu)).toBe('teacher');
  // These have no teacher's file, which is known before a folder is emptied.
  expect(await kindOf('random-tiny', gpu)).toBe('names');
  expect(await kindOf(base, gpu)).toBe('names');
  await expect(openStart('teacher', base, 1)).rejects.toThrow('teacher.safetensors');
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
    `"zeroseg: demo: --model BASE/odd.safetensors: its patches of 12 pixels do not divide scenes of 128 pixels; give one whose patches do"`,
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

test.each([
  [
    'cat, xylophone, grass',
    /^zeroseg: demo: --classes: the demo's scenes show no "xylophone"; they show dog, cat, .*, crab, on sky, night, .*$/,
  ],
  ['cat, kitten', /^zeroseg: demo: --classes: "cat" and "kitten" are one thing in scenes$/],
  ['grass', /^zeroseg: demo: --classes: give at least one object beside the grounds, such as "cat, grass"$/],
])('%s: words that scenes cannot show are refused before anything is made', async (words, message) => {
  const { code, out, err } = await demo('--out', at('words'), '--classes', words);
  expect(code).not.toBe(0);
  expect(out).toBe('');
  expect(err.split('\n').at(-1)).toMatch(message);
  expect(await readdir(base)).not.toContain('words');
});

/** What every report keeps to, whatever it shows. */
function expectSoundPage(page: string): void {
  // Nothing is loaded from anywhere, and every picture says what it is.
  expect(page.match(/(src|href)=["'](?!data:)|url\((?!data:)|@import/g)).toBe(null);
  const images = page.match(/<img [^>]*>/g) ?? [];
  expect(images.length).toBeGreaterThan(10);
  for (const image of images) expect(image.replace(/data:[^"]*/, '')).toMatch(/ alt="[^"]+"/);
  expect(page).toContain('prefers-color-scheme: dark');
  expect(page).toContain('name="viewport"');
  for (const tag of ['section', 'details', 'figure', 'table', 'article', 'div']) {
    expect(page.split(`<${tag}`).length, tag).toBe(page.split(`</${tag}>`).length);
  }
}

test('a student is trained, and everything is reported', async () => {
  const { code, out, err } = await demo(
    ...['--out', at('demo'), '--quick', '--steps', '2', '--scenes', '8', '--scored', '2'],
  );
  expect(err).toBe('random-tiny: its weights are random, so its words mean nothing');
  expect(code).toBe(0);
  expect(out).toContain('head start: none, all weights are random (--init new)');
  expect(out.match(/^\d\. .*/gm)).toMatchInlineSnapshot(`
    [
      "1. Training a student of your own, without a label and without a word",
      "2. Naming what unseen scenes show, by 54 words",
      "3. Scores on unseen scenes",
      "4. Report",
    ]
  `);
  expect((await readdir(at('demo'))).sort()).toEqual([
    'cache',
    'demo.json',
    'hero.png',
    'metrics.jsonl',
    'model.safetensors',
    'report.html',
    'scenes',
    'scores.json',
  ]);
  const report = at('demo', 'report.html');
  expect(out.split('\n').find((line) => line.startsWith('report'))).toBe(`report   ${pathToFileURL(report).href}`);
  const scores = JSON.parse(await readFile(at('demo', 'scores.json'), 'utf8'));
  expect([scores.scenes, Object.keys(scores.students)]).toEqual([2, ['shipped', 'fresh', 'start']]);
  for (const { accuracy, objectsFound, objectsThere } of Object.values<LiveScore>(scores.students)) {
    expect(accuracy?.value).toBeGreaterThanOrEqual(accuracy?.low as number);
    expect(accuracy?.value).toBeLessThanOrEqual(accuracy?.high as number);
    expect(objectsFound).toBeLessThanOrEqual(objectsThere);
  }
  const page = await readFile(report, 'utf8');
  expectSoundPage(page);
  expect(page.match(/<h2>[^<]*/g)?.map((title) => title.slice(4))).toEqual([
    'Scenes it has never seen',
    'How good is it?',
    expect.stringMatching(/^A student of your own, (\d+ min )?\d+ s old$/),
    'How it works',
    'What it cannot do',
  ]);
  // Three pictures, side by side, open it.
  expect(
    page
      .split('class="hero"')[1]
      ?.split('</div>')[0]
      ?.match(/<figure>/g),
  ).toHaveLength(3);
  expect(page).toContain('after 2 steps');
  expect(page).toContain('It began with random numbers.');
  // The student is not the one whose scores the package brings.
  expect(page).not.toContain('500 unseen scenes');
});

test('words that are asked for decide what the scenes show; without training there is no student to tell of', async () => {
  const { code, out } = await demo(
    ...['--out', at('asked'), '--quick', '--scored', '2', '--classes', 'kitten, grass', '--photo', photo],
  );
  expect(code).toBe(0);
  const shown = out.split('\n').filter((line) => / \(\d of \d objects? found/.test(line));
  expect(shown).toHaveLength(6);
  for (const line of shown) {
    const [, names = ''] = line.split(': ');
    expect(
      names
        .replace(/ ✓| in part| not there| \(.*/g, '')
        .split(', ')
        .every((name) => ['kitten', 'grass'].includes(name)),
    ).toBe(true);
  }
  const page = await readFile(at('asked', 'report.html'), 'utf8');
  expectSoundPage(page);
  expect(page).toContain('Scenes of what was asked for: kitten, grass.');
  expect(page).toContain('<h2>Your photograph</h2>');
  expect(page).not.toContain('<script');
  expect(await readdir(at('asked'))).not.toContain('model.safetensors');
});
