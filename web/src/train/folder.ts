/** Folders of the visitor's photos: chosen, or dropped on the page. */
import type { PhotoEntry } from './messages.ts';
import type { Folder } from './state.ts';

const ENDINGS = /\.(jpe?g|png|webp|avif|gif|bmp)$/i;

/** Photos of what a file input gives, or why there are none. */
export function folderOfFiles(files: readonly File[]): Folder | string {
  const entries = files.map((file) => ({ path: file.webkitRelativePath || file.name, file }));
  return folderOf(entries, files[0]?.webkitRelativePath.split('/')[0] || 'photos');
}

/** Photos of what was dropped: folders with all that they hold, or files. */
export async function folderOfDrop(items: DataTransferItemList): Promise<Folder | string> {
  const entries = [...items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  const found: PhotoEntry[] = [];
  for (const entry of entries) await collect(entry, found);
  return folderOf(found, entries.length === 1 ? (entries[0]?.name ?? 'photos') : 'photos');
}

function folderOf(entries: readonly PhotoEntry[], name: string): Folder | string {
  const photos = entries.filter(({ path, file }) => file.type.startsWith('image/') || ENDINGS.test(path));
  if (photos.length > 0) return { name, photos };
  return entries.length === 0
    ? `There is nothing in “${name}”. Choose a folder of photos.`
    : `There are no photos in “${name}”, only files such as ${entries[0]?.path}. Choose a folder of JPEG, PNG, WebP or AVIF files.`;
}

async function collect(entry: FileSystemEntry, found: PhotoEntry[]): Promise<void> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    found.push({ path: entry.fullPath.replace(/^\//, ''), file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A browser gives a hundred at a time.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const one of some) await collect(one, found);
  }
}
