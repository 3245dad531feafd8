import { stat } from 'node:fs/promises';
import {
  CacheError,
  type CacheReader,
  FileError,
  type PhotoFile,
  type ReadOptions,
  readCache,
} from '@zeroseg/core/zeroseg';
import { nodeFileSystem } from '../files/index.ts';
import { decodePhoto } from '../photos/index.ts';
import { openPhotos } from './photo-source.ts';
import { SquareThreads } from './square-threads.ts';

/**
 * Opens a feature cache for training, whatever its squares are kept as; `photos` is where those are that they are cut from, if it keeps none.
 * All of them must be there, and a cache that has its squares takes none: this is told before a run is begun.
 *
 * @throws CacheError when it is none, or its squares and `photos` do not go together; FileError when there are no photos, or one is missing.
 */
export async function readFeatures(folder: string, photos?: string): Promise<CacheReader> {
  const source = photos === undefined ? undefined : await photosAt(photos);
  const cache = await readCache(nodeFileSystem(folder), {}, { decode: decodePhoto, ...(source && cutting(source)) });
  try {
    const isCut = cache.key.squares === 'none';
    const refuse = (reason: string): never => {
      throw new CacheError(`cache: ${cache.folder}: ${reason}`);
    };
    if (isCut && !source) refuse('it keeps no squares, which are cut from the photos; say where these are (--photos)');
    if (!isCut && source && cache.key.studentSize !== null)
      refuse('it keeps its squares, so photos are not read; leave --photos out');
    if (source) for (const path of cache.eachPath()) source.find(path);
  } catch (error) {
    await cache.close();
    throw error;
  }
  return cache;
}

/** Squares that are cut from photos, in threads of their own. */
function cutting({ find }: FoundPhotos): ReadOptions {
  const threads = new SquareThreads();
  return {
    photo: (path) => find(path).bytes(),
    cut: (read, path, side) => threads.cut(read, path, side),
    close: () => threads.close(),
  };
}

interface FoundPhotos {
  /** @throws FileError when there is no photo of this path. */
  find(path: string): PhotoFile;
}

async function photosAt(place: string): Promise<FoundPhotos> {
  const isArchive = await stat(place).then(
    (found) => found.isFile(),
    () => false,
  );
  const { photos } = await openPhotos(place, isArchive);
  const files = new Map(photos.map((file) => [file.path, file]));
  const find = (path: string) => {
    const file = files.get(path);
    if (!file) throw new FileError('readPhoto', `${place}/${path}`, 'this photo of the cache is not there');
    return file;
  };
  return { find };
}
