import { mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { WordCache, wordCacheFolder } from '../../../cli/src/weights/word-cache.ts';

const base = await mkdtemp(join(tmpdir(), 'zeroseg-words-'));
afterAll(() => rm(base, { recursive: true }));
const key = (letter: string) => letter.repeat(64);
const vector = Float32Array.of(0.5, -1, 2);

test('a vector comes back in another program, and no other comes in its stead', async () => {
  const folder = join(base, 'back');
  await new WordCache(folder).save(key('a'), vector);
  const cache = new WordCache(folder);
  expect(await cache.load(key('a'), 3)).toEqual(vector);
  expect(await cache.load(key('a'), 2)).toBeUndefined();
  expect(await cache.load(key('b'), 3)).toBeUndefined();
});

test('a damaged file is none, and is written anew', async () => {
  const folder = join(base, 'damaged');
  const cache = new WordCache(folder);
  for (const letter of ['a', 'b', 'c']) await cache.save(key(letter), vector);
  await truncate(join(folder, key('a')), 20);
  const bytes = await readFile(join(folder, key('b')));
  bytes[40] = (bytes[40] as number) ^ 1;
  await writeFile(join(folder, key('b')), bytes);
  await writeFile(join(folder, key('c')), '');
  for (const letter of ['a', 'b', 'c']) {
    expect(await cache.load(key(letter), 3)).toBeUndefined();
    await cache.save(key(letter), vector);
    expect(await cache.load(key(letter), 3)).toEqual(vector);
  }
});

test('many writers of the same word leave one whole file', async () => {
  const folder = join(base, 'writers');
  const caches = Array.from({ length: 8 }, () => new WordCache(folder));
  await Promise.all(caches.flatMap((cache) => Array.from({ length: 10 }, () => cache.save(key('a'), vector))));
  expect(await readdir(folder)).toEqual([key('a')]);
  expect(await caches[0]?.load(key('a'), 3)).toEqual(vector);
});

test('the oldest go when there are too many; so do leftovers, but nothing that is being written', async () => {
  const folder = join(base, 'many');
  const before = new WordCache(folder);
  for (const [i, letter] of ['a', 'b', 'c', 'd'].entries()) {
    await before.save(key(letter), vector);
    await utimes(join(folder, key(letter)), 1000 + i, 1000 + i);
  }
  await writeFile(join(folder, 'old.tmp'), '');
  await utimes(join(folder, 'old.tmp'), 1, 1);
  await writeFile(join(folder, 'new.tmp'), '');
  await new WordCache(folder, 2 * 44).save(key('e'), vector);
  expect((await readdir(folder)).sort()).toEqual([key('d'), key('e'), 'new.tmp']);
});

test('a place that cannot be written to keeps nothing, without an error', async () => {
  await writeFile(join(base, 'file'), 'in the way');
  const cache = new WordCache(join(base, 'file'));
  await cache.save(key('a'), vector);
  expect(await cache.load(key('a'), 3)).toBeUndefined();
});

test('lies where XDG says, if that is a whole path', () => {
  const before = process.env['XDG_CACHE_HOME'];
  try {
    process.env['XDG_CACHE_HOME'] = '/somewhere';
    expect(wordCacheFolder()).toBe('/somewhere/zeroseg/words');
    process.env['XDG_CACHE_HOME'] = 'not/whole';
    expect(wordCacheFolder()).toMatch(/^\/.*\/\.cache\/zeroseg\/words$/);
  } finally {
    if (before === undefined) delete process.env['XDG_CACHE_HOME'];
    else process.env['XDG_CACHE_HOME'] = before;
  }
});
