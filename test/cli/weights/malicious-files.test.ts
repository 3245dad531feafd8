/** Files of PyTorch that are made to do harm, at every place where a command takes weights: refused, by a name, with nothing run. */
import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { openBackbone } from '../../../cli/src/runs/open-backbone.ts';
import {
  clipSettings,
  temporaryFolder,
  useCommandLine,
  writeClip,
  writePhotos,
  writeVoc,
} from '../../support/made-up.ts';
import { traps } from '../../support/pickles.ts';

const zeroseg = useCommandLine();
const base = await temporaryFolder();
const at = (...names: string[]) => join(base, ...names);
const photo = at('photos', 'photo-0.png');

beforeAll(async () => {
  await writePhotos(at('photos'), 1);
  await writeVoc(at('voc'), 1);
  await writeClip(at('clip'));
  const cache = await zeroseg(
    'cache',
    at('photos'),
    '--clip',
    at('clip'),
    '--grids',
    '1',
    '--out',
    at('cache'),
    '--image-size',
    '16',
  );
  expect(cache.code, cache.err).toBe(0);
});

/** Every command with the file in one place. */
const places: Readonly<Record<string, (file: string) => readonly string[]>> = {
  info: (file) => ['info', file],
  convert: (file) => ['convert', file, '--out', at('out', 'converted.safetensors')],
  'segment --model': (file) => ['segment', photo, '--model', file, '--classes', 'cat', '--out', at('out')],
  'segment --model clip:': (file) => [
    'segment',
    photo,
    '--model',
    `clip:${file}`,
    '--classes',
    'cat',
    '--out',
    at('out'),
  ],
  'segment --clip': (file) => ['segment', photo, '--clip', file, '--classes', 'cat', '--out', at('out')],
  'eval --model': (file) => ['eval', '--data', 'voc', '--root', at('voc'), '--model', file],
  'cache --clip': (file) => ['cache', at('photos'), '--clip', file, '--out', at('out')],
  'train --init': (file) => ['train', '--cache', at('cache'), '--config', 'tiny', '--init', file, '--out', at('out')],
  'finetune --backbone': (file) => [
    ...['finetune', '--backbone', file, '--data', 'voc', '--root', at('voc'), '--split', 'val', '--out', at('out')],
  ],
};

test.each(Object.keys(places))('%s', async (place) => {
  const before = process.memoryUsage().rss;
  for (const [name, { bytes, says }] of Object.entries(traps)) {
    await writeFile(at('evil.pth'), bytes());
    const { code, out, err } = await zeroseg(...(places[place] as (file: string) => readonly string[])(at('evil.pth')));
    expect(`${name}: ${out}\n${err}`).toMatch(says);
    expect([name, code]).toEqual([name, 1]);
    expect(err.split('\n').at(-1)).toMatch(/^zeroseg: .*evil\.pth/);
  }
  expect(existsSync('/tmp/zeroseg-owned')).toBe(false);
  expect((await readdir(base)).includes('out')).toBe(false);
  expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 29);
});

test('settings beside a backbone that are damaged are told, and not taken for none', async () => {
  const write = (settings: string) => writeFile(at('clip', 'config.json'), settings);
  const problem = () =>
    openBackbone(at('clip', 'model.safetensors'), {}).catch((error: Error) => error.message.replaceAll(base, 'BASE'));
  await write(JSON.stringify({ ...clipSettings, vision_config: { num_attention_heads: 3 } }));
  expect(await problem()).toMatch(
    /^BASE\/clip\/model\.safetensors: the image tower is 16 wide; and cannot have 3 heads/,
  );
  await write('{');
  expect(await problem()).toMatch(/BASE\/clip\/config\.json: not valid JSON/);
  await write(JSON.stringify(clipSettings));
  expect((await openBackbone(at('clip', 'model.safetensors'), {})).config.heads).toBe(2);
});
