import { expect, test, vi } from 'vitest';
import { openCache, readCache } from '../../../src/zeroseg/features/cache.ts';
import type { CacheKey } from '../../../src/zeroseg/features/cache-key.ts';
import type { CacheReader, ReadOptions } from '../../../src/zeroseg/features/cache-reader.ts';
import { hashPhoto } from '../../../src/zeroseg/features/photo-source.ts';
import type { SquareCodec } from '../../../src/zeroseg/features/squares.ts';
import { cachedData } from '../../../src/zeroseg/features/training-data.ts';
import { type Image, studentImage } from '../../../src/zeroseg/image/index.ts';
import { memoryFileSystem } from '../../../src/zeroseg/storage/index.ts';
import { smallCacheKey as key } from '../../support/cache-key.ts';
import { seeded } from '../../support/check-op.ts';

/** Keeps the pixels, and behind them so many zeros as the first of them says: files of different lengths. */
const padded: SquareCodec = {
  name: 'padded-1',
  encode: async ({ data }) => Uint8Array.from({ length: data.length + data[0]! }, (_, i) => data[i] ?? 0),
  decode: async (bytes) => ({ width: 4, height: 4, data: bytes.slice(0, 48) }),
};

/** "Photos" of 6 x 6 pixels, which are their own files. */
const photo = (i: number): Image => {
  const random = seeded(i);
  return { width: 6, height: 6, data: Uint8Array.from({ length: 108 }, () => random() * 256) };
};
const decode = async (data: Uint8Array): Promise<Image> => ({ width: 6, height: 6, data });

async function made(squares: CacheKey['squares'], codec?: SquareCodec) {
  const files = memoryFileSystem();
  const cache = await openCache(files, { ...key, ...(squares && { squares }) }, { shardSize: 3, codec });
  for (let i = 0; i < 7; i++) {
    const image = photo(i);
    const stamp = { path: `${i}`, size: 108, mtime: 1, hash: await hashPhoto(new Uint8Array(image.data)) };
    await cache.add(stamp, new Float32Array(30).fill(i), squares === 'none' ? undefined : studentImage(image, 4));
  }
  await cache.close();
  return { files, open: (options?: ReadOptions) => readCache(files, {}, options) };
}

async function squaresOf(cache: CacheReader): Promise<Image[]> {
  const squares: Image[] = [];
  for (let i = 0; i < cache.length; i++) squares.push(await cache.image(i));
  return squares;
}

test('a cache closes its files, whatever fails in closing what goes with it', async () => {
  const { files } = await made(undefined);
  let open = 0;
  const plainly = files.open.bind(files);
  vi.spyOn(files, 'open').mockImplementation(async (name) => {
    const file = await plainly(name);
    open++;
    return { size: file.size, readRange: (start, end) => file.readRange(start, end), close: async () => void open-- };
  });
  const close = () => Promise.reject(new Error('threads'));
  const cache = await readCache(files, {}, { close });
  for (const i of [0, 3, 6]) await cache.features(i);
  expect(open).toBe(3);
  await expect(cache.close()).rejects.toThrow('threads');
  expect(open).toBe(0);
});

test('squares are the same whatever they are kept as, where nothing is lost', async () => {
  const expected = Array.from({ length: 7 }, (_, i) => studentImage(photo(i), 4));
  const raw = await (await made(undefined)).open();
  const coded = await (await made('padded-1', padded)).open({ decode: padded.decode });
  const { open } = await made('none');
  const cut = await open({ decode, photo: async (path) => new Uint8Array(photo(Number(path)).data) });
  for (const cache of [raw, coded, cut]) {
    expect(await squaresOf(cache)).toEqual(expected);
    expect(await cache.verify()).toEqual([]);
    const { images, views } = await cachedData(cache, 4).batch([6, 2]);
    const { images: same } = await cachedData(raw, 4).batch([6, 2]);
    expect(images).toEqual(same);
    expect([views[0], views[30]]).toEqual([6, 2]);
  }
});

test('a damaged square is told by its checksum, a changed photo by its hash', async () => {
  const { files, open } = await made('padded-1', padded);
  const bytes = await files.read('features-00001.safetensors');
  // Squares lie last: of row 2 something, of row 0 nothing.
  await files.write('features-00001.safetensors', bytes.with(bytes.length - 1, bytes.at(-1)! ^ 1));
  const cache = await open({ decode: padded.decode });
  expect(await cache.verify()).toEqual([expect.stringContaining('image of row 2, 5: wrong checksum')]);

  const cut = await (await made('none')).open({ decode, photo: async () => new Uint8Array(photo(1).data) });
  expect(await cut.image(1)).toEqual(studentImage(photo(1), 4));
  await expect(cut.image(2)).rejects.toThrowErrorMatchingInlineSnapshot(
    `[CacheError: cache: memory:/: 2 has changed since its features were computed; run \`zeroseg cache\` again]`,
  );
});

test('what is needed to read or write squares is asked for, and caches of other forms are refused', async () => {
  const { files, open } = await made('padded-1', padded);
  await expect((await open()).image(0)).rejects.toThrowErrorMatchingInlineSnapshot(
    `[CacheError: cache: memory:/: its squares are kept as padded-1, and nothing is given that decodes them (decode)]`,
  );
  const large = await open({ decode: async () => photo(0) });
  await expect(large.image(3)).rejects.toThrowErrorMatchingInlineSnapshot(
    `[CacheError: cache: memory:/: the square of 3 has 6 x 6 pixels, not 4 x 4]`,
  );
  await expect((await (await made('none')).open({ decode })).image(0)).rejects.toThrowErrorMatchingInlineSnapshot(
    `[CacheError: cache: memory:/: it keeps no squares, which are cut from the photos; say where these are (--photos)]`,
  );
  await expect(openCache(files, key)).rejects.toThrowErrorMatchingInlineSnapshot(
    `[CacheError: cache: memory:/: made with other settings (form of the squares is "padded-1" in the cache, "raw" now); use another folder, or open it with force (--force) to empty it and compute all again]`,
  );
  await expect(
    openCache(files, { ...key, squares: 'other' }, { codec: padded }),
  ).rejects.toThrowErrorMatchingInlineSnapshot(
    `[CacheError: openCache: key.squares is other, and the codec given padded-1]`,
  );
  await expect(readCache(files, { precision: 'f16' })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[CacheError: cache: memory:/: made with other settings (precision of the teacher is "f32" in the cache, "f16" now); use the cache that was made with these]`,
  );
});
