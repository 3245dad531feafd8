import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, expect, test } from 'vitest';
import { readFeatures } from '../../../cli/src/features/read-features.ts';
import { SquareThreads } from '../../../cli/src/features/square-threads.ts';
import { nodeFileSystem } from '../../../cli/src/files/node-file-system.ts';
import { decodePhoto } from '../../../cli/src/photos/image-files.ts';
import { openCache, readCache } from '../../../src/zeroseg/features/cache.ts';
import { hashPhoto } from '../../../src/zeroseg/features/photo-source.ts';
import { cachedData } from '../../../src/zeroseg/features/training-data.ts';
import { studentImage } from '../../../src/zeroseg/image/index.ts';
import { smallCacheKey } from '../../support/cache-key.ts';
import { seeded } from '../../support/check-op.ts';
import { temporaryFolder } from '../../support/made-up.ts';

const base = await temporaryFolder();
const photos = join(base, 'photos');
const threads = new SquareThreads();
afterAll(() => threads.close());
const bytesOf = async (path: string) => new Uint8Array(await readFile(join(photos, path)));

/** Of many shapes: wide, high, a row, a square that is not resized; grey, transparent, JPEG and PNG. */
const kinds = [
  [61, 40, 3, 'jpeg'],
  [33, 90, 3, 'png'],
  [70, 1, 4, 'png'],
  [24, 24, 3, 'png'],
  [40, 30, 1, 'jpeg'],
] as const;

await mkdir(photos);
for (let i = 0; i < 30; i++) {
  const [width, height, channels, kind] = kinds[i % kinds.length] as (typeof kinds)[number];
  const random = seeded(i);
  const data = Uint8Array.from({ length: width * height * channels }, () => 256 * random());
  const file = sharp(data, { raw: { width, height, channels } }).toFormat(kind);
  await file.toFile(join(photos, `${String(i).padStart(2, '0')}.${kind}`));
}
const paths = (await readdir(photos)).sort();

async function makeCache(): Promise<string> {
  const folder = join(base, 'cache');
  const cache = await openCache(nodeFileSystem(folder), { ...smallCacheKey, studentSize: 24, squares: 'none' });
  for (const [i, path] of paths.entries()) {
    const stamp = { path, size: 1, mtime: 1, hash: await hashPhoto(await bytesOf(path)) };
    await cache.add(stamp, new Float32Array(30).fill(i), undefined);
  }
  await cache.close();
  return folder;
}

test('batches of squares that threads cut are those of one thread, to the bit and in their order', async () => {
  const folder = await makeCache();
  const here = await readCache(nodeFileSystem(folder), {}, { decode: decodePhoto, photo: bytesOf });
  const there = await readFeatures(folder, photos);
  const order = [...paths.keys()].map((i) => (i * 7) % paths.length);
  for (const numbers of [order, [3, 3, 0]]) {
    expect(await cachedData(there, 24).batch(numbers)).toEqual(await cachedData(here, 24).batch(numbers));
  }
  // A photo that has changed, and one that is no photo any more.
  await writeFile(join(photos, paths[1] as string), await bytesOf(paths[0] as string));
  const words = (cache: typeof here) => cache.image(1).catch((error: Error) => `${error.name} ${error.message}`);
  expect(await words(there)).toMatch(/^CacheError cache: .* has changed since its features were computed;/);
  expect(await words(there)).toBe(await words(here));
  await there.close();
  await here.close();
  await expect(there.image(0)).rejects.toThrow('the cache has been closed');
});

test('few photos are in memory at once, whatever is asked for, and one that is none is refused in its own words', async () => {
  const path = paths[0] as string;
  const bytes = await bytesOf(path);
  const [expected, text] = [studentImage(await decodePhoto(bytes, path), 9), new TextEncoder().encode('no photo')];
  let [reading, most] = [0, 0];
  const asked = Array.from({ length: 40 }, async (_, i) => {
    const read = async () => {
      most = Math.max(most, ++reading);
      return i % 10 === 4 ? text : bytes;
    };
    try {
      return await threads.cut(read, `photo ${i}`, 9);
    } catch (error) {
      return (error as Error).message;
    } finally {
      reading--;
    }
  });
  const own = await decodePhoto(text, 'photo 4').catch((error: Error) => error.message);
  expect(own).toMatch(/^readPhoto: photo 4: /);
  for (const [i, found] of (await Promise.all(asked)).entries()) {
    expect(found).toEqual(i % 10 === 4 ? (own as string).replace('photo 4', `photo ${i}`) : expected);
  }
  expect(most).toBeLessThanOrEqual(8);
});
