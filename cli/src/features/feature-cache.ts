/**
 * The teacher's features on disk: computed once, read in every epoch. A folder with
 *
 *     cache.json                   what the features are (the key)
 *     features-00000.safetensors   shards: half floats [n, views, dim] and the student's squares [n, side, side, 3]
 *     features-00000.json          which photo each row is, with checksums
 *     state.json                   photos that are gone, and photos that failed
 *
 * Every file appears whole or not at all, and a shard counts once its index exists: a process killed at any moment
 * loses at most the shard it was filling. Rows are never changed; a newer one of the same photo takes its place.
 */
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ArgumentError } from '@zeroseg/core';
import { ownValue, type ViewSource } from '@zeroseg/core/internal';
import { toHalf } from '@zeroseg/core/nn';
import type { Image } from '@zeroseg/core/zeroseg';
import { brokenField, FolderLock, readJson, writeFileAtomic } from '../files/index.ts';
import { CacheIndex, type CachePlan } from './feature-index.ts';
import { cacheKeyFields } from './feature-key.ts';
import { CacheError, hashBytes, type NewRow, type PhotoStamp, ShardReader, writeShard } from './feature-shards.ts';

export { CacheError, type CachePlan, hashBytes, type PhotoStamp };

/** All that the features depend on, photos aside. Two caches with equal keys hold equal features for equal photos. */
export interface CacheKey {
  /** Name of the teacher, such as `openai/clip-vit-large-patch14`. */
  readonly teacher: string;
  /** Hash of its weights, over all files. */
  readonly weights: string;
  readonly grids: readonly number[];
  readonly viewSource: ViewSource;
  /** Side of a view in pixels. */
  readonly teacherSize: number;
  /** Constants that views are normalised with. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly views: number;
  readonly dim: number;
  /** Side of the student's squares; null when they are not kept. */
  readonly studentSize: number | null;
}

export interface CacheOptions {
  /** Empties a cache with another key instead of refusing it. */
  readonly force?: boolean;
  /** Drops damaged shards instead of refusing the cache; their photos are missing then. */
  readonly repair?: boolean;
  /** Photos in a shard. Default 256: 50 MB at 30 views of 768 with squares of 224. */
  readonly shardSize?: number;
  /** A shard is written after this many seconds even if it is not full, so that a slow teacher loses little. Default 300. */
  readonly flushSeconds?: number;
}

/** Version of the files. A reader of another version refuses them. */
const VERSION = 1;

/** Who writes to a cache locks this file in it. */
const LOCK = 'cache.lock';

/** Largest finite half float. */
const LARGEST_HALF = 65504;

/**
 * Opens a cache for writing, or begins one. Only one process may write to a cache at a time.
 *
 * Throws {@link CacheError} when the folder holds a cache with another key (naming each difference), something else,
 * a damaged shard, or when another process is writing to it.
 *
 * ```ts
 * const cache = await openCache('cache/voc', key);
 * const { missing } = await cache.plan('photos', await listPhotos('photos'));
 * for (const path of missing) {
 *   const { stamp, bytes } = await stampPhoto('photos', path);
 *   const photo = await decodePhoto(bytes, path);
 *   await cache.add(stamp, await teacher(teacherViews(photo)), studentImage(photo));
 * }
 * await cache.close();
 * ```
 */
