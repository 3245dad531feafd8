import type { PhotoFile, PhotoSource } from '@zeroseg/core/zeroseg';
import { glob } from 'tinyglobby';
import { type Archive, archivePattern, compressedPattern, openArchive } from '../archives/index.ts';
import { FileError } from '../files/index.ts';
import { decodePhoto, isPhotoName, listPhotos } from '../photos/index.ts';
import { photoFolder } from './photo-folder.ts';

/** No photo comes near. */
const LARGEST_PHOTO = 2 ** 31 - 1;

/** Photos, and compressed archives beside them, which are not read, with the reason. */
export interface OpenedPhotos extends PhotoSource {
  readonly photos: readonly PhotoFile[];
  readonly passedOver: readonly FileError[];
}

/**
 * Photos of a folder, of the tar and zip archives in it (WebDataset's shards, say), or of one archive: nothing is unpacked, and one photo is
 * read at a time. Those in archives are called `shard-000000.tar/cat.jpg`.
 *
 * @throws FileError when there is no photo.
 */
export async function openPhotos(place: string, isArchive: boolean): Promise<OpenedPhotos> {
  const decoding = { decoder: 'sharp', decode: decodePhoto };
  if (isArchive) {
    const photos = photosOf(await openArchive(place), '');
    if (photos.length === 0) throw new FileError('openPhotos', place, 'there is no photo in this archive');
    return { photos, passedOver: [], ...decoding };
  }
  const names = (await glob(archivePattern, { cwd: place })).sort();
  const passedOver = await refusals(place);
  if (names.length === 0 && passedOver.length === 0) {
    return { ...photoFolder(place, await listPhotos(place, { results: false })), passedOver };
  }
  const loose = await listPhotos(place, { results: false }).catch((error) => {
    // Shards without photos beside them are what they mostly are.
    if (error instanceof FileError) return [];
    throw error;
  });
  const photos = [...photoFolder(place, loose).photos];
  for (const name of names) photos.push(...photosOf(await openArchive(`${place}/${name}`), `${name}/`));
  if (photos.length === 0)
    throw (
      passedOver[0] ??
      new FileError('openPhotos', place, `there is no photo in it, nor in its ${names.length} archives`)
    );
  return { photos, passedOver, ...decoding };
}

/** Why the compressed archives of a folder are not read. */
async function refusals(place: string): Promise<FileError[]> {
  const found: FileError[] = [];
  for (const name of (await glob(compressedPattern, { cwd: place })).sort()) {
    await openArchive(`${place}/${name}`).catch((error) => {
      if (!(error instanceof FileError)) throw error;
      found.push(error);
    });
  }
  return found;
}

function photosOf({ files }: Archive, prefix: string): PhotoFile[] {
  return [...files]
    .filter(([path]) => isPhotoName(path) && !path.split('/').some((part) => part.startsWith('.')))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, file]) => ({
      path: prefix + path,
      status: async () => ({ size: file.size, mtime: file.mtime }),
      bytes: () => file.read(LARGEST_PHOTO),
    }));
}
