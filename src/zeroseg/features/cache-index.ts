import {
  brokenField,
  FileError,
  type FileSystem,
  isListOf,
  isMaybe,
  isTableOf,
  isText,
  readJsonFile,
} from '../storage/index.ts';
import { CacheError } from './cache-error.ts';
import { hashPhoto, type PhotoFile } from './photo-source.ts';
import { listShards, readIndex, removeShard, type ShardIndex, type ShardRow, shardName, writeIndex } from './shards.ts';

/** What {@link CacheIndex.plan} found. */
export interface CachePlan {
  /** Photos to compute, in the given order. */
  readonly missing: string[];
  /** Those among them that are in the cache with other content. */
  readonly changed: string[];
  /** Those among them that failed before. */
  readonly retried: string[];
  /** Photos of the cache that are no longer there. */
  readonly removed: string[];
  /** Number of photos whose features are there already. */
  readonly fresh: number;
}

interface Place {
  readonly shard: number;
  readonly row: number;
  readonly of: ShardRow;
}

/** Photos looked at at the same time. */
const AT_ONCE = 32;

/** Which photo is in which row of which shard. The only part of a cache that is held in memory. */
export class CacheIndex {
  readonly #files: FileSystem;
  readonly #places = new Map<string, Place>();
  /** Photos whose row does not count: they are gone, or have changed and are not computed yet. */
  readonly #removed = new Set<string>();
  readonly #failed = new Map<string, string>();
  /** Names of damaged shards that were dropped. */
  readonly dropped: string[] = [];
  #next = 0;
  #saved: string;

  private constructor(files: FileSystem) {
    this.#files = files;
    this.#saved = this.#state();
  }

  /** Who holds the lock removes what killed processes left, and with `repair` damaged shards as well. */
  static async load(
    files: FileSystem,
    { isLocked = false, repair = false }: { isLocked?: boolean; repair?: boolean } = {},
  ): Promise<CacheIndex> {
    const index = new CacheIndex(files);
    const { shards, leftovers } = await listShards(files);
    if (isLocked) {
      await files.removeLeftovers();
      for (const name of leftovers) await files.remove(name);
    }
    for (const shard of shards) {
      try {
        index.addShard(shard, await readIndex(files, shard));
      } catch (error) {
        if (!repair) throw error;
        await removeShard(files, shard);
        index.dropped.push(shardName(shard));
      }
    }
    await index.#loadState();
    return index;
  }

  get length(): number {
    return this.#places.size - this.#removed.size;
  }

  get failures(): ReadonlyMap<string, string> {
    return this.#failed;
  }

  /** Photos that can be read, sorted by code units. */
  paths(): string[] {
    return [...this.#places.keys()].filter((path) => !this.#removed.has(path)).sort();
  }

  find(path: string): Place {
    return this.#places.get(path)!;
  }

  /** A number for a new shard; each call gives another one. */
  nextShard(): number {
    return this.#next++;
  }

  addShard(shard: number, { rows }: ShardIndex): void {
    rows.forEach((of, row) => {
      // A later row of the same photo takes the place of an earlier one.
      this.#places.set(of.path, { shard, row, of });
      this.#removed.delete(of.path);
      this.#failed.delete(of.path);
    });
    this.#next = Math.max(this.#next, shard + 1);
  }

  fail(path: string, reason: string): void {
    this.#failed.set(path, reason);
  }

  async plan(photos: readonly PhotoFile[]): Promise<CachePlan> {
    const paths = photos.map(({ path }) => path);
    const wanted = new Set(paths);
    const removed = [...this.#places.keys()].filter((path) => !wanted.has(path)).sort();
    const retried = paths.filter((path) => this.#failed.has(path));
    for (const path of this.#failed.keys()) if (!wanted.has(path)) this.#failed.delete(path);
    this.#removed.clear();
    for (const path of removed) this.#removed.add(path);

    const states: ('new' | 'changed' | 'fresh')[] = [];
    const touched = new Map<number, Map<number, ShardRow>>();
    for (let from = 0; from < photos.length; from += AT_ONCE) {
      const some = photos.slice(from, from + AT_ONCE).map((photo) => this.#check(photo, touched));
      states.push(...(await Promise.all(some)));
    }
    paths.forEach((path, i) => {
      if (states[i] === 'changed') this.#removed.add(path);
    });
    for (const [shard, rows] of touched) await this.#touch(shard, rows);
    await this.saveState();
    return {
      missing: paths.filter((_, i) => states[i] !== 'fresh'),
      changed: paths.filter((_, i) => states[i] === 'changed'),
      retried,
      removed,
      fresh: states.filter((state) => state === 'fresh').length,
    };
  }

  async #check(photo: PhotoFile, touched: Map<number, Map<number, ShardRow>>): Promise<'new' | 'changed' | 'fresh'> {
    const { path } = photo;
    const place = this.#places.get(path);
    if (!place) return 'new';
    try {
      const { size, mtime: time } = await photo.status();
      const mtime = Math.floor(time);
      if (size === place.of.size && mtime === place.of.mtime) return 'fresh';
      // Copying a folder changes every time and no content.
      if (size !== place.of.size || (await hashPhoto(await photo.bytes())) !== place.of.hash) return 'changed';
      const of = { ...place.of, mtime };
      this.#places.set(path, { ...place, of });
      let rows = touched.get(place.shard);
      if (!rows) touched.set(place.shard, (rows = new Map()));
      rows.set(place.row, of);
      return 'fresh';
    } catch (error) {
      // Whoever computes it finds out as well.
      this.fail(path, error instanceof FileError ? error.reason : (error as Error).message);
      return 'changed';
    }
  }

  /** Writes new times into a shard's index. */
  async #touch(shard: number, rows: Map<number, ShardRow>): Promise<void> {
    const old = await readIndex(this.#files, shard);
    await writeIndex(this.#files, shard, { ...old, rows: old.rows.map((row, i) => rows.get(i) ?? row) });
  }

  async #loadState(): Promise<void> {
    if (!(await this.#files.status('state.json'))) return;
    const state = await readJsonFile(this.#files, 'state.json');
    const broken = brokenField(state, { removed: isMaybe(isListOf(isText)), failed: isMaybe(isTableOf(isText)) });
    if (broken !== undefined) {
      const file = this.#files.describe('state.json');
      throw new CacheError(`cache: ${file}: the file is damaged (${broken}); delete it: what it says is found again`);
    }
    const { removed = [], failed = {} } = state as { removed?: string[]; failed?: Record<string, string> };
    for (const path of removed) if (this.#places.has(path)) this.#removed.add(path);
    for (const [path, reason] of Object.entries(failed)) this.#failed.set(path, reason);
    this.#saved = this.#state();
  }

  #state(): string {
    const removed = [...this.#removed].sort();
    return `${JSON.stringify({ removed, failed: Object.fromEntries(this.#failed) }, undefined, 1)}\n`;
  }

  async saveState(): Promise<void> {
    const state = this.#state();
    if (state === this.#saved) return;
    await this.#files.write('state.json', state);
    this.#saved = state;
  }
}
