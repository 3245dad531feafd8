import type { OpfsFileHandle, OpfsFolderHandle } from './opfs-types.ts';
import { reasons, sortNames } from './paths.ts';

/** Writes at a position of a file; what is behind stays only where the position is not 0. */
export async function put(file: OpfsFileHandle, bytes: Uint8Array<ArrayBuffer>, position: number): Promise<void> {
  const writable = await file.createWritable({ keepExistingData: position > 0 });
  try {
    await writable.seek(position);
    await writable.write(bytes);
  } catch (error) {
    await writable.abort().catch(() => undefined);
    throw error;
  }
  await writable.close();
}

export async function namesIn(folder: OpfsFolderHandle): Promise<string[]> {
  const names: string[] = [];
  for await (const [name] of folder.entries()) names.push(name);
  return sortNames(names);
}

export async function isFolder(folder: OpfsFolderHandle, name: string): Promise<boolean> {
  return folder.getDirectoryHandle(name).then(
    () => true,
    () => false,
  );
}

export function randomName(): string {
  return Math.floor(Math.random() * 2 ** 32)
    .toString(16)
    .padStart(8, '0');
}

/** A browser's error in words. */
export function reasonOf(error: unknown): string {
  const { name, message } = error as Error;
  const known: Readonly<Record<string, string>> = {
    NotFoundError: reasons.missing,
    TypeMismatchError: reasons.isFolder,
    QuotaExceededError: 'the browser gives this site no more space',
    NoModificationAllowedError: 'another page is using it',
    InvalidModificationError: reasons.folderInTheWay,
    NotAllowedError: 'permission denied',
    SecurityError: 'permission denied',
    NotReadableError: 'it was changed while it was read',
    InvalidStateError: 'it was changed while it was used',
  };
  return known[name] ?? message;
}
