import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { nodeFileSystem } from '../../../cli/src/files/index.ts';
import { openStudy, pairsFor, Sitting } from '../../../src/zeroseg/votes/index.ts';
import { temporaryFolder, useCommandLine } from '../../support/made-up.ts';

const zeroseg = useCommandLine();
const base = await temporaryFolder();
const at = (...names: string[]) => join(base, ...names);

/** Pictures of one colour each. */
async function writePictures(folder: string, colours: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(at(folder), { recursive: true });
  for (const [name, background] of Object.entries(colours)) {
    await sharp({ create: { width: 40, height: 20, channels: 3, background } }).toFile(at(folder, name));
  }
}

describe('a study of two wordings, from photos to the counted votes', () => {
  const [scenes, few, count, study] = [at('scenes'), at('few'), at('many'), at('study')];

  test('is made of what `segment` wrote, drawn by the same hand', async () => {
    await zeroseg('scenes', '--out', scenes, '--count', '3', '--classes', '40', '--size', '96', '--seed', '3');
    const photos = join(scenes, 'JPEGImages');
    await zeroseg('segment', photos, '--classes', 'sky, elefant, cat', '--templates', 'identity', '--out', few);
    await zeroseg('segment', photos, '--classes', 'dog, car, tree, grass', '--templates', 'identity', '--out', count);
    const { code, out, err } = await zeroseg('study', few, count, '--titles', 'two words, four words', '--out', study);
    expect([code, err]).toEqual([0, 'two words: left out, since its CLIP does not know it: "elefant"']);
    expect(out.replaceAll(base, 'BASE').replace(/^drawing: .*\n/gm, '')).toBe(
      'BASE/study: 3 pairs, 5 votes each\nopen it in the page: zeroseg page, then Study',
    );
    const made = await openStudy(nodeFileSystem(study));
    expect(made).toMatchObject({ seed: 1, votes: 5, same: 0, titles: { a: 'two words', b: 'four words' } });
    expect(made.pictures.map(({ name }) => name)).toEqual(['000000', '000001', '000002']);
    for (const { a, b, photo } of made.pictures) {
      const sizes = await Promise.all([a, b].map(async (file) => sharp(join(study, file)).metadata()));
      // Scenes of 96 pixels are enlarged, so that names can be read; legends are of different heights.
      expect(sizes.map(({ width }) => width)).toEqual([384, 384]);
      expect((await sharp(join(study, photo as string)).metadata()).width).toBe(96);
    }
    // No name tells whose picture it is.
    expect(new Set(made.pictures.map(({ a }) => a.slice(-5))).size).toBe(2);
  });

  test('the same command makes the same study; one that is there is not touched', async () => {
    const again = at('again');
    await zeroseg('study', few, count, '--titles', 'two words, four words', '--out', again);
    for (const file of await readdir(study, { recursive: true })) {
      if (!/\.\w+$/.test(file)) continue;
      expect((await readFile(join(again, file))).equals(await readFile(join(study, file))), file).toBe(true);
    }
    const { code, err } = await zeroseg('study', few, count, '--out', study);
    expect([code, err.replaceAll(base, 'BASE')]).toEqual([
      1,
      'zeroseg: BASE/study: it holds a study, and votes may belong to it; give a new folder by --out',
    ]);
  });

  test('votes are counted', async () => {
    const files = nodeFileSystem(study);
    const made = await openStudy(files);
    const paths: string[] = [];
    for (const [voter, choices] of [
      ['Ada', ['a', 'a', 'a']],
      ['Grace', ['a', 'b', 'tie']],
    ] as const) {
      const sitting = await Sitting.open(files, made, voter);
      for (const [i, choice] of choices.entries()) {
        const { left } = pairsFor(made, voter)[i] as { left: string };
        await sitting.vote(choice === 'tie' ? 'tie' : choice === left ? 'left' : 'right', 1);
      }
      paths.push(join(study, 'votes', `${voter}.json`));
    }
    const json = at('counts.json');
    const { code, out, err } = await zeroseg('study', '--tally', ...paths, '--json', json);
    expect([code, err]).toEqual([0, '']);
    expect(
      out
        .replaceAll(base, 'BASE')
        .replace(/^\| pictures.*/m, 'PICTURES')
        .replace(/^The left.*/m, 'SIDES'),
    ).toMatchInlineSnapshot(`
      "**two words** against **four words**: 6 votes of 2 voters on 3 of 3 pictures, 2 a picture

      |                         | two words | four words | ties | share of two words (95 %) |     p |
      | ----------------------- | --------: | ---------: | ---: | ------------------------: | ----: |
      | votes                   |         4 |          1 |    1 |     80.0 % (37.6 to 96.4) | 0.375 |
      PICTURES

      Ties are left out of shares and p. Intervals: Wilson's score. p: exact two-sided sign test; votes on one picture resemble each other, so the row of pictures is the sure one.
      SIDES
      two words: left out, since its CLIP does not know it: "elefant"
      JSON: BASE/counts.json"
    `);
    const counted = JSON.parse(await readFile(json, 'utf8'));
    expect(counted.votes).toMatchObject({ a: 4, b: 1, ties: 1, p: 0.375 });
    expect(JSON.parse((await zeroseg('study', '--tally', ...paths, '--ties', 'split', '--json', '-')).out).ties).toBe(
      'split',
    );
  });
});

