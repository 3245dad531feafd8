import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { photoFolder } from '../../../cli/src/features/photo-folder.ts';
import { hashFiles } from '../../../cli/src/files/files.ts';
import { nodeFileSystem } from '../../../cli/src/files/node-file-system.ts';
import { listPhotos } from '../../../cli/src/photos/photos.ts';
import { toHalf } from '../../../src/nn/safetensors/index.ts';
import { openCache as openFiles, readCache as readFiles } from '../../../src/zeroseg/features/cache.ts';
import type { CacheKey } from '../../../src/zeroseg/features/cache-key.ts';
import type { CacheReader } from '../../../src/zeroseg/features/cache-reader.ts';
import type { CacheOptions, CacheWriter } from '../../../src/zeroseg/features/cache-writer.ts';
import { readStamped } from '../../../src/zeroseg/features/photo-source.ts';
import { buildProgram } from '../../support/programs.ts';

const base = await mkdtemp(join(tmpdir(), 'zeroseg-cache-'));
afterAll(() => rm(base, { recursive: true }));

const key: CacheKey = {
  teacher: 'tiny',
  weights: 'abc',
  grids: [1, 2],
  viewSource: 'native',
  teacherSize: 8,
  mean: [0.5, 0.5, 0.5],
  std: [0.25, 0.25, 0.25],
  views: 5,
  dim: 6,
  studentSize: 4,
};

const openCache = (folder: string, key: CacheKey, options?: CacheOptions): Promise<CacheWriter> =>
  openFiles(nodeFileSystem(folder), key, options);
const readers: CacheReader[] = [];
const readCache = async (folder: string, key?: Partial<CacheKey>): Promise<CacheReader> => {
  const reader = await readFiles(nodeFileSystem(folder), key);
  readers.push(reader);
  return reader;
};
afterEach(async () => {
  for (const reader of readers.splice(0)) await reader.close();
});
const filesOf = (folder: string, paths: readonly string[]) => photoFolder(folder, paths).photos;
const stampPhoto = (folder: string, path: string) => readStamped(filesOf(folder, [path])[0]!);

let number = 0;
let photos = '';
let folder = '';

beforeEach(async () => {
  const place = join(base, String(number++));
  photos = join(place, 'photos');
  folder = join(place, 'cache');
  await mkdir(join(photos, 'sub'), { recursive: true });
  for (let i = 0; i < 7; i++) await writeFile(join(photos, i < 3 ? `sub/${i}.jpg` : `${i}.jpg`), `photo ${i}`);
});

/** Stands in for a teacher: features and image follow from the photo's bytes. */
function teach(bytes: Uint8Array): {
  features: Float32Array;
  image: { width: number; height: number; data: Uint8Array };
} {
  const features = Float32Array.from({ length: 30 }, (_, i) => bytes[i % bytes.length]! / 7 + i);
  const data = Uint8Array.from({ length: 48 }, (_, i) => bytes[i % bytes.length]! + i);
  return { features, image: { width: 4, height: 4, data } };
}

const worker = await buildProgram({
  text: `import { openCache } from 'ROOT/src/zeroseg/features/cache.ts';
   import { readStamped } from 'ROOT/src/zeroseg/features/photo-source.ts';
   import { photoFolder } from 'ROOT/cli/src/features/photo-folder.ts';
   import { nodeFileSystem } from 'ROOT/cli/src/files/node-file-system.ts';
   import { listPhotos } from 'ROOT/cli/src/photos/photos.ts';
   ${teach}
   const [photos, folder, key] = process.argv.slice(2);
   const cache = await openCache(nodeFileSystem(folder), JSON.parse(key), { shardSize: 3 });
   const files = photoFolder(photos, await listPhotos(photos)).photos;
   const { missing } = await cache.plan(files);
   for (const file of files.filter(({ path }) => missing.includes(path))) {
     const { stamp, bytes } = await readStamped(file);
     const { features, image } = teach(bytes);
     await cache.add(stamp, features, image);
     process.stdout.write('.');
   }
   await cache.close();`,
});

