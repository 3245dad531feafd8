import { describe, expect, test, vi } from 'vitest';
import { openCache, readCache } from '../../../src/zeroseg/features/cache.ts';
import type { PhotoFile } from '../../../src/zeroseg/features/photo-source.ts';
import { hashPhoto } from '../../../src/zeroseg/features/photo-source.ts';
import { RowTable } from '../../../src/zeroseg/features/row-table.ts';
import { type FileSystem, memoryFileSystem } from '../../../src/zeroseg/storage/index.ts';
import { smallCacheKey as key } from '../../support/cache-key.ts';
import { seeded } from '../../support/check-op.ts';

const photo = (path: string, mtime = 1): PhotoFile => ({
  path,
  status: async () => ({ size: path.length, mtime }),
  bytes: async () => new TextEncoder().encode(path),
});

/** Fills a cache with photos whose features and squares follow from their place in the list. */
async function fill(files: FileSystem, photos: readonly PhotoFile[], options = {}): Promise<string | undefined> {
  const cache = await openCache(files, key, { shardSize: 3, ...options });
  const { missing } = await cache.plan(photos);
  for (const [i, one] of photos.entries()) {
    if (!missing.includes(one.path)) continue;
    const { size, mtime } = await one.status();
    const stamp = { path: one.path, size, mtime, hash: await hashPhoto(await one.bytes()) };
    const image = { width: 4, height: 4, data: new Uint8Array(48).fill(i) };
    await cache.add(stamp, new Float32Array(30).fill(i), image);
  }
  await cache.close();
  return cache.indexDamage;
}

/** All that a reader tells, and the files that it read to open. */
async function told(files: FileSystem) {
  const read = vi.spyOn(files, 'read');
  const cache = await readCache(files);
  const names = read.mock.calls.map(([name]) => name);
  read.mockRestore();
  const opened = names.filter((name) => /^(features-.*json|cache\.index)$/.test(name));
  const rows: unknown[] = [];
  for (let i = 0; i < cache.length; i++) rows.push([cache.paths[i], await cache.features(i), await cache.image(i)]);
  const damage = [...cache.indexDamage.values()];
  await cache.close();
  return { rows, opened, damage };
}

const photos = ['b', 'a/ü', 'a/z', 'c', '日本', '😀', '\uffee', 'd'].map((path) => photo(path));

describe('a table of rows', () => {
  test('holds any string as it is, in the order of strings', () => {
    const random = seeded(3);
    const marks = ['a', 'é', '日', '\ud83d', '\ude00', '\uffff', '\u07ff', '\u0800', '/', ''];
    const names = new Set(['', 'x'.repeat(9000), '日'.repeat(5000)]);
    while (names.size < 700) names.add(Array.from({ length: 9 }, () => marks[Math.floor(random() * 10)]).join(''));
    const table = new RowTable();
    expect(table.find('')).toBe(-1);
    const list = [...names];
    const rowOf = (path: string, i: number) => {
      const hash = i.toString(16).padStart(32, '0');
      return {
        path,
        size: 2 ** 40 + i,
        mtime: i,
        hash,
        sums: [hash.slice(16), i % 3 ? hash.slice(16).replaceAll('0', 'f') : ''] as const,
      };
    };
    for (const [i, path] of list.entries()) expect(table.put(1, i, rowOf(path, i + 1))).toBe(i);
    for (let i = 0; i < list.length; i += 7) table.put(2, i, rowOf(list[i]!, i + 2));
    expect([...table.order()].map((i) => table.path(i))).toEqual(list.toSorted());
    const again = new RowTable(table.sortedColumns());
    list.forEach((path, i) => {
      const place = { shard: i % 7 ? 1 : 2, row: i, of: rowOf(path, i % 7 ? i + 1 : i + 2) };
      expect(table.place(table.find(path))).toEqual(place);
      expect(again.place(again.find(path))).toEqual(place);
    });
    expect(again.find('none of them')).toBe(-1);
    expect(again.order()).toEqual(Uint32Array.from(list.keys()));
    expect(again.put(3, 0, rowOf('c', 5))).toBe(700);
    expect([...again.order()].map((i) => again.path(i))).toEqual([...list, 'c'].toSorted());
  });

  test('keeps hashes of other forms, which no column holds', () => {
    const table = new RowTable();
    const rows = [
      { path: 'a', size: 1, mtime: 1, hash: 'other', sums: ['', '0000000000000000'] as const },
      { path: 'b', size: 1, mtime: 1, hash: 'A'.repeat(32), sums: ['', ''] as const },
    ];
    for (const [i, row] of rows.entries()) table.put(0, i, row);
    expect(rows.map(({ path }) => table.place(table.find(path)).of)).toEqual(rows);
    expect(table.sortedColumns()).toBeUndefined();
  });
});

