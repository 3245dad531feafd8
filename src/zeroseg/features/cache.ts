/**
 * The teacher's features on disk: computed once, read in every epoch. A folder with
 *
 *     cache.json                   what the features are (the key)
 *     features-00000.safetensors   shards: half floats [n, views, dim] and the student's squares [n, side, side, 3]
 *     features-00000.json          which photo each row is, with checksums
 *     cache.index                  what all of those say, in one file that opens at once; made again where it is missing or damaged
 *     state.json                   photos that are gone, and photos that failed
 *
 * Every file appears whole or not at all, and a shard counts once its index exists: a process killed at any moment
 * loses at most the shard it was filling. Rows are never changed; a newer one of the same photo takes its place.
 */
import { ArgumentError, ownValue } from '../../gpu/index.ts';
import { toHalf } from '../../nn/safetensors/index.ts';
import { type Image, studentImage } from '../image/index.ts';
import { brokenField, type FileSystem, type HeldLock, isWhole, readJsonFile } from '../storage/index.ts';
import { CacheError } from './cache-error.ts';
import { CacheIndex, type CachePlan } from './cache-index.ts';
import { type CacheKey, cacheKeyFields } from './cache-key.ts';
import { type CachePart, partName, partsAmong } from './cache-parts.ts';
import { PhotoOrder } from './photo-order.ts';
import { hashPhoto, type PhotoFile, type PhotoStamp } from './photo-source.ts';
import { type NewRow, ShardReader, writeShard } from './shards.ts';
import { type SquareCodec, squaresOf } from './squares.ts';

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

/** Version of the files. A reader of another version refuses them. */
const VERSION = 1;

/** Who writes to a cache locks this file in it. */
const LOCK = 'cache.lock';

/** Files of a part of a cache have smaller numbers. */
const MAX_SHARDS = 2 ** 20;

/** Largest finite half float. */
const LARGEST_HALF = 65504;

/**
 * Opens a cache for writing, or begins one. Only one process may write to a cache at a time.
 *
 * Throws {@link CacheError} when the folder holds a cache with another key (naming each difference), something else,
 * a damaged shard, or when another process is writing to it.
 *
 * ```ts
 * const cache = await openCache(memoryFileSystem(), key);
 * const { missing } = await cache.plan(photos);
 * for (const photo of photos.filter(({ path }) => missing.includes(path))) {
 *   const { stamp, bytes } = await readStamped(photo);
 *   const image = await source.decode(bytes, photo.path);
 *   await cache.add(stamp, await teacher.features(teacherViews(image, teacher.pixels)), studentImage(image, 224));
 * }
 * await cache.close();
 * ```
 */
