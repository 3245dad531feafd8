import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decode } from 'fast-png';
import sharp from 'sharp';
import { beforeAll, expect, test } from 'vitest';
import { readLabelMap } from '../../../cli/src/photos/image-files.ts';
import type { SegmentsRecord } from '../../../cli/src/segments/record.ts';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import { resolveConfig } from '../../../src/zeroseg/model/config.ts';
import { modelFile } from '../../../src/zeroseg/model/model-file.ts';
import { ZeroSeg } from '../../../src/zeroseg/model/zeroseg.ts';
import { classRegions, decodeRle } from '../../../src/zeroseg/regions/index.ts';
import { useDevice } from '../../support/device.ts';
import { temporaryFolder, useCommandLine, writeClip, writePhotos } from '../../support/made-up.ts';

const device = useDevice();
const zeroseg = useCommandLine();
const base = await temporaryFolder();
const at = (...names: string[]) => join(base, ...names);

beforeAll(async () => {
  const config = resolveConfig({
    ...{ image: 16, patch: 4, dim: 16, depth: 1, heads: 2, dec_dim: 16, dec_depth: 1, dec_heads: 2, clip_dim: 8 },
    ...{ seg_depths: [1, 1, 1], group_tokens: [4, 2], output_groups: [4, 2], seg_heads: 2, proj_hidden: 16 },
  });
  const model = new ZeroSeg(newWeights(device.current, 1), config);
  await writeFile(at('model.safetensors'), await modelFile(model, { step: 0, teacher: '' }));
  await writeClip(at('clip'));
  await writePhotos(at('photos'), 3);
  await writePhotos(at('photos', 'below'), 1);
  await sharp(at('photos', 'photo-0.png')).jpeg().toFile(at('photos', 'photo-0.jpg'));
});

const segment = async (out: string, places: readonly string[], ...more: string[]) => {
  const words = more.includes('--classes') ? [] : ['--classes', 'dog, sofa'];
  const model = ['--model', at('model.safetensors'), '--clip', at('clip'), '--tokenizer', 'hash'];
  const args = [...places, '--out', at(out), ...model, '--templates', 'identity', ...words, ...more];
  const { code, out: lines, err } = await zeroseg('segment', ...args);
  const steady = (text: string) =>
    text
      .replaceAll(base, 'BASE')
      .replace(/\w+ \d+ %(, \w+ \d+ %)*/g, 'SHARES')
      .replace(/in \d+ s/g, 'in TIME')
      .replace(/file:\/\/\S*BASE/, 'file://BASE')
      .replace(/^(segmenting: |--tokenizer hash).*\n/gm, '');
  return { code, lines, out: steady(lines), err: steady(err) };
};

const record = async (...names: string[]): Promise<SegmentsRecord> => JSON.parse(await readFile(at(...names), 'utf8'));

test('a folder: every photo has files of its own, those below in folders below', async () => {
  const { code, out, err } = await segment('all', [at('photos')]);
  expect({ code, out, err }).toMatchInlineSnapshot(`
    {
      "code": 0,
      "err": "--tokenizer hash: words are numbered by their hash and mean nothing",
      "out": "BASE/photos/below/photo-0.png: SHARES → BASE/all/below/photo-0.overlay.png
    BASE/photos/photo-0.jpg: SHARES → BASE/all/photo-0.jpg.overlay.png
    BASE/photos/photo-0.png: SHARES → BASE/all/photo-0.png.overlay.png
    BASE/photos/photo-1.png: SHARES → BASE/all/photo-1.overlay.png
    BASE/photos/photo-2.png: SHARES → BASE/all/photo-2.overlay.png
    5 photos in TIME, written to BASE/all
    all on one page: file://BASE/all/contact-sheet.html",
    }
  `);
  expect((await readdir(at('all'), { recursive: true })).sort()).toMatchInlineSnapshot(`
    [
      "below",
      "below/photo-0.json",
      "below/photo-0.labels.png",
      "below/photo-0.overlay.png",
      "below/photo-0.thumbnail.jpg",
      "contact-sheet.html",
      "photo-0.jpg.json",
      "photo-0.jpg.labels.png",
      "photo-0.jpg.overlay.png",
      "photo-0.jpg.thumbnail.jpg",
      "photo-0.png.json",
      "photo-0.png.labels.png",
      "photo-0.png.overlay.png",
      "photo-0.png.thumbnail.jpg",
      "photo-1.json",
      "photo-1.labels.png",
      "photo-1.overlay.png",
      "photo-1.thumbnail.jpg",
      "photo-2.json",
      "photo-2.labels.png",
      "photo-2.overlay.png",
      "photo-2.thumbnail.jpg",
    ]
  `);
});

