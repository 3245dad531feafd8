import { stat } from 'node:fs/promises';
import { type CacheReader, FileError, readCache } from '@zeroseg/core/zeroseg';
import { nodeFileSystem } from '../files/index.ts';
import { decodePhoto } from '../photos/index.ts';
import { openPhotos } from './photo-source.ts';
import { SquareThreads } from './square-threads.ts';

/**
 * Opens a feature cache for training, whatever its squares are kept as; `photos` is where those are that they are cut from, if it keeps none.
 *
 * @throws CacheError when it is none; FileError when there are no photos.
 */
export async function readFeatures(folder: string, photos?: string): Promise<CacheReader> {
  if (photos === undefined) return readCache(nodeFileSystem(folder), {}, { decode: decodePhoto });
  const isArchive = await stat(photos).then(
    (found) => found.isFile(),
    () => false,
  );
  const source = await openPhotos(photos, isArchive);
  const files = new Map(source.photos.map((file) => [file.path, file]));
  const photo = async (path: string) => {
    const file = files.get(path);
    if (!file) throw new FileError('readPhoto', `${photos}/${path}`, 'this photo of the cache is not there');
    return file.bytes();
  };
  const threads = new SquareThreads();
  return readCache(
    nodeFileSystem(folder),
    {},
    {
      ...{ decode: source.decode, photo },
      cut: (read, path, side) => threads.cut(read, path, side),
      close: () => threads.close(),
    },
  );
}
