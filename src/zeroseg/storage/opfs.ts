import { FileError, LockError } from './errors.ts';
import {
  type FileStatus,
  type FileSystem,
  type HeldLock,
  LARGEST_READ,
  LOCK_FILE,
  type OpenFile,
} from './file-system.ts';
import { HeldLocks } from './held-locks.ts';
import { isFolder, namesIn, put, randomName, reasonOf } from './opfs-entries.ts';
import type { OpfsFileHandle, OpfsFolderHandle, OpfsNavigator } from './opfs-types.ts';
import { checkRange, checkSize, contentBytes, fileNames, joinPath, pathNames, reasons, sortNames } from './paths.ts';
import { PendingAppends } from './pending-appends.ts';

const root = 'opfs:/';

/** What is being written: by us, then moved; or by a browser (Chromium's swap files). */
const temporary = /^\..*\.[0-9a-f]{8}\.tmp$|\.crswap$/s;

/**
 * The private file system of a page's origin (OPFS), or a folder of it, which is made if need be. What it holds stays when the page is
 * closed; a browser that runs out of space may clear it unless `navigator.storage.persist()` was granted. Works in pages and workers
 * of a secure context (https, or localhost).
 *
 * Writers of a folder are told apart by `navigator.locks`, across all tabs and workers of the origin.
 *
 * ```ts
 * const files = await opfsFileSystem('runs');
 * await files.write('1/config.json', '{}');
 * ```
 *
 * @throws {FileError} where there is no such file system: outside a secure context, and in some private windows.
 */
export async function opfsFileSystem(path = ''): Promise<FileSystem> {
  const names = pathNames('opfs', root, path);
  const { storage } = (globalThis as unknown as { navigator?: Partial<OpfsNavigator> }).navigator ?? {};
  if (!storage?.getDirectory) {
    throw new FileError(
      'opfs',
      root,
      'there is no private file system here; use a page or worker of https:// or localhost',
    );
  }
  try {
    let folder = await storage.getDirectory();
    const top = folder;
    for (const name of names) folder = await folder.getDirectoryHandle(name, { create: true });
    return new OpfsFolder(top, names, new PendingAppends());
  } catch (error) {
    throw new FileError('opfs', joinPath(root, path), reasonOf(error), { cause: error });
  }
}

class OpfsFolder implements FileSystem {
  readonly name: string;
  readonly #top: OpfsFolderHandle;
  /** Names that lead here from the top. */
  readonly #way: readonly string[];
  readonly #pending: PendingAppends;
  readonly #held: HeldLocks;

  constructor(top: OpfsFolderHandle, way: readonly string[], pending: PendingAppends, outer?: HeldLocks) {
    this.name = joinPath(root, way.join('/'));
    this.#top = top;
    this.#way = way;
    this.#pending = pending;
    this.#held = new HeldLocks(outer);
  }

  describe(path: string): string {
    return joinPath(this.name, path);
  }

  async status(path: string): Promise<FileStatus | undefined> {
    const found = await this.#find('status', path);
    if (!found) return undefined;
    if (found.kind === 'directory') return { kind: 'folder', size: 0 };
    return this.#do('status', path, async () => ({ kind: 'file' as const, size: (await found.getFile()).size }));
  }

