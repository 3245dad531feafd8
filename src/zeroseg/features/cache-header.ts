/** What the header of a cache says, and which files are a cache's. */
import { ownValue } from '../../gpu/index.ts';
import { brokenField, type FileSystem, readJsonFile } from '../storage/index.ts';
import { CacheError } from './cache-error.ts';
import { type CacheKey, cacheKeyFields } from './cache-key.ts';
import { partsAmong } from './cache-parts.ts';

/** Version of the files. A reader of another version refuses them. */
const VERSION = 1;

/** Who writes to a cache locks this file in it. */
export const LOCK = 'cache.lock';

/** What remedies a cache that was made with other settings. */
export const OTHER_FOLDER = 'use another folder, or open it with force (--force) to empty it and compute all again';

/** Refuses a folder that {@link openCache} would refuse for its key, and writes nothing: to be known before a device is opened. */
export async function checkCacheKey(files: FileSystem, key: CacheKey): Promise<void> {
  const found = await readHeader(files);
  if (found) checkKey(files, found, key, OTHER_FOLDER);
}

/** The key of the cache in a folder; undefined where there is none. */
export async function readHeader(files: FileSystem): Promise<CacheKey | undefined> {
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

/** Begins a cache. */
export async function writeHeader(files: FileSystem, key: CacheKey): Promise<void> {
  const header = { format: 'zeroseg feature cache', version: VERSION, dtype: 'F16', key };
  await files.write('cache.json', `${JSON.stringify(header, undefined, 2)}\n`);
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

/** How two keys differ, in words. */
export function differences(given: CacheKey, asked: CacheKey): string[] {
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

/** Refuses a cache with another key. */
export function checkKey(files: FileSystem, found: CacheKey, wanted: CacheKey, remedy: string): void {
  const changes = differences(found, wanted);
  if (changes.length === 0) return;
  throw new CacheError(`cache: ${files.name}: made with other settings (${changes.join('; ')}); ${remedy}`);
}

/** Files that only a cache writes. */
const ownFiles = /^\.?(features-\d+|cache|state)\..*$/;

/** Empties a cache. */
export async function removeAll(files: FileSystem): Promise<void> {
  const names = (await files.list()).filter((name) => ownFiles.test(name) && name !== LOCK);
  // Killed in between, what is left must still be a cache with its old key: indices go first, the header last.
  const order = (name: string): number => (name === 'cache.json' ? 2 : /\.(json|index)$/.test(name) ? 0 : 1);
  for (const name of names.sort((a, b) => order(a) - order(b))) await files.remove(name);
}

/** Refuses a folder in which no cache can begin: one that holds other things is probably a slip of the keyboard. Without their header, shards mean nothing. */
export async function assertUnused(files: FileSystem): Promise<void> {
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
