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
import { brokenField, type FileSystem } from '../storage/index.ts';
import { CacheError } from './cache-error.ts';
import {
  assertUnused,
  checkKey,
  differences,
  LOCK,
  OTHER_FOLDER,
  readHeader,
  removeAll,
  writeHeader,
} from './cache-header.ts';
import { CacheIndex } from './cache-index.ts';
import { type CacheKey, cacheKeyFields } from './cache-key.ts';
import { type CachePart, partName, partsAmong } from './cache-parts.ts';
import { CacheReader, type CacheSource, type ReadOptions } from './cache-reader.ts';
import { type CacheOptions, CacheWriter } from './cache-writer.ts';
import { ShardReader } from './shards.ts';
import { squaresOf } from './squares.ts';

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
      await writeHeader(files, key);
    }
    const index = await CacheIndex.load(files, { isLocked: true, repair: options.repair ?? false });
    return new CacheWriter(files, key, index, options, lock);
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

/** In how many parts a cache is made; undefined where it is one by itself, or not begun. */
export async function partCount(files: FileSystem): Promise<number | undefined> {
  const names = await files.list();
  return names.includes('cache.json') ? undefined : partsAmong(names)[0]?.of;
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
