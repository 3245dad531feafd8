/** Which photos places mean: photos, folders of them, patterns. */
import { basename, dirname, extname, relative, resolve, sep } from 'node:path';
import { glob, isDynamicPattern } from 'tinyglobby';
import { isPhotoName, listPhotos, withoutResults } from '../photos/index.ts';
import { UsageError } from '../shell/index.ts';
import { kindOfPath } from '../weights/index.ts';

/** A photo that is to be segmented. */
export interface PlacedPhoto {
  /** As a command may name it. */
  readonly path: string;
  /** Its way from the folder or the fixed part of the pattern that it was found by, with `/`, such as `cats/1.jpg`. */
  readonly name: string;
}

/**
 * The photos of files, folders (with those below) and patterns such as `photos/*.jpg`, which shells leave alone between quotes; each
 * once, in the order given. Of a folder or a pattern what `zeroseg segment` wrote is left out. A file that is there is never a pattern,
 * whatever its name.
 */
export async function findPhotos(places: readonly string[]): Promise<PlacedPhoto[]> {
  const found = new Map<string, PlacedPhoto>();
  const add = (path: string, name: string): void => {
    const place = resolve(path);
    if (!found.has(place)) found.set(place, { path, name });
  };
  for (const place of places) {
    const kind = await kindOfPath(place);
    if (kind === 'folder') {
      for (const path of await listPhotos(place, { results: false }))
        add(`${place.replace(/[/\\]+$/, '')}/${path}`, path);
    } else if (kind === undefined && isDynamicPattern(place)) {
      const fixed = fixedPart(place);
      for (const path of await photosOf(place)) add(path, relative(fixed, path).split(sep).join('/'));
    } else add(place, basename(place));
  }
  return [...found.values()];
}

async function photosOf(pattern: string): Promise<string[]> {
  const paths = await glob(sep === '\\' ? pattern.replaceAll('\\', '/') : pattern, { expandDirectories: false });
  const photos = await withoutResults('', paths.filter(isPhotoName).sort());
  if (photos.length === 0) throw new UsageError(`segment: no photo has a name like '${pattern}'`);
  return photos;
}

/** The folder in front of the first part of a pattern that is none. */
function fixedPart(pattern: string): string {
  let place = pattern;
  while (isDynamicPattern(place)) place = dirname(place);
  return place;
}

/** The name without its ending, for what is written: `cats/1`. */
export function stemOf(name: string): string {
  return name.slice(0, name.length - extname(name).length);
}
