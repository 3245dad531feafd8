/** Tables 2 and 8 and Figs. 4 to 6, at their smallest. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, expect, it } from 'vitest';
import type { PreferenceStudy } from '../../../src/zeroseg/votes/study-file.ts';
import type { VotesFile } from '../../../src/zeroseg/votes/votes-file.ts';
import { seeded } from '../../support/check-op.ts';
import { temporaryFolder, useCommandLine, writeClip, writeConfig } from '../../support/made-up.ts';

const zeroseg = useCommandLine();
const base = await temporaryFolder();
const at = (...names: string[]) => join(base, ...names);
const steady = (text: string) => text.replaceAll(base, 'BASE');
const json = async (...names: string[]) => JSON.parse(await readFile(at(...names), 'utf8'));
/** Of the models that were segmented anew, not of earlier runs. */
const done = (text: string) => text.match(/\d+ of \d+ photos done before/g) ?? [];

beforeAll(async () => {
  await writeClip(at('clip'));
  await writeConfig(at('config.json'));
  await mkdir(at('photos'));
  const random = seeded(2);
  for (let i = 0; i < 5; i++) {
    const data = Uint8Array.from({ length: 24 * 20 * 3 }, () => 256 * random());
    await sharp(data, { raw: { width: 24, height: 20, channels: 3 } })
      .png()
      .toFile(at('photos', `${i}.png`));
  }
});

const run = (name: string, ...more: string[]) =>
  zeroseg(
    ...['experiment', name, '--out', at('out'), '--photos', at('photos'), '--names', 'dog, sofa, sky, cat, bus'],
    ...['--segment=--tokenizer=hash', '--segment=--templates=identity', '--segment=--window=8', ...more],
  );
const [sclip, crops] = ['sclip', 'crops'].map((way) => ['--model', `clip:${at('clip')}:${way}`]) as [
  string[],
  string[],
];

it('figures: other photos in each, a row for each photo, a column for each model; what is there stays', async () => {
  const fig4 = await run('fig4', ...sclip, ...crops, '--limit', '2');
  expect(fig4.code, fig4.err).toBe(0);
  expect(steady(fig4.out).split('\n').slice(-4)).toEqual(
    ['png', 'md', 'html', 'json'].map((end) => `BASE/out/fig4.${end}`),
  );
  const { photos, names } = await json('out/fig4.json');
  expect(names).toBe('dog, sofa, sky, cat, bus');
  expect(photos).toHaveLength(2);
  for (const { found } of photos) {
    expect(Object.keys(found)).toHaveLength(2);
    for (const classes of Object.values<{ fraction: number }[]>(found)) {
      expect(classes.reduce((sum, { fraction }) => sum + fraction, 0)).toBeCloseTo(1, 3);
    }
  }
  const sheet = await sharp(at('out/fig4.png')).metadata();
  // Small photos are enlarged as what was found in them is.
  expect([sheet.width, sheet.height]).toMatchInlineSnapshot(`
    [
      1040,
      610,
    ]
  `);
  expect(await readFile(at('out/fig4.html'), 'utf8')).toContain('<img src="fig4.png"');

  const again = await run('fig4', ...sclip, ...crops, '--limit', '2');
  expect(done(`${again.out}\n${again.err}`)).toEqual(['2 of 2 photos done before', '2 of 2 photos done before']);
  expect((await run('fig5', ...sclip, '--limit', '2')).code).toBe(0);
  const paths = (list: { photo: string }[]) => list.map(({ photo }) => photo);
  const other = paths((await json('out/fig5.json')).photos);
  expect(other).toHaveLength(2);
  expect(new Set([...other, ...paths(photos)]).size).toBe(4);
  expect(
    steady((await run('fig6', ...sclip, '--limit', '2', '--plan')).out).replace(/[\d.]+ (k?B|s)\b/g, 'N'),
  ).toMatchInlineSnapshot(`
    "clip:BASE/clip:sclip: 1 photo, about N, N
    about N in all on this device"
  `);
  expect(steady((await run('fig6', ...sclip, '--limit', '3')).err)).toMatchInlineSnapshot(
    `"zeroseg: experiment: --photos: 5 photos are there, and all are in the figures before; give more, or a smaller --limit"`,
  );
});

