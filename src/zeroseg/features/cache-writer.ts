import { toHalf } from '../../nn/safetensors/index.ts';
import type { Image } from '../image/index.ts';
import type { FileSystem, HeldLock } from '../storage/index.ts';
import { CacheError } from './cache-error.ts';
import type { CacheIndex, CachePlan } from './cache-index.ts';
import type { CacheKey } from './cache-key.ts';
import type { PhotoFile, PhotoStamp } from './photo-source.ts';
import { type NewRow, writeShard } from './shards.ts';
import { type SquareCodec, squaresOf } from './squares.ts';

/** Largest finite half float. */
const LARGEST_HALF = 65504;

export interface CacheOptions {
  /** Empties a cache with another key instead of refusing it. */
  readonly force?: boolean;
  /** Drops damaged shards instead of refusing the cache; their photos are missing then. */
  readonly repair?: boolean;
  /** Photos in a shard. Default 256: 50 MB at 30 views of 768 with squares of 224. */
  readonly shardSize?: number;
  /** What codes squares where the key names it; without it they are kept as the key says: as pixels, or not at all. */
  readonly codec?: SquareCodec | undefined;
  /** A shard is written after this many seconds even if it is not full, so that a slow teacher loses little. Default 300. */
  readonly flushSeconds?: number;
}

/** Adds photos to a cache; see {@link openCache}. */
export class CacheWriter {
  readonly #files: FileSystem;
  readonly key: CacheKey;
  readonly #index: CacheIndex;
  readonly #shardSize: number;
  readonly #flushMilliseconds: number;
  readonly #codec: SquareCodec | undefined;
  readonly #lock: HeldLock;
  #rows: NewRow[] = [];
  #begun = 0;

  constructor(
    files: FileSystem,
    key: CacheKey,
    index: CacheIndex,
    { shardSize = 256, flushSeconds = 300, codec }: CacheOptions,
    lock: HeldLock,
  ) {
    this.#files = files;
    this.key = key;
    this.#index = index;
    this.#shardSize = shardSize;
    this.#flushMilliseconds = flushSeconds * 1000;
    this.#codec = codec;
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

  /** What was wrong with `cache.index`, which is made again when the cache is closed; undefined where nothing was. */
  get indexDamage(): string | undefined {
    return this.#index.damage;
  }

  /**
   * Compares the cache with photos, all that there are, and says which must be computed: new ones, changed ones (by size and
   * time, then by content), and those that failed last time. Photos that are gone are no longer read.
   */
  async plan(photos: readonly PhotoFile[]): Promise<CachePlan> {
    return this.#index.plan(photos);
  }

  /**
   * Adds a photo: `features` is [views, dim], `image` the student's square. Writes a shard when it is full.
   *
   * Throws {@link CacheError} naming the photo when sizes are wrong or a feature is not finite or too large for half
   * floats; nothing is added then.
   */
  async add(stamp: PhotoStamp, features: Float32Array, image?: Image): Promise<void> {
    const { views, dim } = this.key;
    const squares = squaresOf(this.key);
    const side = squares === 'none' ? null : this.key.studentSize;
    const refuse = (reason: string): never => {
      throw new CacheError(`cache: ${stamp.path}: ${reason}`, { photo: stamp.path });
    };
    if (features.length !== views * dim) {
      refuse(`features must be ${views} views of ${dim} values; got ${features.length} values`);
    }
    let bad = 0;
    while (bad < features.length && Math.abs(features[bad] as number) <= LARGEST_HALF) bad++;
    if (bad < features.length) {
      const place = `channel ${bad % dim} of view ${Math.floor(bad / dim)} is ${features[bad]}`;
      refuse(`features must be finite and at most ${LARGEST_HALF}, the largest half float; ${place}`);
    }
    if (side === null ? image !== undefined : image?.width !== side || image.height !== side) {
      const want = side === null ? 'no student image' : `a student image of ${side} x ${side}`;
      refuse(`this cache keeps ${want}; got ${image ? `one of ${image.width} x ${image.height}` : 'none'}`);
    }
    if (this.#rows.length === 0) this.#begun = Date.now();
    const halves = toHalf(features);
    const coded = image && this.#codec ? await this.#codec.encode(image) : image && new Uint8Array(image.data);
    this.#rows.push({ stamp, features: halves, image: coded });
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
      this.#index.addShard(shard, await writeShard(this.#files, shard, rows, this.key));
    }
    await this.#index.saveState();
  }

  /** Writes what was added and lets other processes write. */
  async close(): Promise<void> {
    try {
      await this.flush();
      await this.#index.pack();
    } finally {
      await this.#lock.release();
    }
  }
}
