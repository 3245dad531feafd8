import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FileError, type PhotoFile, type PhotoSource } from '@zeroseg/core/zeroseg';
import { systemReason } from '../files/index.ts';
import { decodePhoto } from '../photos/index.ts';

/**
 * Photos of a folder, by their paths in it, as `listPhotos` gives them; decoded by sharp.
 *
 * ```ts
 * const source = photoFolder('photos', await listPhotos('photos'));
 * ```
 */
export function photoFolder(folder: string, paths: readonly string[]): PhotoSource & { photos: readonly PhotoFile[] } {
  return {
    photos: paths.map((path) => photoFile(folder, path)),
    decoder: 'sharp',
    decode: decodePhoto,
  };
}

function photoFile(folder: string, path: string): PhotoFile {
  const place = join(folder, path);
  return {
    path,
    async status() {
      const { size, mtimeMs } = await read(place, () => stat(place));
      return { size, mtime: Math.floor(mtimeMs) };
    },
    bytes: async () => new Uint8Array(await read(place, () => readFile(place))),
  };
}

async function read<T>(place: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new FileError('readPhoto', place, systemReason(error), { cause: error });
  }
}
