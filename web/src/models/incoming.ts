/** Models that come by a drop or a file picker. */
import { isModelFile } from './given-files.ts';
import type { GivenFile } from './messages.ts';

/** Files of a dropped folder that are looked at; a CLIP has a dozen. */
const MAX_FILES = 2000;

/** Whether what is dropped is a folder, or files that are no photos. To be asked while the event lasts. */
export function isModelDrop(transfer: DataTransfer): boolean {
  const entries = entriesOf(transfer);
  if (entries.some((entry) => entry.isDirectory)) return true;
  return [...transfer.files].some(({ name }) => isModelFile(name));
}

/** All files of a drop, those of folders too. */
export async function droppedFiles(transfer: DataTransfer): Promise<GivenFile[]> {
  const entries = entriesOf(transfer);
  if (entries.length === 0) return pickedFiles(transfer.files);
  const found: GivenFile[] = [];
  for (const entry of entries) await collect(entry, found);
  return found;
}

export function pickedFiles(files: Iterable<File>): GivenFile[] {
  return [...files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}

function entriesOf(transfer: DataTransfer): FileSystemEntry[] {
  return [...transfer.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
}

async function collect(entry: FileSystemEntry, found: GivenFile[]): Promise<void> {
  if (found.length >= MAX_FILES) return;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    found.push({ path: entry.fullPath.replace(/^\//, ''), file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  // A folder is read in parts, until an empty one.
  for (;;) {
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) return;
    for (const inside of part) await collect(inside, found);
  }
}