test('pictures of others are paired by their names; what is the same on both sides is left out', async () => {
  await writePictures('left', { 'a.png': 'red', 'b.png': 'green', 'c.png': 'blue', 'only.png': 'red' });
  await writePictures('right', { 'a.jpg': 'blue', 'b.png': 'green', 'c.png': 'red' });
  const { code, out, err } = await zeroseg('study', at('left'), at('right'), '--side', '64', '--out', at('others'));
  expect([code, err]).toEqual([0, '1 picture that only one of the folders has: only']);
  expect(out).toContain('2 pairs, 5 votes each; 1 photo left out, of which both made the same');
  const made = await openStudy(nodeFileSystem(at('others')));
  expect(made.titles).toEqual({ a: 'left', b: 'right' });
  expect(made.pictures.map(({ name, photo }) => [name, photo])).toEqual([
    ['a', null],
    ['c', null],
  ]);
  const drawn = await zeroseg('study', at('left'), at('right'), '--count', '1', '--seed', '4', '--out', at('one'));
  expect(drawn.code).toBe(0);
});

test('what makes no sense is refused in a sentence, and nothing is written', async () => {
  await writePictures('x', { 'a.png': 'red' });
  await writePictures('y', { 'b.png': 'red' });
  await writePictures('z', { 'a.png': 'red' });
  await writeFile(at('broken.json'), '{');
  await writeFile(at('other.json'), '{"format":"zeroseg-segments-1"}');
  const said: string[] = [];
  for (const args of [
    [at('x')],
    [at('x'), at('x')],
    [at('x'), at('y')],
    [at('x'), at('z')],
    [at('x'), at('nowhere')],
    [at('x'), at('z'), '--count', '2'],
    [at('x'), at('z'), '--titles', 'same, same'],
    [at('x'), at('z'), '--json', 'a.json'],
    ['--tally', at('broken.json')],
    ['--tally', at('other.json')],
    ['--tally', at('nowhere.json')],
    ['--tally', at('x'), '--count', '2'],
  ]) {
    const { code, out, err } = await zeroseg(
      'study',
      ...args,
      ...(args[0] === '--tally' ? [] : ['--out', at('never')]),
    );
    expect([code, out]).toEqual([1, '']);
    said.push(err);
  }
  expect(said.join('\n').replaceAll(base, 'BASE')).toMatchInlineSnapshot(`
    "zeroseg: study: give two folders of results, one for each side; got 1
    zeroseg: study: both are the same folder, BASE/x
    zeroseg: study: no picture of BASE/x has a partner of the same name in BASE/y (BASE/x has a, …); segment the same photos into both
    zeroseg: BASE/never: both made the same of every photo, so there is nothing to choose; nothing was written
    zeroseg: BASE/nowhere: there is no such file or folder; check the spelling
    zeroseg: --count: both folders have 1 picture in common; 2 were asked for
    zeroseg: --titles: give two different names, with a comma between
    zeroseg: --json: only with --tally
    zeroseg: BASE/broken.json: not valid JSON (Expected property name or '}' in JSON at position 1)
    zeroseg: BASE/other.json: these are no votes that the page's Study gave: 'format' cannot be "zeroseg-segments-1"
    zeroseg: BASE/nowhere.json: there is no such file or folder
    zeroseg study: option '--tally' cannot be used with option '--count <n>'. See zeroseg study --help."
  `);
  expect((await readdir(base)).filter((name) => name.startsWith('never') || name.startsWith('.never'))).toEqual([]);
});
