import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  brokenField,
  isListOf,
  isMaybe,
  isTableOf,
  isText,
  readJson,
  sweepLeftovers,
  systemReason,
  type WriteOptions,
  writeFileAtomic,
} from '../files/index.ts';
import {
  CacheError,
  hashBytes,
  listShards,
  readIndex,
  removeShard,
  type ShardIndex,
  type ShardRow,
  shardName,
  writeIndex,
} from './feature-shards.ts';

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
  readonly #folder: string;
  readonly #lock: WriteOptions['lock'];
  readonly #places = new Map<string, Place>();
  /** Photos whose row does not count: they are gone, or have changed and are not computed yet. */
  readonly #removed = new Set<string>();
  readonly #failed = new Map<string, string>();
  /** Names of damaged shards that were dropped. */
  readonly dropped: string[] = [];
  #next = 0;
  #saved: string;

  private constructor(folder: string, lock: WriteOptions['lock']) {
    this.#folder = folder;
    this.#lock = lock;
    this.#saved = this.#state();
  }

  /** Who holds the lock removes what killed processes left, and with `repair` damaged shards as well. */
  static async load(
    folder: string,
    { lock, repair = false }: { lock?: WriteOptions['lock']; repair?: boolean } = {},
  ): Promise<CacheIndex> {
    const index = new CacheIndex(folder, lock);
    const { shards, leftovers } = await listShards(folder);
    if (lock) {
      await sweepLeftovers(folder);
      for (const name of leftovers) await rm(join(folder, name), { force: true });
    }
    for (const shard of shards) {
      try {
        index.addShard(shard, await readIndex(folder, shard));
      } catch (error) {
        if (!repair) throw error;
        await removeShard(folder, shard);
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

  async plan(root: string, paths: readonly string[]): Promise<CachePlan> {
    const wanted = new Set(paths);
    const removed = [...this.#places.keys()].filter((path) => !wanted.has(path)).sort();
    const retried = paths.filter((path) => this.#failed.has(path));
    for (const path of this.#failed.keys()) if (!wanted.has(path)) this.#failed.delete(path);
    this.#removed.clear();
    for (const path of removed) this.#removed.add(path);

    const states: ('new' | 'changed' | 'fresh')[] = [];
    const touched = new Map<number, Map<number, ShardRow>>();
    for (let from = 0; from < paths.length; from += AT_ONCE) {
      const some = paths.slice(from, from + AT_ONCE).map((path) => this.#check(root, path, touched));
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

  async #check(
    root: string,
    path: string,
    touched: Map<number, Map<number, ShardRow>>,
  ): Promise<'new' | 'changed' | 'fresh'> {
    const place = this.#places.get(path);
    if (!place) return 'new';
    try {
      const { size, mtimeMs } = await stat(join(root, path));
      const mtime = Math.floor(mtimeMs);
      if (size === place.of.size && mtime === place.of.mtime) return 'fresh';
      // Copying a folder changes every time and no content.
      if (size !== place.of.size || hashBytes(await readFile(join(root, path))) !== place.of.hash) return 'changed';
      const of = { ...place.of, mtime };
      this.#places.set(path, { ...place, of });
      let rows = touched.get(place.shard);
      if (!rows) touched.set(place.shard, (rows = new Map()));
      rows.set(place.row, of);
      return 'fresh';
    } catch (error) {
      // Whoever computes it finds out as well.
      this.fail(path, systemReason(error));
      return 'changed';
    }
  }

  /** Writes new times into a shard's index. */
  async #touch(shard: number, rows: Map<number, ShardRow>): Promise<void> {
    const old = await readIndex(this.#folder, shard);
    await writeIndex(this.#folder, shard, { ...old, rows: old.rows.map((row, i) => rows.get(i) ?? row) }, this.#lock);
  }

  async #loadState(): Promise<void> {
    const file = join(this.#folder, 'state.json');
    const exists = await stat(file).then(
      () => true,
      () => false,
    );
    if (!exists) return;
    const state = await readJson(file);
    const broken = brokenField(state, { removed: isMaybe(isListOf(isText)), failed: isMaybe(isTableOf(isText)) });
    if (broken !== undefined) {
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
    await writeFileAtomic(join(this.#folder, 'state.json'), state, { lock: this.#lock });
    this.#saved = state;
  }
}
