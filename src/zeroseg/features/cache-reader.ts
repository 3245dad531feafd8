import { ArgumentError } from '../../gpu/index.ts';
import { type Image, studentImage } from '../image/index.ts';
import { isWhole } from '../storage/index.ts';
import { CacheError } from './cache-error.ts';
import type { CacheIndex } from './cache-index.ts';
import type { CacheKey } from './cache-key.ts';
import { PhotoOrder } from './photo-order.ts';
import { hashPhoto } from './photo-source.ts';
import type { ShardReader } from './shards.ts';
import { squaresOf } from './squares.ts';

/** Files of a part of a cache have smaller numbers. */
const MAX_SHARDS = 2 ** 20;

/** Where the squares of a cache come from that does not keep them as pixels. */
export interface ReadOptions {
  /** Decodes squares that are files of their own, and photos: `decodePhoto` of `zeroseg`. */
  readonly decode?: ((bytes: Uint8Array<ArrayBuffer>, name: string) => Promise<Image>) | undefined;
  /** A photo as it is encoded, by its path: squares that are not kept are cut from it. */
  readonly photo?: ((path: string) => Promise<Uint8Array<ArrayBuffer>>) | undefined;
  /**
   * Cuts the square of `side` pixels out of the photo that `read` gives: in threads, say. It may wait before it reads, so that not all photos
   * of a batch are in memory at once. Default: {@link studentImage} of what `decode` makes of it.
   */
  readonly cut?:
    | ((read: () => Promise<Uint8Array<ArrayBuffer>>, path: string, side: number) => Promise<Image>)
    | undefined;
  /** Called when the cache is closed: ends what these need. */
  readonly close?: (() => Promise<void>) | undefined;
}

/** Rows of a folder, and what reads them. */
export interface CacheSource {
  readonly folder: string;
  readonly index: CacheIndex;
  readonly shards: ShardReader;
}

/** Reads a cache row by row; see {@link readCache}. Photos are numbered in the order of their paths. */
export class CacheReader {
  /** Where it is, for messages. */
  readonly folder: string;
  readonly key: CacheKey;
  readonly #parts: readonly CacheSource[];
  readonly #order: PhotoOrder;
  readonly #options: ReadOptions;
  #paths: readonly string[] | undefined;

  constructor(folder: string, key: CacheKey, parts: readonly CacheSource[], options: ReadOptions = {}) {
    this.#options = options;
    this.folder = folder;
    this.key = key;
    this.#parts = parts;
    this.#order = new PhotoOrder(parts.map(({ index }) => index));
  }

  get length(): number {
    return this.#order.length;
  }

  /** Paths of the photos, relative to their folder, sorted by code units. Made when they are first asked for. */
  get paths(): readonly string[] {
    this.#paths ??= [...this.eachPath()];
    return this.#paths;
  }

  /** {@link paths} one after the other: of a million photos, all at once take as much memory as the index. */
  *eachPath(): Generator<string, void, undefined> {
    for (let i = 0; i < this.length; i++) {
      const { part, photo } = this.#order.at(i);
      yield (this.#parts[part] as CacheSource).index.path(photo);
    }
  }

  /** What is wrong with a file `cache.index`, by the folder it is in: the indices of the shards were read in its place, which takes longer. */
  get indexDamage(): ReadonlyMap<string, string> {
    return new Map(
      this.#parts.flatMap(({ index, folder }) => (index.damage === undefined ? [] : [[folder, index.damage] as const])),
    );
  }

  /** Why photos failed, by path. */
  get failures(): ReadonlyMap<string, string> {
    return new Map(this.#parts.flatMap(({ index }) => [...index.failures]));
  }

  /** Features of photo `i`, [views * dim]. Throws {@link CacheError} naming the shard when they are damaged. */
  async features(i: number): Promise<Float32Array> {
    const { shards, shard, row, of } = this.#find(i);
    return shards.features(shard, row, of);
  }

  /** The student's square of photo `i`. */
  async image(i: number): Promise<Image> {
    const side = this.key.studentSize;
    if (side === null) throw new CacheError(`cache: ${this.folder}: no student images are kept in this cache`);
    const squares = squaresOf(this.key);
    const { shards, shard, row, of } = this.#find(i);
    if (squares === 'raw') return { width: side, height: side, data: await shards.image(shard, row, of) };
    const { decode, photo, cut } = this.#options;
    const refuse = (reason: string): never => {
      throw new CacheError(`cache: ${this.folder}: ${reason}`);
    };
    if (!decode || (squares === 'none' && !photo)) {
      return refuse(
        squares === 'none'
          ? 'it keeps no squares, which are cut from the photos; say where these are (--photos)'
          : `its squares are kept as ${this.key.squares}, and nothing is given that decodes them (decode)`,
      );
    }
    if (squares === 'coded') {
      const found = await decode(await shards.image(shard, row, of), `${this.folder}, ${of.path}`);
      if (found.width === side && found.height === side) return found;
      return refuse(`the square of ${of.path} has ${found.width} x ${found.height} pixels, not ${side} x ${side}`);
    }
    const read = async (): Promise<Uint8Array<ArrayBuffer>> => {
      const bytes = await (photo as NonNullable<typeof photo>)(of.path);
      if ((await hashPhoto(bytes)) === of.hash) return bytes;
      return refuse(`${of.path} has changed since its features were computed; run \`zeroseg cache\` again`);
    };
    return cut ? cut(read, of.path, side) : studentImage(await decode(await read(), of.path), side);
  }

  /** The file that photo `i` is in, as a number that no other file of the cache has. */
  fileOf(i: number): number {
    const { part, shard } = this.#find(i);
    return part * MAX_SHARDS + shard;
  }

  #find(i: number) {
    if (!isWhole(0, this.length - 1)(i)) throw new ArgumentError(`cache: photo ${i} of ${this.length} does not exist`);
    const { part, photo } = this.#order.at(i);
    const { index, shards } = this.#parts[part] as CacheSource;
    return { part, shards, ...index.place(photo) };
  }

  /** Reads every row and checks it; returns the messages of what is damaged. `progress` is told the rows done. */
  async verify(progress?: (done: number) => void): Promise<string[]> {
    const problems: string[] = [];
    for (let i = 0; i < this.length; i++) {
      try {
        await this.features(i);
        if (squaresOf(this.key) !== 'none') await this.image(i);
      } catch (error) {
        problems.push((error as Error).message);
      }
      progress?.(i + 1);
    }
    return problems;
  }

  async close(): Promise<void> {
    try {
      await this.#options.close?.();
    } finally {
      for (const { shards } of this.#parts) await shards.close();
    }
  }
}