test('again: what is done is not done again; what is missing, or another photo by now, is', async () => {
  const { code, out } = await segment('all', [at('photos')]);
  expect({ code, out }).toMatchInlineSnapshot(`
    {
      "code": 0,
      "out": "5 of 5 photos done before
    all on one page: file://BASE/all/contact-sheet.html",
    }
  `);
  await rm(at('all', 'photo-1.overlay.png'));
  await writePhotos(at('more'), 2);
  await writeFile(at('photos', 'photo-2.png'), await readFile(at('more', 'photo-1.png')));
  expect((await segment('all', [at('photos')])).out).toMatchInlineSnapshot(`
    "3 of 5 photos done before
    BASE/photos/photo-1.png: SHARES → BASE/all/photo-1.overlay.png
    BASE/photos/photo-2.png: SHARES → BASE/all/photo-2.overlay.png
    2 photos in TIME, written to BASE/all
    all on one page: file://BASE/all/contact-sheet.html"
  `);
  // Other words: all of it, under the same names.
  const before = await readdir(at('all'));
  expect((await segment('all', [at('photos')], '--classes', 'dog, cat')).out).toMatch(/^5 photos in TIME/m);
  expect(await readdir(at('all'))).toEqual(before);
});

test('a record says where each class is, to the pixel', async () => {
  await segment('one', [at('photos', 'photo-1.png')]);
  const { files, classes, ...rest } = await record('one', 'photo-1.json');
  const labels = await readLabelMap(at('one', files.labels));
  expect([labels.width, labels.height]).toEqual([rest.width, rest.height]);
  expect(rest.names).toEqual(['dog', 'sofa']);
  const regions = classRegions(labels);
  expect(classes.map(({ label }) => label)).toEqual(regions.map(({ label }) => label));
  for (const [i, { label, name, pixels, fraction, box, rle, parts, score, colour }] of classes.entries()) {
    const region = regions[i]!;
    expect(name).toBe(['background', 'dog', 'sofa'][label]);
    expect([pixels, fraction, rle]).toEqual([region.pixels, Number(region.fraction.toPrecision(6)), region.rle]);
    expect(box).toEqual([region.box.x, region.box.y, region.box.width, region.box.height]);
    expect(parts.map(({ polygon }) => polygon)).toEqual(region.parts.map(({ polygon }) => polygon));
    expect(Array.from(decodeRle(rle).data)).toEqual(Array.from(labels.data, (one) => (one === label ? 1 : 0)));
    expect(score).toBeGreaterThan(0);
    expect(score).toBeLessThanOrEqual(1);
    expect(colour).toMatch(/^#[0-9a-f]{6}$/);
  }
});

test('files of others are left alone', async () => {
  await mkdir(at('busy'));
  await writeFile(at('busy', 'photo-1.json'), '{}');
  await writeFile(at('busy', 'photo-1.png.labels.png'), 'mine');
  expect((await segment('busy', [at('photos', 'photo-1.png')])).code).toBe(0);
  expect(await readFile(at('busy', 'photo-1.json'), 'utf8')).toBe('{}');
  expect(await readFile(at('busy', 'photo-1.png.labels.png'), 'utf8')).toBe('mine');
  expect((await record('busy', 'photo-1-2.json')).source.file).toBe('../photos/photo-1.png');
  // And again the same name, not a third.
  expect((await segment('busy', [at('photos', 'photo-1.png')])).out).toMatch(/^1 of 1 photo done before/);
  // A photo of the same name from elsewhere does not take what is there.
  await segment('busy', [at('photos', 'below', 'photo-0.png')]);
  await segment('busy', [at('photos', 'photo-0.png')]);
  expect((await record('busy', 'photo-0.json')).source.file).toBe('../photos/below/photo-0.png');
  expect((await record('busy', 'photo-0.png.json')).source.file).toBe('../photos/photo-0.png');
});

test('a link out of the folder is not followed', async () => {
  await mkdir(at('elsewhere'));
  await mkdir(at('linked'));
  await symlink(at('elsewhere'), at('linked', 'below'));
  const { code, err } = await segment('linked', [at('photos')]);
  expect({ code, err }).toMatchInlineSnapshot(`
    {
      "code": 1,
      "err": "zeroseg: BASE/linked/below: this is a link, and nothing is written out of BASE/linked; remove it",
    }
  `);
  expect(await readdir(at('elsewhere'))).toEqual([]);
});

test('photos that cannot be read are listed at the end; the others are done', async () => {
  await mkdir(at('mixed'));
  await writeFile(at('mixed', 'broken.jpg'), 'no photo');
  const places = [at('mixed', 'broken.jpg'), at('photos', 'photo-1.png'), at('mixed', 'missing.jpg')];
  const { code, out, err } = await segment('partly', places);
  expect({ code, out, err }).toMatchInlineSnapshot(`
    {
      "code": 1,
      "err": "skipped BASE/mixed/broken.jpg: this is not an image, or of a kind that cannot be read
    skipped BASE/mixed/missing.jpg: there is no such file or folder
      BASE/mixed/broken.jpg: this is not an image, or of a kind that cannot be read
      BASE/mixed/missing.jpg: there is no such file or folder
    zeroseg: segment: 2 of 3 photos could not be read; the others are done",
      "out": "BASE/photos/photo-1.png: SHARES → BASE/partly/photo-1.overlay.png
    1 photo in TIME, written to BASE/partly
    all on one page: file://BASE/partly/contact-sheet.html",
    }
  `);
});

test('photos none of which is there are told before anything is loaded', async () => {
  const { code, out, err } = await segment('nowhere', [at('photos', 'phto.png'), at('photos', 'phto-2.png')]);
  const why = 'there is no such file or folder';
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err).toBe(`zeroseg: BASE/photos/phto.png: ${why}, BASE/photos/phto-2.png: ${why}`);
});

