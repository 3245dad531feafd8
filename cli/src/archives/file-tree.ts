import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { FileError, readBounded, systemReason } from '../files/index.ts';
import type { Archive } from './archive.ts';
import { archiveEndings, openArchive } from './open-archive.ts';

/** The largest file that is read as a whole. */
const LARGEST_FILE = 2 ** 31 - 1;

/** An archive as a tree: the names in each of its folders, and its files. */
interface ArchiveTree {
  readonly archive: Archive;
  /** What is in front of every path: folders that hold nothing but one folder are not seen. */
  readonly prefix: string;
  readonly folders: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Where a path leads: on disk, or into an archive. */
type Located = { readonly disk: string } | { readonly tree: ArchiveTree; readonly path: string } | undefined;

/**
 * Files under a root, which is a folder or a tar or zip archive. An archive in a folder is itself a folder, called as the archive without
 * its ending: `val2017.zip` beside `annotations` is the folder `val2017`, unless there is one. Folders of an archive that hold nothing but
 * one other folder are left out, so the photos of `val2017.zip` are in `val2017`, not in `val2017/val2017`.
 */
export class FileTree {
  readonly root: string;
  readonly #archives = new Map<string, Promise<ArchiveTree>>();
  #isArchive: boolean | undefined;

  constructor(root: string) {
    this.root = root;
  }

  /** How messages call a path. */
  place(path: string): string {
    return path === '' ? this.root : join(this.root, path);
  }

  async isFolder(path: string): Promise<boolean> {
    const found = await this.#locate(path);
    if (!found) return false;
    if ('tree' in found) return found.tree.folders.has(found.path);
    return (await kindOf(found.disk)) === 'folder';
  }

  async isFile(path: string): Promise<boolean> {
    const found = await this.#locate(path);
    if (!found) return false;
    if ('tree' in found) return found.tree.archive.files.has(found.tree.prefix + found.path);
    return (await kindOf(found.disk)) === 'file';
  }

  /** The names in a folder, archives among them as folders; sorted by code units. @throws FileError when there is none. */
  async list(path: string): Promise<string[]> {
    const found = await this.#locate(path);
    if (found && 'tree' in found) {
      const names = found.tree.folders.get(found.path);
      if (names) return [...names].sort();
      throw new FileError('list', this.place(path), `there is no such folder in ${found.tree.archive.path}`);
    }
    try {
      const names = await readdir(found?.disk ?? join(this.root, path));
      return [...new Set(names.map((name) => (isArchiveName(name) ? stemOf(name) : name)))].sort();
    } catch (error) {
      throw new FileError('list', this.place(path), systemReason(error), { cause: error });
    }
  }

  /** A whole file. @throws FileError when it is missing, damaged, or longer than `max`. */
  async read(path: string, max: number = LARGEST_FILE): Promise<Uint8Array<ArrayBuffer>> {
    const found = await this.#locate(path);
    if (found && 'tree' in found) {
      const file = found.tree.archive.files.get(found.tree.prefix + found.path);
      if (!file) throw new FileError('read', this.place(path), `there is no such file in ${found.tree.archive.path}`);
      return file.read(max);
    }
    try {
      return await readBounded('read', found?.disk ?? join(this.root, path), max);
    } catch (error) {
      if (error instanceof FileError) throw error;
      throw new FileError('read', this.place(path), systemReason(error), { cause: error });
    }
  }

  /** Size in bytes, and time of the last change in milliseconds since 1970. @throws FileError when there is no such file. */
  async status(path: string): Promise<{ readonly size: number; readonly mtime: number }> {
    const found = await this.#locate(path);
    if (found && 'tree' in found) {
      const file = found.tree.archive.files.get(found.tree.prefix + found.path);
      if (!file) throw new FileError('read', this.place(path), `there is no such file in ${found.tree.archive.path}`);
      return { size: file.size, mtime: file.mtime };
    }
    try {
      const { size, mtimeMs } = await stat(found?.disk ?? join(this.root, path));
      return { size, mtime: Math.floor(mtimeMs) };
    } catch (error) {
      throw new FileError('read', this.place(path), systemReason(error), { cause: error });
    }
  }

  async #locate(path: string): Promise<Located> {
    this.#isArchive ??= (await kindOf(this.root)) === 'file';
    const parts = path.split('/').filter((part) => part !== '' && part !== '.');
    if (this.#isArchive) return { tree: await this.#tree(this.root), path: parts.join('/') };
    let disk = this.root;
    for (const [i, part] of parts.entries()) {
      const next = join(disk, part);
      if ((await kindOf(next)) === undefined) {
        for (const ending of archiveEndings) {
          if ((await kindOf(next + ending)) === 'file') {
            return { tree: await this.#tree(next + ending), path: parts.slice(i + 1).join('/') };
          }
        }
        return undefined;
      }
      disk = next;
    }
    return (await kindOf(disk)) === undefined ? undefined : { disk };
  }

  #tree(path: string): Promise<ArchiveTree> {
    let tree = this.#archives.get(path);
    if (!tree) this.#archives.set(path, (tree = openArchive(path).then(treeOf)));
    return tree;
  }
}

/** Whether a name ends as that of an archive that is read in its place. */
export function isArchiveName(name: string): boolean {
  return archiveEndings.some((ending) => name.endsWith(ending) && name.length > ending.length);
}

function stemOf(name: string): string {
  return basename(
    name,
    archiveEndings.find((ending) => name.endsWith(ending)),
  );
}

function treeOf(archive: Archive): ArchiveTree {
  const folders = new Map<string, Set<string>>([['', new Set()]]);
  for (const path of archive.files.keys()) {
    const parts = path.split('/');
    for (let i = 0; i < parts.length; i++) {
      const folder = parts.slice(0, i).join('/');
      const names = folders.get(folder);
      if (names) names.add(parts[i]!);
      else folders.set(folder, new Set([parts[i]!]));
    }
  }
  let prefix = '';
  for (;;) {
    const [only, another] = folders.get(prefix.slice(0, -1)) ?? [];
    if (only === undefined || another !== undefined || !folders.has(prefix + only)) break;
    prefix += `${only}/`;
  }
  const within = [...folders].flatMap(([path, names]): [string, Set<string>][] =>
    path === prefix.slice(0, -1) ? [['', names]] : path.startsWith(prefix) ? [[path.slice(prefix.length), names]] : [],
  );
  return { archive, prefix, folders: new Map(within) };
}

async function kindOf(path: string): Promise<'file' | 'folder' | undefined> {
  return stat(path).then(
    (found) => (found.isDirectory() ? 'folder' : 'file'),
    () => undefined,
  );
}