async function fill(cache: CacheWriter, max = Number.POSITIVE_INFINITY): Promise<string[]> {
  const { missing } = await cache.plan(filesOf(photos, await listPhotos(photos)));
  for (const path of missing.slice(0, max)) {
    const { stamp, bytes } = await stampPhoto(photos, path);
    const { features, image } = teach(bytes);
    await cache.add(stamp, features, image);
  }
  return missing;
}

async function fillAll(options = {}): Promise<string[]> {
  const cache = await openCache(folder, key, { shardSize: 3, ...options });
  const missing = await fill(cache);
  await cache.close();
  return missing;
}

/** Every row is that of its photo. */
async function expectTrue(): Promise<void> {
  const cache = await readCache(folder, key);
  expect(cache.paths).toEqual(await listPhotos(photos));
  for (const [i, path] of cache.paths.entries()) {
    const { features, image } = teach(await readFile(join(photos, path)));
    expect(toHalf(await cache.features(i))).toEqual(toHalf(features));
    expect(await cache.image(i)).toEqual(image);
  }
  await cache.close();
}

const message = async (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'no error',
    (error) => String(error).replaceAll(folder, 'CACHE').replace(String(process.pid), 'PID'),
  );

const shards = async (): Promise<string[]> => (await readdir(folder)).filter((name) => name.endsWith('.safetensors'));

describe('writing and reading', () => {
  test('features and images come back, by path', async () => {
    expect(await fillAll()).toHaveLength(7);
    expect(await shards()).toHaveLength(3);
    await expectTrue();
    const cache = await readCache(folder);
    expect(cache.key).toEqual(key);
    expect(await cache.verify()).toEqual([]);
    await expect(cache.features(7)).rejects.toThrow('cache: photo 7 of 7 does not exist');
    await cache.close();
  });

  test('a second run computes nothing and writes nothing', async () => {
    await fillAll();
    const before = await readdir(folder);
    expect(await fillAll()).toEqual([]);
    expect(await readdir(folder)).toEqual(before);
  });

  test('without images', async () => {
    const cache = await openCache(folder, { ...key, studentSize: null });
    const { stamp, bytes } = await stampPhoto(photos, '4.jpg');
    await cache.add(stamp, teach(bytes).features);
    await cache.close();
    const reader = await readCache(folder);
    expect((await reader.features(0))[0]).toBeCloseTo(bytes[0]! / 7, 1);
    expect(await message(reader.image(0))).toMatchInlineSnapshot(
      `"CacheError: cache: CACHE: no student images are kept in this cache"`,
    );
    await reader.close();
  });

  test('many shards with few open files', async () => {
    await fillAll({ shardSize: 1 });
    await expectTrue();
    const reader = await readCache(folder);
    const twice = [...reader.paths.keys(), ...reader.paths.keys()];
    expect(await Promise.all(twice.map((i) => reader.features(i)))).toHaveLength(14);
    await reader.close();
  });

  test('adding at the same time', async () => {
    const cache = await openCache(folder, key, { shardSize: 2 });
    const { missing } = await cache.plan(filesOf(photos, await listPhotos(photos)));
    await Promise.all(
      missing.map(async (path) => {
        const { stamp, bytes } = await stampPhoto(photos, path);
        const { features, image } = teach(bytes);
        await cache.add(stamp, features, image);
      }),
    );
    await cache.close();
    await expectTrue();
  });

  test('a slow teacher flushes by the clock', async () => {
    const cache = await openCache(folder, key, { flushSeconds: 0 });
    await fill(cache, 2);
    expect(await shards()).toHaveLength(2);
    await cache.close();
  });
});

