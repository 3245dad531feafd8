/** Files and folders that the visitor chooses, or drops on the page. */

/** A file, and where it lies in the folder that was given; its name where it was given by itself. */
export interface GivenFile {
  readonly path: string;
  readonly file: File;
}

/**
 * Marks an element while files are dragged over it, and gives what is dropped to `take`, which says whether it took it; else the browser
 * does what it does with files. Returns how to stop.
 */
export function followDrops(element: HTMLElement, take: (dropped: DataTransfer) => boolean): () => void {
  const over = (event: DragEvent): void => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    element.classList.add('is-dropping');
  };
  const leave = (event: DragEvent): void => {
    if (event.relatedTarget === null) element.classList.remove('is-dropping');
  };
  const drop = (event: DragEvent): void => {
    element.classList.remove('is-dropping');
    if (event.dataTransfer && take(event.dataTransfer)) event.preventDefault();
  };
  element.addEventListener('dragover', over);
  element.addEventListener('dragleave', leave);
  element.addEventListener('drop', drop);
  return () => {
    element.removeEventListener('dragover', over);
    element.removeEventListener('dragleave', leave);
    element.removeEventListener('drop', drop);
  };
}

/** What was dropped, to be asked while the event lasts. */
export function droppedEntries(dropped: DataTransfer): FileSystemEntry[] {
  return [...dropped.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
}

/** All files of these, those of folders too: at most `max`. */
export async function filesOf(
  entries: readonly FileSystemEntry[],
  max = Number.POSITIVE_INFINITY,
): Promise<GivenFile[]> {
  const found: GivenFile[] = [];
  for (const entry of entries) await collect(entry, found, max);
  return found;
}

/** What a file input gives. */
export function pickedFiles(files: Iterable<File>): GivenFile[] {
  return [...files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}

async function collect(entry: FileSystemEntry, found: GivenFile[], max: number): Promise<void> {
  if (found.length >= max) return;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    found.push({ path: entry.fullPath.replace(/^\//, ''), file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  // A folder is read in parts, a hundred entries at a time, until an empty one.
  for (;;) {
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) return;
    for (const inside of part) await collect(inside, found, max);
  }
}
