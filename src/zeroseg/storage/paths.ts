import { formatBytes } from '../../gpu/index.ts';
import { FileError } from './errors.ts';

/** What is wrong with a path, in the words of every file system. */
export const reasons = {
  missing: 'there is no such file or folder',
  isFolder: 'this is a folder, not a file',
  underFile: 'a part of the path is a file, not a folder',
  fileInTheWay: 'a file of that name is in the way',
  folderInTheWay: 'a folder of that name is in the way',
} as const;

/** The names of a path, from the outermost on; none for the folder itself. @throws {FileError} when it could leave the folder. */
export function pathNames(op: string, root: string, path: string): string[] {
  if (path === '') return [];
  const names = path.split('/');
  // On Windows a backslash separates names as well.
  if (!names.some((name) => name === '' || name === '.' || name === '..' || /[\\\0]/.test(name))) return names;
  const rule = 'a path must be relative, with single / between its names, and may not leave its folder';
  throw new FileError(op, root, `${rule}; got ${JSON.stringify(path)}`);
}

/** {@link pathNames} of a file, which cannot be the folder itself. */
export function fileNames(op: string, root: string, path: string): { readonly above: string[]; readonly name: string } {
  const names = pathNames(op, root, path);
  const name = names.pop();
  if (name === undefined) throw new FileError(op, root, reasons.isFolder);
  return { above: names, name };
}

export function joinPath(root: string, path: string): string {
  if (path === '') return root;
  return root.endsWith('/') ? root + path : `${root}/${path}`;
}

export function contentBytes(content: Uint8Array | string): Uint8Array<ArrayBuffer> {
  return typeof content === 'string' ? new TextEncoder().encode(content) : new Uint8Array(content);
}

/** Ascending by code units, the same on every platform. */
export function sortNames(names: Iterable<string>): string[] {
  return [...names].sort((a, b) => (a < b ? -1 : 1));
}

/** @throws {FileError} when a range is none, or ends behind the file. */
export function checkRange(path: string, start: number, end: number, size: number): void {
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= start && start <= end && end <= size) return;
  throw new FileError('readRange', path, `bytes ${start} to ${end} were asked for; the file has ${size} bytes`);
}

/** @throws {FileError} when a file is larger than the reader allows. */
export function checkSize(op: string, path: string, size: number, max: number): void {
  if (size > max) throw new FileError(op, path, `it holds more than ${formatBytes(max)}, which is no such file`);
}