test('so are files that are no photos', async () => {
  const { code, out, err } = await segment('nothing', [at('mixed', 'broken.jpg')]);
  expect({ code, out, err }).toEqual({
    code: 1,
    out: '',
    err: 'zeroseg: BASE/mixed/broken.jpg: this is not an image, or of a kind that cannot be read',
  });
});

test('--short of less than a patch is refused by its name', async () => {
  const { code, err } = await segment('thin', [at('photos', 'photo-1.png')], '--short', '1');
  expect(code).toBe(1);
  expect(err).toMatch(/zeroseg: --short must be at least \d+ pixels, a patch of the model; got 1$/);
});

test('--json: a line for each photo, done now, done before or failed', async () => {
  const places = [at('photos', 'photo-1.png'), at('mixed', 'broken.jpg'), at('photos', 'photo-2.png')];
  const { code, lines } = await segment('partly', places, '--json');
  expect(code).toBe(1);
  const [before, failed, now] = lines.split('\n').map((line) => JSON.parse(line));
  expect(before).toEqual(await record('partly', 'photo-1.json'));
  expect(failed).toEqual({
    photo: at('mixed', 'broken.jpg'),
    error: 'this is not an image, or of a kind that cannot be read',
  });
  expect(now).toEqual(await record('partly', 'photo-2.json'));
});

test('patterns', async () => {
  await segment('globbed', [at('photos', '**', '*-0.png')]);
  expect((await readdir(at('globbed'), { recursive: true })).filter((name) => name.endsWith('.json')).sort()).toEqual([
    'below/photo-0.json',
    'photo-0.json',
  ]);
  expect((await segment('never', [at('photos', '*.webp')])).err).toMatchInlineSnapshot(
    `"zeroseg: segment: no photo has a name like 'BASE/photos/*.webp'"`,
  );
  await expect(stat(at('never'))).rejects.toThrow();
});

