import { expect, it } from 'vitest';
import { random } from '../../../src/nn/layers/random.ts';
import { openCache, readCache } from '../../../src/zeroseg/features/cache.ts';
import { hashPhoto } from '../../../src/zeroseg/features/photo-source.ts';
import { memoryFileSystem } from '../../../src/zeroseg/storage/memory-file-system.ts';
import { Batches } from '../../../src/zeroseg/training/batches.ts';
import { windowedOrder } from '../../../src/zeroseg/training/order.ts';
import { filesHash } from '../../../src/zeroseg/training/run-description.ts';
import { defaultSettings } from '../../../src/zeroseg/training/settings.ts';

it('takes every photo once, a few files at a time, others in every epoch', () => {
  // 23 photos in seven files of uneven sizes, which are not numbered one after the other.
  const files = Uint32Array.from({ length: 23 }, (_, i) => [900, 4, 4, 77, 5, 6, 7, 8][(i * 5) % 8] as number);
  for (const window of [1, 2, 3, 7, 50]) {
    const order = windowedOrder(files, window, random(1, 'epoch 0'));
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 23 }, (_, i) => i));
    expect(windowedOrder(files, window, random(1, 'epoch 0'))).toEqual(order);
    expect(windowedOrder(files, window, random(1, 'epoch 1'))).not.toEqual(order);
    // From the first photo of a file to its last, no more than `window` files were begun.
    const places = new Map<number, number[]>();
    for (const [at, photo] of order.entries()) {
      const file = files[photo] as number;
      places.set(file, [...(places.get(file) ?? []), at]);
    }
    expect(places.size).toBe(7);
    const spans = [...places.values()].map((all) => [Math.min(...all), Math.max(...all)] as const);
    for (const [from, to] of spans) {
      const open = spans.filter(([first, last]) => first <= to && last >= from);
      expect(open.length).toBeLessThanOrEqual(window);
    }
    if (window === 1) continue;
    // Within a window the files are mixed.
    const changes = [...order].filter((photo, i) => i > 0 && files[photo] !== files[order[i - 1] as number]).length;
    expect(changes).toBeGreaterThan(7);
  }
  expect(windowedOrder(new Uint32Array(0), 2, random(1))).toEqual(new Uint32Array(0));
});

it('batches of a windowed epoch come from a few files of the cache; what has no files is refused', async () => {
  const files = memoryFileSystem();
  const key = {
    ...{ teacher: 't', weights: 'w', grids: [1], viewSource: 'native' as const, teacherSize: 8, mean: [0, 0, 0] },
    ...{ std: [1, 1, 1], views: 1, dim: 4, studentSize: null },
  };
  const writer = await openCache(files, key, { shardSize: 3 });
  // In another order than that of their paths.
  for (const i of [5, 0, 8, 1, 7, 3, 2, 6, 4]) {
    const stamp = { path: `photo ${i}`, size: 1, mtime: 1, hash: await hashPhoto(Uint8Array.of(i)) };
    await writer.add(stamp, new Float32Array(4).fill(i));
  }
  await writer.close();
  const cache = await readCache(files);
  const found = Array.from({ length: 9 }, (_, i) => cache.fileOf(i));
  expect(found.map((file) => found.indexOf(file))).toEqual([0, 1, 2, 1, 2, 0, 2, 1, 0]);
  await cache.close();

  const seen: number[] = [];
  const data = {
    length: 9,
    fileOf: (number: number) => found[number] as number,
    batch: async (numbers: readonly number[]) => {
      seen.push(...numbers);
      return { images: new Float32Array(3), views: new Float32Array(3) };
    },
  };
  const settings = { ...defaultSettings, batch: 3, micro: 3, order: 'windowed' as const, window: 1 };
  const batches = new Batches(data, settings, [1]);
  for (let step = 1; step <= 6; step++) await batches.make(step, 0);
  for (let at = 0; at < 18; at += 3) {
    expect(new Set(seen.slice(at, at + 3).map((number) => found[number])).size).toBe(1);
  }
  expect(seen.slice(0, 9).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  expect(await filesHash(data, settings)).toMatch(/^[\da-f]{16}$/);
  expect(await filesHash(data, defaultSettings)).toBeUndefined();
  expect(await filesHash({ ...data, fileOf: () => 1 }, settings)).not.toBe(await filesHash(data, settings));
  const { fileOf: _, ...without } = data;
  expect(() => new Batches(without, settings, [1])).toThrowErrorMatchingInlineSnapshot(
    `[ConfigError: training: 'order' windowed goes by the files of a cache, and this data has none; leave it out]`,
  );
});
