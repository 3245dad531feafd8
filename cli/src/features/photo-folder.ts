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
    photos: paths.map((path) => new FolderPhoto(folder, path)),
    decoder: 'sharp',
    decode: decodePhoto,
  };
}

/** Of millions of photos no more is in memory than their paths. */
class FolderPhoto implements PhotoFile {
  readonly #folder: string;
  readonly path: string;

  constructor(folder: string, path: string) {
    this.#folder = folder;
    this.path = path;
  }

  async status(): Promise<{ size: number; mtime: number }> {
    const place = join(this.#folder, this.path);
    const { size, mtimeMs } = await read(place, () => stat(place));
    return { size, mtime: Math.floor(mtimeMs) };
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    const place = join(this.#folder, this.path);
    const { buffer, byteOffset, length } = await read(place, () => readFile(place));
    return new Uint8Array(buffer, byteOffset, length);
  }
}

async function read<T>(place: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new FileError('readPhoto', place, systemReason(error), { cause: error });
  }
}
