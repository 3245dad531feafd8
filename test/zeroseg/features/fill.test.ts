import { describe, expect, test } from 'vitest';
import { type ClipConfig, randomClipText, randomClipVision } from '../../../src/zeroseg/clip/index.ts';
import type { ClipSource } from '../../../src/zeroseg/clip-files/index.ts';
import {
  cachedData,
  type FillOptions,
  type FillProgress,
  fillCache,
  type PhotoSource,
  readCache,
} from '../../../src/zeroseg/features/index.ts';
import { ImageError, imagenetMean, imagenetStd, toTensor } from '../../../src/zeroseg/image/index.ts';
import { type FileSystem, memoryFileSystem, opfsFileSystem } from '../../../src/zeroseg/storage/index.ts';
import { hashedTokens } from '../../../src/zeroseg/text/index.ts';
import { seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const config: ClipConfig = {
  vision: { width: 16, heads: 2, layers: 1, patch: 4, image: 8 },
  text: { width: 16, heads: 2, layers: 1, vocab: 50, context: 8 },
  projection: 6,
  activation: 'quick_gelu',
  layer_norm_eps: 1e-5,
};
const device = useDevice();

const clip: ClipSource = {
  name: 'tiny',
  config,
  scale: 1,
  isRandom: true,
  weightsHash: async () => 'abc',
  vision: async (device) => randomClipVision(device, config),
  text: async (device) => randomClipText(device, config),
  tokens: async () => hashedTokens(50),
};

/** Photos of 20 x 16 random pixels in memory; their "files" are the pixels themselves, and one may be broken. */
function photos(count: number, { changed = -1, broken = -1 } = {}): PhotoSource {
  return {
    decoder: 'pixels',
    photos: Array.from({ length: count }, (_, i) => ({
      path: `photo-${i}`,
      status: async () => ({ size: 960, mtime: i === changed ? 2 : 1 }),
      bytes: async () => {
        const random = seeded(i === changed ? 100 + i : i);
        return Uint8Array.from({ length: 960 }, () => random() * 256);
      },
    })),
    decode: async (data, path) => {
      if (path === `photo-${broken}`) throw new ImageError('decode', path, 'the file is cut off');
      return { width: 20, height: 16, data };
    },
  };
}

const fill = (files: FileSystem, source: PhotoSource, more: Partial<FillOptions> = {}) =>
  fillCache(device.current, {
    files,
    source,
    clip,
    grids: [1, 2],
    viewSource: 'native',
    studentSize: 8,
    shardSize: 2,
    ...more,
  });

test('computes what is missing, and gives it back as training data', async () => {
  const files = memoryFileSystem();
  const seen: FillProgress[] = [];
  const { computed, total, bytes, magnitude } = await fill(files, photos(5), { onProgress: (one) => seen.push(one) });
  expect([computed, total]).toEqual([5, 5]);
  expect(seen.map(({ done }) => done)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(seen[0]).toMatchObject({ total: 5, plan: { photos: 5, missing: 5, fresh: 0, views: 5 } });
  expect(magnitude.mean).toBeGreaterThan(0.01);
  expect(magnitude.largest).toBeGreaterThan(magnitude.mean);
  const names = await files.list();
  expect(names.filter((name) => name.endsWith('.safetensors'))).toHaveLength(3);
  let sum = 0;
  for (const name of names) sum += (await files.status(name))?.size ?? 0;
  expect(bytes).toBe(sum);

  const cache = await readCache(files, { teacher: 'tiny', decoder: 'pixels' });
  expect(cache.paths).toEqual([0, 1, 2, 3, 4].map((i) => `photo-${i}`));
  expect(await cache.verify()).toEqual([]);
  const data = cachedData(cache, 8);
  const { images, views } = await data.batch([3, 0]);
  const square = toTensor(await cache.image(3), imagenetMean, imagenetStd);
  expect(images.subarray(0, 192)).toEqual(square);
  expect(views.subarray(30)).toEqual(await cache.features(0));
  expect(views.subarray(0, 30)).not.toEqual(views.subarray(30));
  await cache.close();
});

test('so many photos are decoded at once as it is told, and their features stay theirs', async () => {
  const features: Float32Array[] = [];
  for (const ahead of [undefined, 1, 7]) {
    const files = memoryFileSystem();
    const source = photos(9);
    let begun = 0;
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    // The first wait for each other, and for one too many, which does not come.
    const decode: PhotoSource['decode'] = async (data, path) => {
      if (++begun === (ahead ?? 4)) setTimeout(open, 20);
      if (begun <= (ahead ?? 4)) await gate.then(() => expect(begun).toBe(ahead ?? 4));
      return source.decode(data, path);
    };
    await fill(files, { ...source, decode }, ahead === undefined ? {} : { ahead });
    expect(begun).toBe(9);
    const cache = await readCache(files);
    features.push(await cache.features(8));
    await cache.close();
  }
  expect(features[1]).toEqual(features[0]);
  expect(features[2]).toEqual(features[0]);
  for (const ahead of [0, 1.5, 1025]) {
    await expect(fill(memoryFileSystem(), photos(1), { ahead })).rejects.toThrow(
      `fillCache: ahead must be a whole number from 1 to 1024; got ${ahead}`,
    );
  }
});

test('goes on where it was stopped, and computes only what has changed', async () => {
  const files = memoryFileSystem();
  const whole = memoryFileSystem();
  await fill(whole, photos(5));
  const stop = new AbortController();
  const stopped = fill(files, photos(5), {
    signal: stop.signal,
    onProgress: ({ done }) => {
      if (done === 2) stop.abort(new Error('enough'));
    },
  });
  await expect(stopped).rejects.toThrow('enough');
  const early = await readCache(files);
  expect(early.length).toBe(2);
  await early.close();
  expect((await fill(files, photos(5))).computed).toBe(3);
  expect((await fill(files, photos(5))).computed).toBe(0);
  const [a, b] = [await readCache(files), await readCache(whole)];
  for (let i = 0; i < 5; i++) expect(await a.features(i)).toEqual(await b.features(i));
  const plans: FillProgress[] = [];
  expect((await fill(files, photos(4, { changed: 1 }), { onProgress: (one) => plans.push(one) })).computed).toBe(1);
  expect(plans[0]?.plan).toMatchObject({ missing: 1, fresh: 3, changed: 1, removed: 1 });
  const already = new AbortController();
  already.abort();
  await expect(fill(files, photos(5), { signal: already.signal })).rejects.toThrow();
});

test('parts that several processes fill are read as the cache of one, also when one of them was stopped', async () => {
  const [whole, files] = [memoryFileSystem(), memoryFileSystem()];
  await fill(whole, photos(9));
  const parts = [1, 2, 3].map((number) => ({ part: { number, of: 3 } }));
  await expect(readCache(files)).rejects.toThrow('no feature cache');
  const stop = new AbortController();
  const [first, ...others] = parts.map((part, i) => {
    const onProgress = ({ done }: FillProgress) => done === 1 && stop.abort(new Error('killed'));
    return fill(files, photos(9), i === 0 ? { ...part, signal: stop.signal, onProgress } : part);
  });
  await expect(first).rejects.toThrow('killed');
  const counts = (await Promise.all(others)).map(({ computed }) => computed);
  const again = await fill(files, photos(9), parts[0]);
  expect(Math.min(again.computed, ...counts)).toBeGreaterThan(0);
  expect(again.total + counts[0]! + counts[1]!).toBe(9);
  const [one, all] = [await readCache(whole), await readCache(files, { teacher: 'tiny' })];
  expect(all.paths).toEqual(one.paths);
  for (let i = 0; i < 9; i++) {
    expect(await all.features(i)).toEqual(await one.features(i));
    expect(await all.image(i)).toEqual(await one.image(i));
  }
  expect(await all.verify()).toEqual([]);
  // A photo that comes moves no other to another part.
  const more = await Promise.all(parts.map((part) => fill(files, photos(10), part)));
  expect(more.map(({ computed }) => computed).reduce((a, b) => a + b)).toBe(1);

  await expect(fill(files, photos(9), { part: { number: 1, of: 2 } })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[CacheError: cache: memory:/: it is made in 3 parts, and cannot go on in 2; use another folder]`,
  );
  await expect(fill(files, photos(9))).rejects.toThrowErrorMatchingInlineSnapshot(
    `[CacheError: cache: memory:/: it is made in 3 parts; give the part (--shard 1/3), or use another folder]`,
  );
  await expect(fill(whole, photos(9), parts[0])).rejects.toThrowErrorMatchingInlineSnapshot(
    `[CacheError: cache: memory:/: it is no cache in parts, and cannot go on in 3; use another folder]`,
  );
  await expect(fill(files, photos(9), { part: { number: 4, of: 3 } })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[CacheError: fillCache: part must be { number, of } with number from 1 to of, and of at most 4096; got {"number":4,"of":3}]`,
  );
  await files.remove('2-of-3');
  await expect(readCache(files)).rejects.toThrowErrorMatchingInlineSnapshot(
    `[CacheError: cache: memory:/: its part 2-of-3 is missing; \`zeroseg cache --shard 2/3\` makes it]`,
  );
});

test('a teacher in f16 gives the features of f32 but for its rounding, in a cache of its own', async () => {
  const [whole, files] = [memoryFileSystem(), memoryFileSystem()];
  const f16 = { precision: 'f16' } as const;
  if (!device.current.features.has('shader-f16')) {
    await expect(fill(files, photos(3), f16)).rejects.toThrow('has no f16 arithmetic (shader-f16); compute in f32');
    return;
  }
  await fill(whole, photos(7));
  // Batches of 4 views: the last of 35 is partly filled.
  await fill(files, photos(7), { ...f16, batch: 4 });
  const [a, b] = [await readCache(whole), await readCache(files, { precision: 'f16' })];
  let [error, size] = [0, 0];
  for (let i = 0; i < 7; i++) {
    const [exact, rounded] = [await a.features(i), await b.features(i)];
    exact.forEach((value, k) => {
      error += (value - rounded[k]!) ** 2;
      size += value ** 2;
    });
  }
  // A half float has 11 bits; features themselves are kept as such.
  expect(Math.sqrt(error / size)).toBeGreaterThan(1e-5);
  expect(Math.sqrt(error / size)).toBeLessThan(5e-3);
  await expect(fill(whole, photos(7), f16)).rejects.toThrow(
    'precision of the teacher is "f32" in the cache, "f16" now',
  );
  await expect(fill(files, photos(7))).rejects.toThrow('precision of the teacher is "f16" in the cache, "f32" now');
  await expect(fill(memoryFileSystem(), photos(1), { ...f16, regions: 'pooled' })).rejects.toThrow(
    'fillCache: precision f16 is for regions that are crops; got pooled',
  );
});

test('a photo that cannot be decoded is passed over, and tried again', async () => {
  const files = memoryFileSystem();
  const seen: FillProgress[] = [];
  const { total, failures } = await fill(files, photos(3, { broken: 1 }), { onProgress: (one) => seen.push(one) });
  expect(total).toBe(2);
  expect([...failures]).toEqual([['photo-1', 'the file is cut off']]);
  expect(seen.flatMap(({ failed }) => failed ?? [])).toEqual([{ path: 'photo-1', reason: 'the file is cut off' }]);
  const { computed, failures: none } = await fill(files, photos(3));
  expect([computed, none.size]).toEqual([1, 0]);
});

test('another error of a source ends the work, and what was computed stays', async () => {
  const files = memoryFileSystem();
  const source = photos(6);
  const decode: PhotoSource['decode'] = async (data, path) => {
    if (path === 'photo-5') throw new TypeError('a mistake in the program');
    return source.decode(data, path);
  };
  await expect(fill(files, { ...source, decode })).rejects.toThrow('a mistake in the program');
  expect((await readCache(files)).length).toBeGreaterThan(0);
});

test('one writer at a time, and other settings are refused', async () => {
  const files = memoryFileSystem();
  await fill(files, photos(2));
  await expect(fill(files, { ...photos(2), decoder: 'canvas' })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[CacheError: cache: memory:/: made with other settings (decoder is "pixels" in the cache, "canvas" now); use another folder, or open it with force (--force) to empty it and compute all again]`,
  );
  const lock = await files.lock('other', 'cache.lock');
  await expect(fill(files, photos(2))).rejects.toThrowErrorMatchingInlineSnapshot(
    `[LockError: cache: memory:/: it is being written to already; wait for that, or stop it]`,
  );
  await lock.release();
});

describe.runIf('document' in globalThis)('in a page', () => {
  test('a cache in the browser is that of memory, byte for byte, and opens again', async () => {
    const folder = `test-cache-${Math.random().toString(36).slice(2)}`;
    const [files, memory] = [await opfsFileSystem(folder), memoryFileSystem()];
    await fill(files, photos(5));
    await fill(memory, photos(5));
    const again = await opfsFileSystem(folder);
    expect(await again.list()).toEqual(await memory.list());
    for (const name of await memory.list()) expect(await again.read(name)).toEqual(await memory.read(name));
    expect((await fill(again, photos(5))).computed).toBe(0);
    await (await opfsFileSystem()).remove(folder);
  });
});