test('--cutout: a transparent PNG of the size of the photo', async () => {
  const places = [at('photos', 'photo-1.png')];
  const { out } = await segment('cut', places, '--cutout', 'dog', '--cutout', 'sofa');
  const { files, classes } = await record('cut', 'photo-1.json');
  expect(Object.keys(files.cutouts).sort()).toEqual(classes.map(({ name }) => name).sort());
  for (const word of ['dog', 'sofa']) {
    const file = files.cutouts[word];
    if (file === undefined) {
      expect(out).toContain(`${word}: cut out of 0 of 1 photo`);
      continue;
    }
    const { data, info } = await sharp(at('cut', file)).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([48, 40, 4]);
    const labels = await readLabelMap(at('cut', files.labels));
    const own = classes.find(({ name }) => name === word)!.label;
    const photo = await sharp(places[0]).raw().toBuffer();
    for (let i = 0; i < labels.data.length; i++) {
      expect([...data.subarray(4 * i, 4 * i + 3)]).toEqual([...photo.subarray(3 * i, 3 * i + 3)]);
      // Half way on the border: nothing outside is more opaque than half, nothing inside less.
      if (labels.data[i] === own) expect(data[4 * i + 3]).toBeGreaterThan(60);
      else expect(data[4 * i + 3]).toBeLessThan(195);
    }
  }
  expect((await segment('cut', places, '--cutout', 'cat')).err).toMatchInlineSnapshot(
    `"zeroseg: --cutout: "cat" is none of --classes"`,
  );
});

test('a contact sheet: every photo, its words, outlines and areas, and nothing from elsewhere', async () => {
  await writeFile(at('photos', 'a "quote" & <tag>.png'), await readFile(at('more', 'photo-0.png')));
  await mkdir(at('sheet'));
  await writeFile(at('sheet', 'contact-sheet.html'), 'mine');
  const { out } = await segment('sheet', [at('photos', '*.png')], '--cutout', 'dog');
  expect(out).toMatch(/all on one page: file:\/\/BASE\/sheet\/contact-sheet-2\.html$/);
  expect(await readFile(at('sheet', 'contact-sheet.html'), 'utf8')).toBe('mine');
  const page = await readFile(at('sheet', 'contact-sheet-2.html'), 'utf8');
  expect(page).not.toMatch(/<tag>|https?:/);
  expect(page.match(/<article>/g)).toHaveLength(4);
  for (const [, way = ''] of page.matchAll(/(?:src|href)="([^"]+)"/g)) {
    expect((await stat(at('sheet', decodeURIComponent(way)))).isFile()).toBe(true);
  }
  for (const { classes, files } of [await record('sheet', 'photo-0.json'), await record('sheet', 'photo-1.json')]) {
    expect(page).toContain(`src="${files.thumbnail}"`);
    for (const { name, pixels } of classes) {
      expect(page).toMatch(
        new RegExp(`<tr data-word="\\d+".*<bdi>${name}</bdi>.*<td>${pixels.toLocaleString('en')}</td>`),
      );
    }
  }
  // The same command writes the same page.
  await segment('sheet', [at('photos', '*.png')], '--cutout', 'dog');
  expect(await readFile(at('sheet', 'contact-sheet-2.html'), 'utf8')).toBe(page);
});

test('a contact sheet shows earlier runs too, whatever their classes, unless their files are gone', async () => {
  await segment('runs', [at('photos', 'photo-1.png'), at('photos', 'below')]);
  await writeFile(at('runs', 'notes.json'), '{}');
  const cards = async () => {
    const page = await readFile(at('runs', 'contact-sheet.html'), 'utf8');
    const words = [...page.matchAll(/name="word" value="(\d+)".*?<bdi>(.*?)<\/bdi>/g)];
    const rows = [...page.matchAll(/<tr data-word="(\d+)".*?<bdi>(.*?)<\/bdi>/g)];
    const names = new Map(words.map(([, number, name]) => [number, name]));
    for (const [, number, name] of rows) expect(names.get(number)).toBe(name);
    return [...page.matchAll(/<li data-name="(.*?)">/g)].map(([, name]) => name);
  };
  expect(await cards()).toEqual(['photo-1', 'photo-0']);
  const { out } = await segment('runs', [at('photos', 'photo-2.png')], '--classes', 'cat, dog');
  expect(out).toMatch(/contact-sheet\.html \(with 2 photos of earlier runs\)$/);
  expect(await cards()).toEqual(['photo-2', 'photo-0', 'photo-1']);
  await rm(at('runs', 'photo-1.overlay.png'));
  await segment('runs', [at('photos', 'photo-2.png')], '--classes', 'cat, dog');
  expect(await cards()).toEqual(['photo-2', 'photo-0']);
});

test('results beside photos are no photos: the same command does nothing more', async () => {
  await writePhotos(at('beside'), 2);
  await writeFile(at('beside', 'own.overlay.png'), await readFile(at('beside', 'photo-0.png')));
  const { out } = await segment('beside', [at('beside')], '--cutout', 'dog');
  expect(out).toContain('3 photos in TIME');
  const before = await readdir(at('beside'));
  for (const places of [[at('beside')], [at('beside', '*.png')]]) {
    expect((await segment('beside', places, '--cutout', 'dog')).out).toMatch(/^3 of 3 photos done before$/m);
  }
  expect(await readdir(at('beside'))).toEqual(before);
});