describe('the packed index', () => {
  test('says what the indices of the shards say, and is read in their place', async () => {
    const files = memoryFileSystem();
    await fill(files, photos);
    const packed = await told(files);
    expect(packed.opened).toEqual(['cache.index']);
    expect(packed.rows.map((row) => (row as string[])[0])).toEqual(photos.map(({ path }) => path).sort());
    // A hundred bytes a photo, names and the header aside.
    expect((await files.status('cache.index'))?.size).toBeLessThan(800 + 100 * photos.length);
    await files.remove('cache.index');
    const slow = await told(files);
    expect(slow.opened).toHaveLength(3);
    expect(slow.rows).toEqual(packed.rows);
  });

  test('one that is cut off or damaged anywhere is told, and made again by who writes', async () => {
    const files = memoryFileSystem();
    await fill(files, photos);
    const { rows } = await told(files);
    const whole = await files.read('cache.index');
    const random = seeded(1);
    const damaged = [new Uint8Array(0), whole.slice(0, 7), whole.slice(0, whole.length - 1), whole.slice(0, 200)];
    for (let i = 0; i < 60; i++) {
      const at = Math.floor(random() * whole.length);
      damaged.push(whole.with(at, whole[at]! ^ (1 << Math.floor(random() * 8))) as Uint8Array<ArrayBuffer>);
    }
    for (const bytes of damaged) {
      await files.write('cache.index', bytes);
      const found = await told(files);
      expect(found.rows).toEqual(rows);
      expect(found.damage).toHaveLength(1);
      expect(found.opened).toHaveLength(4);
    }
    await files.write('cache.index', whole.slice(0, 200));
    expect(await fill(files, photos)).toBe(
      `cache.index: the file is cut off: its header ends at byte ${8 + new DataView(whole.buffer).getUint32(0, true)}; the file has 200 bytes`,
    );
    expect(await files.read('cache.index')).toEqual(whole);
    expect((await told(files)).damage).toEqual([]);
  });

  test('shards that it lacks are read beside it; one that lacks a shard of its own does not count', async () => {
    const files = memoryFileSystem();
    await fill(files, photos.slice(0, 5));
    const early = await files.read('cache.index');
    await fill(files, photos);
    const { rows } = await told(files);
    await files.write('cache.index', early);
    const later = await told(files);
    expect(later.rows).toEqual(rows);
    expect(later.opened).toEqual(['cache.index', 'features-00002.json']);
    await files.remove('features-00001.json');
    expect((await told(files)).opened).toEqual(['cache.index', 'features-00000.json', 'features-00002.json']);
    await files.remove('features-00000.safetensors');
    await expect(readCache(files)).rejects.toThrow('features-00000.safetensors: the shard is damaged');
    await fill(files, photos, { repair: true });
    expect((await told(files)).rows).toEqual(rows);
  });

  test('a photo with another time and the same content is noted in both; one of before never stays behind', async () => {
    const files = memoryFileSystem();
    await fill(files, photos);
    const later = photos.map(({ path }, i) => photo(path, i === 3 ? 9 : 1));
    await fill(files, later);
    let hashed = 0;
    const counted = later.map((one) => {
      const bytes = () => {
        hashed++;
        return one.bytes();
      };
      return { ...one, bytes };
    });
    await fill(files, counted);
    await files.remove('cache.index');
    await fill(files, counted);
    expect(hashed).toBe(0);
  });
});
