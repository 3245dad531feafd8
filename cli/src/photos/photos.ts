import { readdir, realpath, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { FileError, systemReason } from '../files/index.ts';
import { withoutResults } from './own-results.ts';

/** File name endings that count as photos, in lower case. */
export const photoEndings: readonly string[] = [
  '.jpg',
  '.jpeg',
  '.jfif',
  '.png',
  '.webp',
  '.gif',
  '.tif',
  '.tiff',
  '.avif',
];

/** Whether a name, or the last part of a path, ends as a photo's. */
export function isPhotoName(name: string): boolean {
  return photoEndings.includes(extname(name).toLowerCase());
}

export interface ListOptions {
  /** Also the photos in folders below. Default true. */
  readonly recursive?: boolean;
  /** Also pictures that `zeroseg segment` wrote, with its record beside them. Default true. */
  readonly results?: boolean;
}

/**
 * The photos of a folder, as paths relative to it with `/` between the parts, sorted by code units: the same on every
 * machine, whatever its language. Hidden files and folders (`.name`) are left out; links are followed.
 *
 * Throws {@link FileError} when the folder is missing, is none, or holds no photo.
 *
 * ```ts
 * for (const path of await listPhotos('photos')) console.log(path); // 'cats/1.jpg', 'dog.png', ...
 * ```
 */
export async function listPhotos(
  folder: string,
  { recursive = true, results = true }: ListOptions = {},
): Promise<string[]> {
  const photos: string[] = [];
  // A link to a folder above would go round for ever.
  const seen = new Set<string>();
  let skipped = false;

  async function visit(place: string): Promise<void> {
    const here = join(folder, place);
    const real = await realpath(here);
    if (seen.has(real)) return;
    seen.add(real);
    const entries = await readdir(here, { withFileTypes: true });
    const folders: string[] = [];
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue;
      const path = place === '' ? entry.name : `${place}/${entry.name}`;
      const target = entry.isSymbolicLink() ? await stat(join(folder, path)).catch(() => undefined) : entry;
      if (target?.isDirectory()) folders.push(path);
      else if (target?.isFile() && isPhotoName(entry.name)) photos.push(path);
    }
    if (recursive) for (const path of folders.sort()) await visit(path);
    else skipped ||= folders.length > 0;
  }

  try {
    if (!(await stat(folder)).isDirectory()) {
      throw new FileError('listPhotos', folder, 'this is a file; name the folder that it is in');
    }
    await visit('');
  } catch (error) {
    if (error instanceof FileError) throw error;
    const remedy = (error as NodeJS.ErrnoException).code === 'ENOENT' ? '; check the spelling' : '';
    throw new FileError('listPhotos', folder, systemReason(error) + remedy, { cause: error });
  }
  const found = results ? photos : await withoutResults(folder, photos);
  if (found.length === 0) {
    const kinds = photoEndings.map((ending) => ending.slice(1)).join(', ');
    const remedy = skipped ? '; the folders below it were not searched (recursive)' : '';
    const others = photos.length > 0 ? ', only what `zeroseg segment` wrote' : '';
    throw new FileError('listPhotos', folder, `there are no photos (${kinds}) in this folder${others}${remedy}`);
  }
  return found.sort();
}