export async function openCache(files: FileSystem, key: CacheKey, options: CacheOptions = {}): Promise<CacheWriter> {
  const broken = brokenField(key, cacheKeyFields);
  if (broken !== undefined) {
    throw new CacheError(`openCache: key: ${broken}; it must have all that features depend on: see CacheKey`);
  }
  const named = squaresOf(key) === 'coded' ? key.squares : undefined;
  if (named !== options.codec?.name) {
    throw new CacheError(
      `openCache: key.squares is ${named ?? 'no codec'}, and the codec given ${options.codec?.name ?? 'none'}`,
    );
  }
  const lock = await files.lock('cache', LOCK);
  try {
    let found = await readHeader(files);
    if (found && options.force && differences(found, key).length > 0) {
      await removeAll(files);
      found = undefined;
    }
    if (found) checkKey(files, found, key, OTHER_FOLDER);
    else {
      await assertUnused(files);
      const header = { format: 'zeroseg feature cache', version: VERSION, dtype: 'F16', key };
      await files.write('cache.json', `${JSON.stringify(header, undefined, 2)}\n`);
    }
    const index = await CacheIndex.load(files, { isLocked: true, repair: options.repair ?? false });
    return new CacheWriter(files, key, index, options, lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** What remedies a cache that was made with other settings. */
const OTHER_FOLDER = 'use another folder, or open it with force (--force) to empty it and compute all again';

/** Refuses a folder that {@link openCache} would refuse for its key, and writes nothing: to be known before a device is opened. */
export async function checkCacheKey(files: FileSystem, key: CacheKey): Promise<void> {
  const found = await readHeader(files);
  if (found) checkKey(files, found, key, OTHER_FOLDER);
}

/**
 * Opens a cache for reading, also while it is being written: what is complete at this moment is seen. With `key`, the
 * cache must match it in the fields that are given.
 *
 * ```ts
 * const cache = await readCache(files, { teacher: 'openai/clip-vit-large-patch14' });
 * const features = await cache.features(0); // [views * dim]
 * ```
 */
export async function readCache(
  files: FileSystem,
  key: Partial<CacheKey> = {},
  options: ReadOptions = {},
): Promise<CacheReader> {
  const parts = await partsIn(files);
  const folders = parts ? parts.map((part) => files.folder(partName(part))) : [files];
  let first: CacheKey | undefined;
  const read: CacheSource[] = [];
  for (const folder of folders) {
    const found = await readHeader(folder);
    if (!found && parts) throw missingPart(files, partName(parts[read.length] as CachePart));
    if (!found) {
      throw new CacheError(
        `cache: ${files.name}: this is no feature cache (no cache.json); \`zeroseg cache\` makes one`,
      );
    }
    checkKey(folder, found, { ...found, ...key }, 'use the cache that was made with these');
    if (first) checkKey(folder, found, first, `make all parts of ${files.name} with the same settings`);
    first ??= found;
    read.push({ folder: folder.name, index: await CacheIndex.load(folder), shards: new ShardReader(folder, found) });
  }
  return new CacheReader(files.name, first as CacheKey, read, options);
}

/** Where the squares of a cache come from that does not keep them as pixels. */
export interface ReadOptions {
  /** Decodes squares that are files of their own, and photos: `decodePhoto` of `zeroseg`. */
  readonly decode?: ((bytes: Uint8Array<ArrayBuffer>, name: string) => Promise<Image>) | undefined;
  /** A photo as it is encoded, by its path: squares that are not kept are cut from it. */
  readonly photo?: ((path: string) => Promise<Uint8Array<ArrayBuffer>>) | undefined;
}

/** The parts of a cache that several processes make; undefined where it is one by itself. */
async function partsIn(files: FileSystem): Promise<CachePart[] | undefined> {
  const names = await files.list();
  const found = partsAmong(names);
  const [one] = found;
  if (!one || names.includes('cache.json')) return undefined;
  const other = found.find(({ of }) => of !== one.of);
  if (other) {
    throw new CacheError(
      `cache: ${files.name}: it holds ${partName(one)} and ${partName(other)}, parts of two caches; remove one of them`,
    );
  }
  const parts = Array.from({ length: one.of }, (_, i) => ({ number: i + 1, of: one.of }));
  const missing = parts.find((part) => !names.includes(partName(part)));
  if (missing) throw missingPart(files, partName(missing));
  return parts;
}

function missingPart(files: FileSystem, name: string): CacheError {
  const shard = name.replace('-of-', '/');
  return new CacheError(
    `cache: ${files.name}: its part ${name} is missing; \`zeroseg cache --shard ${shard}\` makes it`,
  );
}

/**
 * The folder that one of several processes fills.
 *
 * @throws CacheError when the cache is one by itself, or of another number of parts.
 */
export async function partFolder(files: FileSystem, part: CachePart): Promise<FileSystem> {
  const names = await files.list();
  const other = partsAmong(names).find(({ of }) => of !== part.of);
  if (names.includes('cache.json') || other) {
    throw new CacheError(
      `cache: ${files.name}: it is ${other ? `made in ${other.of} parts` : 'no cache in parts'}, and cannot go on in ${part.of}; use another folder`,
    );
  }
  return files.folder(partName(part));
}

/** Rows of a folder, and what reads them. */
interface CacheSource {
  readonly folder: string;
  readonly index: CacheIndex;
  readonly shards: ShardReader;
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
    this.#paths ??= Array.from({ length: this.length }, (_, i) => {
      const { part, photo } = this.#order.at(i);
      return (this.#parts[part] as CacheSource).index.path(photo);
    });
    return this.#paths;
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
    const { decode, photo } = this.#options;
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
    const bytes = await (photo as NonNullable<typeof photo>)(of.path);
    if ((await hashPhoto(bytes)) !== of.hash) {
      return refuse(`${of.path} has changed since its features were computed; run \`zeroseg cache\` again`);
    }
    return studentImage(await decode(bytes, of.path), side);
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
    for (const { shards } of this.#parts) await shards.close();
  }
}

async function readHeader(files: FileSystem): Promise<CacheKey | undefined> {
  if (!(await files.status('cache.json'))) return undefined;
  const file = files.describe('cache.json');
  const header = (await readJsonFile(files, 'cache.json')) as {
    format?: string;
    version?: number;
    key?: CacheKey;
  } | null;
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

/** What messages call a field whose name does not say it. */
const fieldWords: Readonly<Record<string, string>> = {
  viewSource: 'source of views',
  teacherSize: "side of the teacher's views",
  dim: 'width of features',
  studentSize: "side of the student's squares",
  squares: 'form of the squares',
  precision: 'precision of the teacher',
};

function differences(given: CacheKey, asked: CacheKey): string[] {
  // What caches of before do not say, because there was nothing else.
  const before = { squares: 'raw', precision: 'f32' };
  const [found, wanted] = [given, asked].map((key): Record<string, unknown> => ({ ...before, ...key })) as [
    Record<string, unknown>,
    Record<string, unknown>,
  ];
  const names = new Set([...Object.keys(found), ...Object.keys(wanted)]);
  // Caches of before do not say what decoded their photos: they stay valid.
  if (found['decoder'] === undefined || wanted['decoder'] === undefined) names.delete('decoder');
  return [...names]
    .map((name) => [name, ...[found, wanted].map((key) => JSON.stringify(ownValue(key, name)))])
    .filter(([, old, now]) => old !== now)
    .map(([name, old, now]) => `${ownValue(fieldWords, name as string) ?? name} is ${old} in the cache, ${now} now`);
}

function checkKey(files: FileSystem, found: CacheKey, wanted: CacheKey, remedy: string): void {
  const changes = differences(found, wanted);
  if (changes.length === 0) return;
  throw new CacheError(`cache: ${files.name}: made with other settings (${changes.join('; ')}); ${remedy}`);
}

/** Files that only a cache writes. */
const ownFiles = /^\.?(features-\d+|cache|state)\..*$/;

async function removeAll(files: FileSystem): Promise<void> {
  const names = (await files.list()).filter((name) => ownFiles.test(name) && name !== LOCK);
  // Killed in between, what is left must still be a cache with its old key: indices go first, the header last.
  const order = (name: string): number => (name === 'cache.json' ? 2 : /\.(json|index)$/.test(name) ? 0 : 1);
  for (const name of names.sort((a, b) => order(a) - order(b))) await files.remove(name);
}

/** A folder that holds other things is probably a slip of the keyboard. Without their header, shards mean nothing. */
async function assertUnused(files: FileSystem): Promise<void> {
  const names = await files.list();
  const [part] = partsAmong(names);
  if (part) {
    throw new CacheError(
      `cache: ${files.name}: it is made in ${part.of} parts; give the part (--shard 1/${part.of}), or use another folder`,
    );
  }
  const other = names.find((name) => !name.startsWith('.') && !ownFiles.test(name));
  if (other !== undefined) {
    throw new CacheError(
      `cache: ${files.name}: the folder is not empty (${other}) and is no feature cache; use another one`,
    );
  }
  const shard = names.find((name) => /^features-\d+\.json$/.test(name));
  if (shard !== undefined) {
    throw new CacheError(
      `cache: ${files.name}: there are shards (${shard}) but no cache.json to say what they are; use another folder`,
    );
  }
}