export async function openCache(folder: string, key: CacheKey, options: CacheOptions = {}): Promise<CacheWriter> {
  const lock = await FolderLock.take('cache', folder, { file: join(folder, LOCK) });
  try {
    let found = await readHeader(folder);
    if (found && options.force && differences(found, key).length > 0) {
      await empty(folder);
      found = undefined;
    }
    if (found) checkKey(folder, found, key, 'use another folder, or --force to empty this one and compute all again');
    else {
      await refuseStrangers(folder);
      const header = { format: 'zeroseg feature cache', version: VERSION, dtype: 'F16', key };
      await writeFileAtomic(join(folder, 'cache.json'), `${JSON.stringify(header, undefined, 2)}\n`, { lock });
    }
    const index = await CacheIndex.load(folder, { lock, repair: options.repair ?? false });
    return new CacheWriter(folder, key, index, options, lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/**
 * Opens a cache for reading, also while it is being written: what is complete at this moment is seen. With `key`, the
 * cache must match it in the fields that are given.
 *
 * ```ts
 * const cache = await readCache('cache/voc', { teacher: 'openai/clip-vit-large-patch14' });
 * const features = await cache.features(0); // [views * dim]
 * ```
 */
export async function readCache(folder: string, key: Partial<CacheKey> = {}): Promise<CacheReader> {
  const found = await readHeader(folder);
  if (!found) throw new CacheError(`cache: ${folder}: this is no feature cache (no cache.json); make one first`);
  checkKey(folder, found, { ...found, ...key }, 'use the cache that was made with these');
  return new CacheReader(folder, found, await CacheIndex.load(folder));
}

/** Reads a photo's bytes and the stamp that {@link CacheWriter.add} wants. */
export async function stampPhoto(root: string, path: string): Promise<{ stamp: PhotoStamp; bytes: Uint8Array }> {
  const full = join(root, path);
  // Asked before reading: a file that changes meanwhile looks stale next time, not fresh.
  const { size, mtimeMs } = await stat(full);
  const bytes = await readFile(full);
  return { stamp: { path, size, mtime: Math.floor(mtimeMs), hash: hashBytes(bytes) }, bytes };
}

/** Adds photos to a cache; see {@link openCache}. */
export class CacheWriter {
  readonly folder: string;
  readonly key: CacheKey;
  readonly #index: CacheIndex;
  readonly #shardSize: number;
  readonly #flushMilliseconds: number;
  readonly #lock: FolderLock;
  #rows: NewRow[] = [];
  #begun = 0;

  constructor(
    folder: string,
    key: CacheKey,
    index: CacheIndex,
    { shardSize = 256, flushSeconds = 300 }: CacheOptions,
    lock: FolderLock,
  ) {
    this.folder = folder;
    this.key = key;
    this.#index = index;
    this.#shardSize = shardSize;
    this.#flushMilliseconds = flushSeconds * 1000;
    this.#lock = lock;
  }

  /** Photos on disk, without those of the shard being filled. */
  get length(): number {
    return this.#index.length;
  }

  /** Why photos failed, by path. */
  get failures(): ReadonlyMap<string, string> {
    return this.#index.failures;
  }

  /** Names of damaged shards that were dropped on opening. */
  get dropped(): readonly string[] {
    return this.#index.dropped;
  }

  /**
   * Compares the cache with the photos of `root` and says which must be computed: new ones, changed ones (by size and
   * time, then by content), and those that failed last time. Photos that are gone are no longer read.
   */
  async plan(root: string, paths: readonly string[]): Promise<CachePlan> {
    return this.#index.plan(root, paths);
  }

  /**
   * Adds a photo: `features` is [views, dim], `image` the student's square. Writes a shard when it is full.
   *
   * Throws {@link CacheError} naming the photo when sizes are wrong or a feature is not finite or too large for half
   * floats; nothing is added then.
   */
  async add(stamp: PhotoStamp, features: Float32Array, image?: Image): Promise<void> {
    const { views, dim, studentSize: side } = this.key;
    const refuse = (reason: string): never => {
      throw new CacheError(`cache: ${stamp.path}: ${reason}`);
    };
    if (features.length !== views * dim) {
      refuse(`features must be ${views} views of ${dim} values; got ${features.length} values`);
    }
    const bad = features.findIndex((value) => !(Math.abs(value) <= LARGEST_HALF));
    if (bad >= 0) {
      const place = `channel ${bad % dim} of view ${Math.floor(bad / dim)} is ${features[bad]}`;
      refuse(`features must be finite and at most ${LARGEST_HALF}, the largest half float; ${place}`);
    }
    if (side === null ? image !== undefined : image?.width !== side || image.height !== side) {
      const want = side === null ? 'no student image' : `a student image of ${side} x ${side}`;
      refuse(`this cache keeps ${want}; got ${image ? `one of ${image.width} x ${image.height}` : 'none'}`);
    }
    if (this.#rows.length === 0) this.#begun = Date.now();
    this.#rows.push({ stamp, features: toHalf(features), image: image?.data.slice() });
    const due = Date.now() - this.#begun >= this.#flushMilliseconds;
    if (this.#rows.length >= this.#shardSize || due) await this.flush();
  }

  /** Notes that a photo could not be read or computed. It is tried again at the next plan. */
  fail(path: string, reason: string): void {
    this.#index.fail(path, reason);
  }

  /** Writes what was added so far. */
  async flush(): Promise<void> {
    const rows = this.#rows;
    this.#rows = [];
    if (rows.length > 0) {
      const shard = this.#index.nextShard();
      this.#index.addShard(shard, await writeShard(this.folder, shard, rows, this.key, this.#lock));
    }
    await this.#index.saveState();
  }

  /** Writes what was added and lets other processes write. */
  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.#lock.release();
    }
  }
}

/** Reads a cache row by row; see {@link readCache}. Photos are numbered in the order of their paths. */
export class CacheReader {
  readonly folder: string;
  readonly key: CacheKey;
  /** Paths of the photos, relative to their folder, sorted by code units. */
  readonly paths: readonly string[];
  readonly #index: CacheIndex;
  readonly #shards: ShardReader;

  constructor(folder: string, key: CacheKey, index: CacheIndex) {
    this.folder = folder;
    this.key = key;
    this.paths = index.paths();
    this.#index = index;
    this.#shards = new ShardReader(folder, key);
  }

  get length(): number {
    return this.paths.length;
  }

  /** Why photos failed, by path. */
  get failures(): ReadonlyMap<string, string> {
    return this.#index.failures;
  }

  /** Features of photo `i`, [views * dim]. Throws {@link CacheError} naming the shard when they are damaged. */
  async features(i: number): Promise<Float32Array> {
    const { shard, row, of } = this.#index.find(this.#path(i));
    return this.#shards.features(shard, row, of);
  }

  /** The student's square of photo `i`. */
  async image(i: number): Promise<Image> {
    const side = this.key.studentSize;
    if (side === null) throw new CacheError(`cache: ${this.folder}: no student images are kept in this cache`);
    const { shard, row, of } = this.#index.find(this.#path(i));
    return { width: side, height: side, data: await this.#shards.image(shard, row, of) };
  }

  #path(i: number): string {
    const path = this.paths[i];
    if (path === undefined) throw new ArgumentError(`cache: photo ${i} of ${this.length} does not exist`);
    return path;
  }

  /** Reads every row and checks it; returns the messages of what is damaged. `progress` is told the rows done. */
  async verify(progress?: (done: number) => void): Promise<string[]> {
    const problems: string[] = [];
    for (let i = 0; i < this.length; i++) {
      try {
        await this.features(i);
        if (this.key.studentSize !== null) await this.image(i);
      } catch (error) {
        problems.push((error as Error).message);
      }
      progress?.(i + 1);
    }
    return problems;
  }

  async close(): Promise<void> {
    await this.#shards.close();
  }
}

async function readHeader(folder: string): Promise<CacheKey | undefined> {
  const file = join(folder, 'cache.json');
  const exists = await stat(file).then(
    () => true,
    () => false,
  );
  if (!exists) return undefined;
  const header = (await readJson(file)) as { format?: string; version?: number; key?: CacheKey } | null;
  if (header?.format !== 'zeroseg feature cache' || !header.key) {
    throw new CacheError(`cache: ${file}: this is not the header of a feature cache; use another folder`);
  }
  if (header.version !== VERSION) {
    const remedy = 'use another folder, or the version of this program that wrote it';
    throw new CacheError(
      `cache: ${file}: written in format ${header.version}; this program knows ${VERSION}; ${remedy}`,
    );
  }
  const broken = brokenField(header.key, cacheKeyFields);
  if (broken !== undefined) throw new CacheError(`cache: ${file}: the file is damaged (${broken}); use another folder`);
  return header.key;
}

function differences(given: CacheKey, asked: CacheKey): string[] {
  const [found, wanted] = [given, asked].map((key): Record<string, unknown> => ({ ...key })) as [
    Record<string, unknown>,
    Record<string, unknown>,
  ];
  const names = new Set([...Object.keys(found), ...Object.keys(wanted)]);
  return [...names]
    .map((name) => [name, ...[found, wanted].map((key) => JSON.stringify(ownValue(key, name)))])
    .filter(([, old, now]) => old !== now)
    .map(([name, old, now]) => `${name} is ${old} in the cache, ${now} now`);
}

function checkKey(folder: string, found: CacheKey, wanted: CacheKey, remedy: string): void {
  const changes = differences(found, wanted);
  if (changes.length === 0) return;
  throw new CacheError(`cache: ${folder}: made with other settings (${changes.join('; ')}); ${remedy}`);
}

/** Files that only a cache writes. */
const ownFiles = /^\.?(features-\d+|cache|state)\..*$/;

async function empty(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => ownFiles.test(name) && name !== LOCK);
  // Killed in between, what is left must still be a cache with its old key: indices go first, the header last.
  const order = (name: string): number => (name === 'cache.json' ? 2 : name.endsWith('.json') ? 0 : 1);
  for (const name of names.sort((a, b) => order(a) - order(b))) await rm(join(folder, name), { force: true });
}

/** A folder that holds other things is probably a slip of the keyboard. Without their header, shards mean nothing. */
async function refuseStrangers(folder: string): Promise<void> {
  const names = (await readdir(folder)).sort();
  const stranger = names.find((name) => !name.startsWith('.') && !ownFiles.test(name));
  if (stranger !== undefined) {
    throw new CacheError(
      `cache: ${folder}: the folder is not empty (${stranger}) and is no feature cache; use another one`,
    );
  }
  const shard = names.find((name) => /^features-\d+\.json$/.test(name));
  if (shard !== undefined) {
    throw new CacheError(
      `cache: ${folder}: there are shards (${shard}) but no cache.json to say what they are; use another folder`,
    );
  }
}
