/** Folders of the visitor's photos: chosen, or dropped on the page. */
import { droppedEntries, filesOf, type GivenFile, pickedFiles } from '../app/visitor-files.ts';
import type { Folder } from './state/next-run.ts';

const ENDINGS = /\.(jpe?g|png|webp|avif|gif|bmp)$/i;

/** Photos of what a file input gives, or why there are none. */
export function folderOfFiles(files: readonly File[]): Folder | string {
  return folderOf(pickedFiles(files), files[0]?.webkitRelativePath.split('/')[0] || 'photos');
}

/** Photos of what was dropped: folders with all that they hold, or files. */
export async function folderOfDrop(dropped: DataTransfer): Promise<Folder | string> {
  const entries = droppedEntries(dropped);
  const name = entries.length === 1 ? (entries[0]?.name ?? 'photos') : 'photos';
  return folderOf(await filesOf(entries), name);
}

function folderOf(entries: readonly GivenFile[], name: string): Folder | string {
  const photos = entries.filter(({ path, file }) => file.type.startsWith('image/') || ENDINGS.test(path));
  if (photos.length > 0) return { name, photos };
  return entries.length === 0
    ? `There is nothing in “${name}”. Choose a folder of photos.`
    : `There are no photos in “${name}”, only files such as ${entries[0]?.path}. Choose a folder of JPEG, PNG, WebP or AVIF files.`;
}