describe('photos that change', () => {
  test('added, changed, removed, and touched ones', async () => {
    await fillAll();
    await writeFile(join(photos, 'new.jpg'), 'a new photo');
    await writeFile(join(photos, '3.jpg'), 'PHOTO 3');
    await writeFile(join(photos, '4.jpg'), 'longer than it was');
    await rm(join(photos, '5.jpg'));
    await utimes(join(photos, '6.jpg'), 1e9, 1e9);
    const cache = await openCache(folder, key, { shardSize: 3 });
    expect(await cache.plan(filesOf(photos, await listPhotos(photos)))).toEqual({
      missing: ['3.jpg', '4.jpg', 'new.jpg'],
      changed: ['3.jpg', '4.jpg'],
      retried: [],
      removed: ['5.jpg'],
      fresh: 4,
    });
    // What is not computed yet is not read either.
    const early = await readCache(folder);
    expect(early.paths).toEqual(['6.jpg', 'sub/0.jpg', 'sub/1.jpg', 'sub/2.jpg']);
    await early.close();
    await fill(cache);
    await cache.close();
    await expectTrue();
    // The time of the touched one was noted: its content is not hashed again.
    expect(await fillAll()).toEqual([]);
  });

  test('a photo that comes back is taken from the cache', async () => {
    await fillAll();
    await cp(join(photos, '5.jpg'), join(base, 'kept.jpg'), { preserveTimestamps: true });
    await rm(join(photos, '5.jpg'));
    expect(await fillAll()).toEqual([]);
    await expectTrue();
    await cp(join(base, 'kept.jpg'), join(photos, '5.jpg'), { preserveTimestamps: true });
    expect(await fillAll()).toEqual([]);
    await expectTrue();
  });

  test('failed photos are noted and tried again', async () => {
    const cache = await openCache(folder, key);
    const { missing } = await cache.plan(filesOf(photos, ['3.jpg', '4.jpg']));
    cache.fail(missing[0]!, 'the file is empty');
    await cache.close();
    const reader = await readCache(folder);
    expect([...reader.failures]).toEqual([['3.jpg', 'the file is empty']]);
    await reader.close();
    const again = await openCache(folder, key);
    expect(await again.plan(filesOf(photos, ['3.jpg', '4.jpg']))).toMatchObject({
      missing: ['3.jpg', '4.jpg'],
      retried: ['3.jpg'],
    });
    await fill(again);
    await again.close();
    expect(again.failures.size).toBe(0);
  });
});

test('a cache of before, which does not say what decoded its photos, stays valid', async () => {
  await fillAll();
  const cache = await openCache(folder, { ...key, decoder: 'sharp' });
  expect(cache.length).toBe(7);
  await cache.close();
  const other = join(folder, 'other');
  await (await openCache(other, { ...key, decoder: 'sharp' })).close();
  await (await openCache(other, key)).close();
  expect((await message(openCache(other, { ...key, decoder: 'canvas' }))).slice(0, 120)).toMatchInlineSnapshot(
    `"CacheError: cache: CACHE/other: made with other settings (decoder is "sharp" in the cache, "canvas" now); use another fo"`,
  );
});

