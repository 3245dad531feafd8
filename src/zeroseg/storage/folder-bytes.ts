import type { FileSystem } from './file-system.ts';

/** Bytes of all files in a folder and in the folders below it; 0 where there is none. */
export async function folderBytes(files: FileSystem, path = ''): Promise<number> {
  let bytes = 0;
  for (const name of await files.list(path)) {
    const place = path === '' ? name : `${path}/${name}`;
    const found = await files.status(place);
    bytes += found?.kind === 'folder' ? await folderBytes(files, place) : (found?.size ?? 0);
  }
  return bytes;
}
