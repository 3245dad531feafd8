import { heard } from '../../gpu/index.ts';
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
import { PACKED_INDEX, type PackedIndex, parsePackedIndex, writePackedIndex } from './packed-index.ts';
import { hashPhoto, type PhotoFile } from './photo-source.ts';
import { type Place, RowTable } from './row-table.ts';
import {
  hasLength,
  listShards,
  readIndex,
  removeShard,
  type ShardIndex,
  type ShardRow,
  shardName,
  writeIndex,
} from './shards.ts';

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

/** Files looked at at the same time. */
const AT_ONCE = 32;

/** Which photo is in which row of which shard. The only part of a cache that is held in memory. */
export class CacheIndex {
  readonly #files: FileSystem;
  #table = new RowTable();
  /** Bytes of the data of all shards whose rows are in the table. */
  readonly #shards = new Map<number, number>();
  /** Photos whose row does not count: they are gone, or have changed and are not computed yet. */
  readonly #removed = new Set<string>();
  readonly #failed = new Map<string, string>();
  /** Names of damaged shards that were dropped. */
  readonly dropped: string[] = [];
  /** What was wrong with the packed index, whose place the indices of the shards have taken. */
  damage: string | undefined;
  /** Whether there is a packed index, and whether it holds all that is known. */
  #isPacked = false;
  #isCurrent = false;
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
    // Before the list: what a writer packs meanwhile holds shards that the list lacks.
    const packed = await index.#readPacked();
    const { shards, leftovers } = await listShards(files);
    if (isLocked) {
      await files.removeLeftovers();
      for (const name of leftovers) await files.remove(name);
    }
    if (packed) await index.#takePacked(packed, new Set(shards));
    const others = shards.filter((shard) => !index.#shards.has(shard));
    index.#isCurrent = index.#shards.size > 0 && others.length === 0;
    if (isLocked && index.#shards.size === 0) await index.#unpack();
    for (let from = 0; from < others.length; from += AT_ONCE) {
      // Added in their order: a later row of a photo counts.
      const some = others
        .slice(from, from + AT_ONCE)
        .map((shard) => ({ shard, found: heard(readIndex(files, shard)) }));
      for (const { shard, found } of some) {
        try {
          index.#add(shard, await found);
        } catch (error) {
          if (!repair) throw error;
          await index.#unpack();
          await removeShard(files, shard);
          index.dropped.push(shardName(shard));
        }
      }
    }
    await index.#loadState();
    return index;
  }

  async #readPacked(): Promise<PackedIndex | undefined> {
    if (!(await this.#files.status(PACKED_INDEX))) return undefined;
    this.#isPacked = true;
    try {
      return parsePackedIndex(await this.#files.read(PACKED_INDEX));
    } catch (error) {
      this.damage = (error as Error).message;
      return undefined;
    }
  }

  /** Takes over the packed index, if all its shards are there as they were. */
  async #takePacked({ table, shards }: PackedIndex, there: ReadonlySet<number>): Promise<void> {
    const list = [...shards];
    // What is wrong with a shard is told when its own index is read.
    if (list.some(([shard]) => !there.has(shard))) return;
    for (let from = 0; from < list.length; from += AT_ONCE) {
      const some = list.slice(from, from + AT_ONCE).map(([shard, bytes]) => hasLength(this.#files, shard, bytes));
      if ((await Promise.all(some)).includes(false)) return;
    }
    this.#table = table;
    for (const [shard, bytes] of list) {
      this.#shards.set(shard, bytes);
      this.#next = Math.max(this.#next, shard + 1);
    }
  }

  /** Puts all that is known into one file, if that is not so already. */
  async pack(): Promise<void> {
    if (this.#isCurrent || this.#shards.size === 0) return;
    await writePackedIndex(this.#files, this.#table, this.#shards);
    [this.#isPacked, this.#isCurrent] = [true, true];
  }

  /** Before a shard is changed that the packed index may hold. */
  async #unpack(): Promise<void> {
    if (this.#isPacked) await this.#files.remove(PACKED_INDEX);
    [this.#isPacked, this.#isCurrent] = [false, false];
  }

  get length(): number {
    return this.#table.count - this.#removed.size;
  }

  get failures(): ReadonlyMap<string, string> {
    return this.#failed;
  }

  /** Photos that can be read, in ascending order of their paths, by their numbers. */
  order(): Uint32Array {
    const order = this.#table.order();
    if (this.#removed.size === 0) return order;
    const removed = new Set([...this.#removed].map((path) => this.#table.find(path)));
    return order.filter((photo) => !removed.has(photo));
  }

  path(photo: number): string {
    return this.#table.path(photo);
  }

  place(photo: number): Place {
    return this.#table.place(photo);
  }

  /** Compares the path of a photo with that of one of another index, by code units. */
  compare(photo: number, index: CacheIndex, other: number): number {
    return this.#table.compare(photo, other, index.#table);
  }

  /** A number for a new shard; each call gives another one. */
  nextShard(): number {
    return this.#next++;
  }

  addShard(shard: number, index: ShardIndex): void {
    this.#add(shard, index);
    this.#isCurrent = false;
  }

  #add(shard: number, { bytes, rows }: ShardIndex): void {
    rows.forEach((of, row) => {
      // A later row of the same photo takes the place of an earlier one.
      this.#table.put(shard, row, of);
      this.#removed.delete(of.path);
      this.#failed.delete(of.path);
    });
    this.#shards.set(shard, bytes);
    this.#next = Math.max(this.#next, shard + 1);
  }

  fail(path: string, reason: string): void {
    this.#failed.set(path, reason);
  }

  async plan(photos: readonly PhotoFile[]): Promise<CachePlan> {
    const paths = photos.map(({ path }) => path);
    const retried = paths.filter((path) => this.#failed.has(path));
    if (this.#failed.size > retried.length) {
      const wanted = new Set(paths);
      for (const path of this.#failed.keys()) if (!wanted.has(path)) this.#failed.delete(path);
    }
    const found = paths.map((path) => this.#table.find(path));
    const isWanted = new Uint8Array(this.#table.count);
    for (const row of found) if (row >= 0) isWanted[row] = 1;
    this.#removed.clear();
    for (const row of this.#table.order()) if (isWanted[row] === 0) this.#removed.add(this.#table.path(row));
    const removed = [...this.#removed];

    const states: ('new' | 'changed' | 'fresh')[] = [];
    const touched = new Map<number, Map<number, ShardRow>>();
    for (let from = 0; from < photos.length; from += AT_ONCE) {
      const some = photos
        .slice(from, from + AT_ONCE)
        .map((photo, i) => this.#check(photo, found[from + i] as number, touched));
      states.push(...(await Promise.all(some)));
    }
    paths.forEach((path, i) => {
      if (states[i] === 'changed') this.#removed.add(path);
    });
    if (touched.size > 0) await this.#unpack();
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

  /** Compares a photo with its row of the table, -1 where it has none. */
  async #check(
    photo: PhotoFile,
    row: number,
    touched: Map<number, Map<number, ShardRow>>,
  ): Promise<'new' | 'changed' | 'fresh'> {
    if (row < 0) return 'new';
    try {
      const { size, mtime: time } = await photo.status();
      const mtime = Math.floor(time);
      if (size !== this.#table.size(row)) return 'changed';
      if (mtime === this.#table.mtime(row)) return 'fresh';
      // Copying a folder changes every time and no content.
      const place = this.#table.place(row);
      if ((await hashPhoto(await photo.bytes())) !== place.of.hash) return 'changed';
      this.#table.setMtime(row, mtime);
      let rows = touched.get(place.shard);
      if (!rows) touched.set(place.shard, (rows = new Map()));
      rows.set(place.row, { ...place.of, mtime });
      return 'fresh';
    } catch (error) {
      // Whoever computes it finds out as well.
      this.fail(photo.path, error instanceof FileError ? error.reason : (error as Error).message);
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
    for (const path of removed) if (this.#table.find(path) >= 0) this.#removed.add(path);
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