describe('what is refused', () => {
  test('other settings, each named', async () => {
    await fillAll();
    const other: CacheKey = { ...key, teacher: 'large', grids: [1, 2, 3], views: 14, std: [0.25, 0.25, 0.2] };
    expect(await message(openCache(folder, other))).toMatchInlineSnapshot(
      `"CacheError: cache: CACHE: made with other settings (teacher is "tiny" in the cache, "large" now; grids is [1,2] in the cache, [1,2,3] now; std is [0.25,0.25,0.25] in the cache, [0.25,0.25,0.2] now; views is 5 in the cache, 14 now); use another folder, or open it with force (--force) to empty it and compute all again"`,
    );
    expect(await message(readCache(folder, { teacherSize: 224 }))).toMatchInlineSnapshot(
      `"CacheError: cache: CACHE: made with other settings (side of the teacher's views is 8 in the cache, 224 now); use the cache that was made with these"`,
    );
    // The refused writer has let go of the lock.
    expect(await fillAll()).toEqual([]);
  });

  test('unless it is told to start again', async () => {
    await fillAll();
    const cache = await openCache(folder, { ...key, weights: 'def' }, { force: true });
    expect(cache.length).toBe(0);
    await cache.close();
    expect(await readdir(folder)).toEqual(['cache.json']);
    // The same settings: nothing to start again.
    const same = await openCache(folder, { ...key, weights: 'def' }, { force: true });
    await fill(same);
    await same.close();
    const kept = await openCache(folder, { ...key, weights: 'def' }, { force: true });
    expect(kept.length).toBe(7);
    await kept.close();
  });

  test('folders that are something else', async () => {
    const messages: string[] = [];
    messages.push(await message(readCache(photos)));
    messages.push(await message(openCache(photos, key)));
    messages.push(await message(openCache(join(photos, '3.jpg'), key)));
    await fillAll();
    await rm(join(folder, 'cache.json'));
    messages.push(await message(openCache(folder, key)));
    await writeFile(join(folder, 'cache.json'), '{"format":"zeroseg feature cache","version":9,"key":{}}');
    messages.push(await message(openCache(folder, key)));
    await writeFile(join(folder, 'cache.json'), '{}');
    messages.push(await message(readCache(folder)));
    expect(messages.map((text) => text.replaceAll(photos, 'PHOTOS'))).toMatchInlineSnapshot(`
      [
        "CacheError: cache: PHOTOS: this is no feature cache (no cache.json); \`zeroseg cache\` makes one",
        "CacheError: cache: PHOTOS: the folder is not empty (3.jpg) and is no feature cache; use another one",
        "FileError: makeFolder: PHOTOS/3.jpg: a file of that name is in the way",
        "CacheError: cache: CACHE: there are shards (features-00000.json) but no cache.json to say what they are; use another folder",
        "CacheError: cache: CACHE/cache.json: written in format 9; this program knows 1; use another folder, or the version of this program that wrote it",
        "CacheError: cache: CACHE/cache.json: this is not the header of a feature cache; use another folder",
      ]
    `);
  });

  test('features that half floats cannot hold, wrong sizes, missing images', async () => {
    const cache = await openCache(folder, key);
    const { stamp, bytes } = await stampPhoto(photos, '3.jpg');
    const { features, image } = teach(bytes);
    const messages: string[] = [];
    for (const value of [Number.NaN, Number.NEGATIVE_INFINITY, 70000]) {
      messages.push(await message(cache.add(stamp, features.with(13, value), image)));
    }
    messages.push(await message(cache.add(stamp, features.slice(1), image)));
    messages.push(await message(cache.add(stamp, features)));
    messages.push(await message(cache.add(stamp, features, { ...image, width: 3 })));
    expect(messages).toMatchInlineSnapshot(`
      [
        "CacheError: cache: 3.jpg: features must be finite and at most 65504, the largest half float; channel 1 of view 2 is NaN",
        "CacheError: cache: 3.jpg: features must be finite and at most 65504, the largest half float; channel 1 of view 2 is -Infinity",
        "CacheError: cache: 3.jpg: features must be finite and at most 65504, the largest half float; channel 1 of view 2 is 70000",
        "CacheError: cache: 3.jpg: features must be 5 views of 6 values; got 29 values",
        "CacheError: cache: 3.jpg: this cache keeps a student image of 4 x 4; got none",
        "CacheError: cache: 3.jpg: this cache keeps a student image of 4 x 4; got one of 3 x 4",
      ]
    `);
    await cache.close();
    expect(cache.length).toBe(0);
  });

  test('two writers; one whose lock is taken away writes nothing more', async () => {
    const cache = await openCache(folder, key);
    const steady = (text: string) => text.replace(hostname(), 'HOST').replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/, 'TIME');
    expect(steady(await message(openCache(folder, key)))).toMatchInlineSnapshot(
      `"LockError: cache: CACHE: process PID on HOST has been writing to it since TIME; wait for it, or stop it"`,
    );
    await rm(join(folder, 'cache.lock'));
    const other = await openCache(folder, key);
    await fill(cache, 2);
    expect(await message(cache.close())).toMatchInlineSnapshot(
      `"LockError: cache: CACHE: its lock CACHE/cache.lock was taken away, so another process may be writing here; nothing more is written"`,
    );
    expect(await fill(other)).toHaveLength(7);
    await other.close();
    await expectTrue();
  });

  test('a lock that a killed process left, here or on another machine, is none', async () => {
    await mkdir(folder, { recursive: true });
    for (const host of [hostname(), 'elsewhere']) {
      for (const number of [1, 2 ** 22 + 1, process.pid]) {
        const holder = { process: number, host, since: new Date().toISOString() };
        await writeFile(join(folder, 'cache.lock'), JSON.stringify(holder));
        await fillAll();
      }
    }
    expect(await readdir(folder)).not.toContain('cache.lock');
  });
});