it('table 2: pairs for the page, and votes beside the published ones', async () => {
  const first = await run('table2', ...sclip, ...crops, '--limit', '3');
  expect(first.code, first.err).toBe(0);
  expect(steady(first.out)).toContain('to vote: zeroseg page, then Study, and BASE/out/study');
  const study: PreferenceStudy = await json('out/study/study.json');
  expect(study.pictures).toHaveLength(3);
  expect(await readdir(at('out/study/pictures'))).toHaveLength(9);
  const votes: VotesFile = {
    ...{ format: 'zeroseg-votes-1', study: study.id, titles: study.titles, question: study.question, pictures: 3 },
    ...{ voter: 'Ada', began: '2026-01-01T00:00:00Z' },
    votes: study.pictures.map(({ name }, i) => ({ picture: name, choice: i < 2 ? 'a' : 'b', left: 'a', seconds: 1 })),
  };
  await writeFile(at('ada.json'), JSON.stringify(votes));
  const counted = await run('table2', ...sclip, ...crops, '--limit', '3', '--votes', at('ada.json'));
  expect(counted.code, counted.err).toBe(0);
  expect(
    (await readFile(at('out/table2.md'), 'utf8'))
      .match(/^\|.*$/gm)
      ?.map((row) => steady(row).replace(/(?<=[ -])[ -]+(?=\|)/g, '')),
  ).toMatchInlineSnapshot(`
    [
      "| votes for | against | share | pictures | source |",
      "| | | | | |",
      "| ZeroSeg: 677 | GroupViT: 323 | 67.7 % | 200 | Chen et al. 2023 (ZeroSeg), Table 2 |",
      "| clip:BASE/clip:sclip: 2 | clip:BASE/clip:crops: 1 | 66.7 % (20.8 % to 93.9 %) | 3 | counted here |",
    ]
  `);
  await writeFile(at('other.json'), JSON.stringify({ ...votes, study: '0123456789abcdef' }));
  const other = await run('table2', ...sclip, ...crops, '--limit', '3', '--votes', at('other.json'));
  expect(steady(other.err).split('\n').at(-1)).toMatchInlineSnapshot(
    `"zeroseg: experiment: --votes BASE/other.json: these votes are of another study than BASE/out/study"`,
  );
  expect(steady((await run('table2', ...sclip)).err)).toMatchInlineSnapshot(
    `"zeroseg: experiment: table2 needs 2 times --model and --photos; such as --model built-in --model clip:built-in:crops --photos photos"`,
  );
});

it('table 8: hours from measured times, by device; measured once', async () => {
  const table = (...more: string[]) =>
    zeroseg(
      ...['experiment', 'table8', '--out', at('hours'), '--clip', at('clip'), '--config', at('config.json')],
      ...['--images', '3600', '--set', 'epochs=2', '--set', 'warmup=0', ...more],
      ...['batch=2', 'micro=2'].flatMap((choice) => ['--set', choice]),
    );
  expect(steady((await table('--plan')).out)).toMatchInlineSnapshot(`
    "teacher BASE/clip, student 'BASE/config.json', 3600 photos, 2 epochs in batches of 2; on every device that is measured: 4 times 30 views, and one dense pass;
    4 steps of 1 times 2 images. Nothing but a small file is written; no photo is read"
  `);
  const first = await table();
  expect(first.code, first.err).toBe(0);
  const [name = ''] = await readdir(at('hours/results'));
  const seconds = await json('hours/results', name);
  const { measured } = await json('hours/table8.json');
  expect(measured).toHaveLength(1);
  // 3,600 images: hours are the seconds of one, or twice those in two epochs.
  expect(measured[0].hours.crops).toBeCloseTo(seconds.crops, 4);
  expect(measured[0].hours.pooled).toBeCloseTo(seconds.pooled, 4);
  expect(measured[0].hours.student).toBeCloseTo(2 * seconds.student, 4);
  for (const part of ['crops', 'pooled', 'student']) expect(seconds[part]).toBeGreaterThan(0);
  // Of another device, put beside it; and what is there is not measured again.
  const theirs = { ...seconds, device: 'another', crops: 7 };
  await writeFile(at('hours/results', name.replace(/\w{8}\.json$/, '00000000.json')), JSON.stringify(theirs));
  const again = await table();
  expect(again.out).toMatch(/\| another +\| 7,000 +\| 3,600 +\| 7 +\|/);
  expect(await json('hours/results', name)).toEqual(seconds);
});