test('names as long as a file may have, in any script, and photos of a pixel width', async () => {
  await mkdir(at('odd'));
  const [dash, cat] = ['-'.repeat(250), '猫'.repeat(83)];
  await writePhotos(at('odd'), 1);
  const photo = await readFile(at('odd', 'photo-0.png'));
  for (const name of [`${dash}a`, `${dash}b`, cat]) await writeFile(at('odd', `${name}.png`), photo);
  await sharp({ create: { width: 1, height: 2000, channels: 3, background: 'red' } }).toFile(at('odd', 'thin.png'));
  const words = ['--classes', `dog|${'犬'.repeat(70)}`, '--cutout', 'dog'];
  const { code, err } = await segment('odd-out', [at('odd')], ...words);
  expect(code, err).toBe(0);
  expect((await readdir(at('odd-out'))).filter((name) => name.endsWith('.json')).sort()).toEqual(
    [
      `${'-'.repeat(160)}.json`,
      `${'-'.repeat(160)}-2.json`,
      'photo-0.json',
      'thin.json',
      `${'猫'.repeat(53)}.json`,
    ].sort(),
  );
  const page = await readFile(at('odd-out', 'contact-sheet.html'), 'utf8');
  expect(page).toContain('<small>1 × 2000 pixels, drawn thicker</small>');
  const [card = ''] = /class="stage thin" style="--ratio:0.2500".*/.exec(page) ?? [];
  // As wide as the picture, which is a pixel wide.
  expect([...card.matchAll(/ d="([^"]*)"/g)].map(([, way = '']) => /^M[01] \d.*z$/.test(way))).toContain(true);
  expect(card).not.toContain(' d=""');
});

test('a cut-out is transparent where the photo is, and has the colours of its file there', async () => {
  const pixels = Uint8Array.from({ length: 4 * 48 * 40 }, (_, i) =>
    i % 4 === 3 ? ((i >> 2) % 3) * 100 : (i * 7) % 256,
  );
  const own = sharp(pixels, { raw: { width: 48, height: 40, channels: 4 } });
  await mkdir(at('clear'));
  await own.png().toFile(at('clear', 'clear.png'));
  await segment('clear-out', [at('clear', 'clear.png')], '--classes', 'dog', '--cutout', 'dog');
  const { files } = await record('clear-out', 'clear.json');
  const { data, info } = await sharp(at('clear-out', files.cutouts['dog'] as string))
    .raw()
    .toBuffer({ resolveWithObject: true });
  expect(info.channels).toBe(4);
  // The class is everywhere: the alpha is the photo's own.
  expect(data.equals(pixels)).toBe(true);
});

test('synonyms, colours, and names with commas', async () => {
  await writeFile(at('colours.txt'), '"salt, pepper"=#0000fe\n');
  const words = ['--classes', 'dog|puppy=#ff8800, "salt, pepper"', '--colors', at('colours.txt')];
  await segment('words', [at('photos', 'photo-1.png')], ...words, '--cutout', 'puppy');
  const { names, classes, files } = await record('words', 'photo-1.json');
  expect(names).toEqual(['dog', 'salt, pepper']);
  const colours = Object.fromEntries(classes.map(({ name, colour }) => [name, colour]));
  expect({ dog: '#ff8800', 'salt, pepper': '#0000fe', ...colours }).toEqual({
    dog: '#ff8800',
    'salt, pepper': '#0000fe',
  });
  expect(Object.keys(files.cutouts)).toEqual(classes.some(({ name }) => name === 'dog') ? ['dog'] : []);
  const { palette } = decode(await readFile(at('words', files.labels)));
  expect(palette?.slice(1)).toEqual([
    [255, 136, 0],
    [0, 0, 254],
  ]);
});

test('--background: what no name reaches is background', async () => {
  const { code, err } = await segment('above', [at('photos/photo-1.png')], '--background', '1000');
  expect(code, err).toBe(0);
  const { names, classes } = JSON.parse(await readFile(at('above/photo-1.json'), 'utf8'));
  expect(names).not.toContain('background');
  expect(classes.map(({ name }: { name: string }) => name)).toContain('background');
});