describe('damage', () => {
  test('a shard that is cut off or gone is named, and repaired when asked', async () => {
    await fillAll();
    const [first, second] = await shards();
    await truncate(join(folder, first!), 500);
    await rm(join(folder, second!));
    expect(await message(readCache(folder))).toMatchInlineSnapshot(
      `"CacheError: cache: CACHE/features-00000.safetensors: the shard is damaged (the file has 500 bytes, its index says 516); open the cache with repair (--repair) to drop it and compute its photos again"`,
    );
    expect(await message(openCache(folder, key))).toMatchInlineSnapshot(
      `"CacheError: cache: CACHE/features-00000.safetensors: the shard is damaged (the file has 500 bytes, its index says 516); open the cache with repair (--repair) to drop it and compute its photos again"`,
    );
    const cache = await openCache(folder, key, { repair: true, shardSize: 3 });
    expect(cache.dropped).toEqual(['features-00000', 'features-00001']);
    expect(await fill(cache)).toHaveLength(6);
    await cache.close();
    await expectTrue();
  });

  test('a flipped bit is found by its checksum', async () => {
    await fillAll();
    const file = join(folder, (await shards())[1]!);
    const bytes = await readFile(file);
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(file, bytes);
    const reader = await readCache(folder);
    expect((await reader.verify()).map((text) => text.replaceAll(folder, 'CACHE'))).toMatchInlineSnapshot(`
      [
        "cache: CACHE/features-00001.safetensors: the shard is damaged (image of row 2, sub/1.jpg: wrong checksum); open the cache with repair (--repair) to drop it and compute its photos again",
      ]
    `);
    await reader.close();
  });

  test('what a killed process left is cleaned up and does not count', async () => {
    await fillAll();
    await writeFile(join(folder, '.features-00003.safetensors.1-0123abcd.tmp'), 'half');
    await writeFile(join(folder, 'features-00003.safetensors'), 'no index');
    await expectTrue();
    await fillAll();
    expect((await readdir(folder)).sort()).toEqual([
      'cache.index',
      'cache.json',
      ...[0, 1, 2].flatMap((i) => [`features-0000${i}.json`, `features-0000${i}.safetensors`]),
    ]);
  });

  test('killed again and again at any moment, nothing is lost but the shard in progress', async () => {
    for (let i = 7; i < 60; i++) await writeFile(join(photos, `${i}.jpg`), `photo ${i}`);
    // Killed after so many photos and a little while, in which a shard may be half written.
    const run = (photoCount: number, delay: number): Promise<number | null> =>
      new Promise((resolve, reject) => {
        const child = spawn(process.execPath, [worker, photos, folder, JSON.stringify(key)]);
        let errors = '';
        child.stderr.on('data', (text) => (errors += text));
        let done = 0;
        child.stdout.on('data', (dots) => {
          done += dots.length;
          if (done >= photoCount) setTimeout(() => child.kill('SIGKILL'), delay);
        });
        child.on('close', (code) => (code ? reject(new Error(errors)) : resolve(code)));
      });

    const counts: number[] = [];
    let kills = 0;
    for (let i = 0; i < 8; i++) {
      if ((await run(3 + (i % 5), i * 0.7)) === null) kills++;
      const reader = await readCache(folder, key);
      expect(await reader.verify()).toEqual([]);
      counts.push(reader.length);
      await reader.close();
    }

    expect(kills).toBeGreaterThan(4);
    expect(counts.at(-1)).toBeGreaterThan(12);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    await fillAll();
    await expectTrue();
    expect(await readdir(folder)).not.toContain('cache.lock');
  });
});

test('hashFiles: all bytes of all files, in order', async () => {
  const files = ['3.jpg', '4.jpg'].map((name) => join(photos, name));
  expect(await hashFiles(files)).toBe('bb779c8aa44867b530120e4f7c2f97483f69e09fe9bef6d6d67c680b28cc5575');
  expect(await hashFiles([...files].reverse())).not.toBe(await hashFiles(files));
});