  async list(path = ''): Promise<string[]> {
    const found = await this.#find('list', path);
    if (!found) return [];
    if (found.kind === 'file') throw new FileError('list', this.describe(path), reasons.underFile);
    return this.#do('list', path, async () =>
      sortNames((await namesIn(found)).filter((name) => !temporary.test(name))),
    );
  }

  async read(path: string, max: number = LARGEST_READ): Promise<Uint8Array<ArrayBuffer>> {
    const file = await this.#file('read', path);
    return this.#do('read', path, async () => {
      const blob = await file.getFile();
      checkSize('read', this.describe(path), blob.size, max);
      return new Uint8Array(await blob.arrayBuffer());
    });
  }

  async open(path: string): Promise<OpenFile> {
    const file = await this.#file('open', path);
    const blob = await this.#do('open', path, () => file.getFile());
    return {
      size: blob.size,
      readRange: async (start, end) => {
        checkRange(this.describe(path), start, end, blob.size);
        return this.#do('readRange', path, async () => new Uint8Array(await blob.slice(start, end).arrayBuffer()));
      },
      close: async () => {},
    };
  }

  async write(path: string, content: Uint8Array | string): Promise<void> {
    await this.#held.check();
    const { above, name } = fileNames('write', this.name, path);
    this.#pending.drop(this.#key(path));
    const folder = await this.#makeFolder('write', above);
    await this.#do('write', path, async () => {
      // Under another name first: a file that a killed page had only made would be there, and empty.
      const unfinished = `.${name.slice(0, 48)}.${randomName()}.tmp`;
      const file = await folder.getFileHandle(unfinished, { create: true });
      try {
        await put(file, contentBytes(content), 0);
        await this.#held.check();
        await file.move(folder, name);
      } catch (error) {
        await folder.removeEntry(unfinished).catch(() => undefined);
        throw (await isFolder(folder, name)) ? new FileError('write', this.describe(path), reasons.isFolder) : error;
      }
    });
  }

  async append(path: string, content: Uint8Array | string): Promise<void> {
    await this.#held.check();
    const { above, name } = fileNames('append', this.name, path);
    const key = this.#key(path);
    if (!this.#pending.has(key)) {
      const folder = await this.#makeFolder('append', above);
      await this.#do('append', path, () => folder.getFileHandle(name, { create: true }));
    }
    await this.#pending.add(key, contentBytes(content), () => this.#flush('append', path));
  }

  async sync(path: string): Promise<void> {
    if (!(await this.#flush('sync', path))) await this.#file('sync', path);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#held.check();
    const old = fileNames('rename', this.name, from);
    const target = fileNames('rename', this.name, to);
    const moved = await this.#find('rename', from);
    if (!moved) throw new FileError('rename', this.describe(from), reasons.missing);
    const there = await this.#find('rename', to);
    if (moved.kind === 'directory') {
      if (there) {
        const reason = there.kind === 'directory' ? reasons.folderInTheWay : reasons.fileInTheWay;
        throw new FileError('rename', this.describe(to), reason);
      }
      if (`${to}/`.startsWith(`${from}/`)) {
        throw new FileError(
          'rename',
          this.describe(to),
          `it lies in ${this.describe(from)}, which was to be moved there`,
        );
      }
      await this.makeFolder(to);
      for (const name of await namesIn(moved)) await this.rename(`${from}/${name}`, `${to}/${name}`);
      await this.remove(from);
      return;
    }
    if (there?.kind === 'directory') throw new FileError('rename', this.describe(to), reasons.isFolder);
    const folder = await this.#makeFolder('rename', target.above);
    await this.#do('rename', [...old.above, old.name].join('/'), () => moved.move(folder, target.name));
  }

  async remove(path: string): Promise<void> {
    await this.#held.check();
    const { above, name } = fileNames('remove', this.name, path);
    this.#pending.drop(this.#key(path));
    const folder = await this.#find('remove', above.join('/'));
    if (folder?.kind !== 'directory') return;
    await this.#do('remove', path, () => folder.removeEntry(name, { recursive: true })).catch((error: FileError) => {
      if ((error.cause as Error).name !== 'NotFoundError') throw error;
    });
  }

  async makeFolder(path: string): Promise<void> {
    await this.#held.check();
    await this.#makeFolder('makeFolder', pathNames('makeFolder', this.name, path));
  }

  folder(path: string): FileSystem {
    const names = pathNames('folder', this.name, path);
    return new OpfsFolder(this.#top, [...this.#way, ...names], this.#pending, this.#held);
  }

  async lock(op: string, file: string = LOCK_FILE): Promise<HeldLock> {
    const { locks } = (globalThis as unknown as { navigator: OpfsNavigator }).navigator;
    let release = (): void => {};
    const free = new Promise<void>((resolve) => (release = resolve));
    let ended = Promise.resolve();
    let isHeld = await new Promise<boolean>((resolve, reject) => {
      ended = locks.request(`zeroseg: ${this.describe(file)}`, { ifAvailable: true }, (lock) => {
        resolve(lock !== null);
        return lock === null ? Promise.resolve() : free;
      });
      // Rejected when no lock can be had here, and when somebody steals it later.
      ended = ended.catch((error) => {
        isHeld = false;
        reject(new FileError(op, this.name, reasonOf(error), { cause: error }));
      });
    });
    if (!isHeld) {
      const remedy = 'wait for it, or close it';
      throw new LockError(op, this.name, `another page or worker of this site is writing to it; ${remedy}`);
    }
    await this.#makeFolder(op, []);
    return this.#held.hold({
      check: async () => {
        if (!isHeld) throw new LockError(op, this.name, 'its lock was taken away, so another page may be writing here');
        if (await this.#find(op, '')) return;
        throw new LockError(op, this.name, 'the folder has vanished while it was written to');
      },
      release: async () => {
        isHeld = false;
        release();
        await ended;
      },
    });
  }

  async removeLeftovers(): Promise<void> {
    const sweep = async (folder: OpfsFolderHandle): Promise<void> => {
      for await (const [name, entry] of folder.entries()) {
        if (entry.kind === 'directory') await sweep(entry);
        // One that a page has open stays: the browser refuses.
        else if (temporary.test(name)) await folder.removeEntry(name).catch(() => undefined);
      }
    };
    const folder = await this.#find('removeLeftovers', '');
    if (folder?.kind === 'directory') await this.#do('removeLeftovers', '', () => sweep(folder));
  }

  #key(path: string): string {
    return [...this.#way, path].join('/');
  }

  /** Writes what was appended and is not in the file yet; false where there is nothing. */
  async #flush(op: string, path: string): Promise<boolean> {
    return this.#pending.inOrder(async () => {
      const bytes = this.#pending.take(this.#key(path));
      if (!bytes) return false;
      const { above, name } = fileNames(op, this.name, path);
      const folder = await this.#makeFolder(op, above);
      await this.#do(op, path, async () => {
        const file = await folder.getFileHandle(name, { create: true });
        await put(file, bytes, (await file.getFile()).size);
      });
      return true;
    });
  }

  async #find(op: string, path: string): Promise<OpfsFolderHandle | OpfsFileHandle | undefined> {
    const names = [...this.#way, ...pathNames(op, this.name, path)];
    const last = names.pop();
    if (last === undefined) return this.#top;
    if (this.#pending.has(this.#key(path))) await this.#flush(op, path);
    try {
      let folder = this.#top;
      for (const name of names) folder = await folder.getDirectoryHandle(name);
      return await folder.getFileHandle(last).catch((error: Error) => {
        if (error.name !== 'TypeMismatchError') throw error;
        return folder.getDirectoryHandle(last);
      });
    } catch (error) {
      const isNothing = ['NotFoundError', 'TypeMismatchError'].includes((error as Error).name);
      if (isNothing) return undefined;
      throw new FileError(op, this.describe(path), reasonOf(error), { cause: error });
    }
  }

  async #file(op: string, path: string): Promise<OpfsFileHandle> {
    const found = await this.#find(op, path);
    if (found?.kind === 'file') return found;
    throw new FileError(op, this.describe(path), found ? reasons.isFolder : reasons.missing);
  }

  async #makeFolder(op: string, names: readonly string[]): Promise<OpfsFolderHandle> {
    let folder = this.#top;
    const way = [...this.#way, ...names];
    for (const [i, name] of way.entries()) {
      folder = await folder.getDirectoryHandle(name, { create: true }).catch((error: Error) => {
        const reason = error.name === 'TypeMismatchError' ? reasons.fileInTheWay : reasonOf(error);
        throw new FileError(op, joinPath(root, way.slice(0, i + 1).join('/')), reason, { cause: error });
      });
    }
    return folder;
  }

  async #do<T>(op: string, path: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof FileError || error instanceof LockError) throw error;
      throw new FileError(op, this.describe(path), reasonOf(error), { cause: error });
    }
  }
}
