import { constants } from 'node:fs';
import { appendFile, lstat, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { checkRange, fileNames, HeldLocks, LARGEST_READ, LOCK_FILE, pathNames, reasons } from '@zeroseg/core/internal';
import { FileError, type FileStatus, type FileSystem, type HeldLock, type OpenFile } from '@zeroseg/core/zeroseg';
import { readBounded } from './bounded-read.ts';
import {
  isLeftover,
  makeFolder,
  refuseLinks,
  sweepLeftovers,
  syncFolder,
  systemReason,
  writeFileAtomic,
} from './files.ts';
import { FolderLock } from './folder-lock.ts';

/** Node reads at most 2 GiB a call. */
const LONGEST_READ = 2 ** 30;

/**
 * A folder on disk as a file system. Files appear whole, flushed to the disk ({@link writeFileAtomic}); locks are the operating
 * system's ({@link FolderLock}); the folder itself may be reached through a link, but nothing is written or removed through one in it.
 *
 * ```ts
 * const files = nodeFileSystem('out/run');
 * await files.write('config.json', '{}'); // out/run/config.json
 * ```
 */
export function nodeFileSystem(folder: string): FileSystem {
  return new NodeFolder(folder);
}

class NodeFolder implements FileSystem {
  readonly name: string;
  readonly #held: HeldLocks;

  constructor(folder: string, outer?: HeldLocks) {
    this.name = folder;
    this.#held = new HeldLocks(outer);
  }

  describe(path: string): string {
    return path === '' ? this.name : join(this.name, path);
  }

  async status(path: string): Promise<FileStatus | undefined> {
    pathNames('status', this.name, path);
    try {
      const found = await stat(this.describe(path));
      const kind = found.isFile() ? 'file' : found.isDirectory() ? 'folder' : 'other';
      return { kind, size: kind === 'file' ? found.size : 0 };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw this.#error('status', path, error);
    }
  }

  async list(path = ''): Promise<string[]> {
    pathNames('list', this.name, path);
    try {
      return (await readdir(this.describe(path))).filter((name) => !isLeftover(name)).sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw this.#error('list', path, error);
    }
  }

  async read(path: string, max: number = LARGEST_READ): Promise<Uint8Array<ArrayBuffer>> {
    fileNames('read', this.name, path);
    return this.#do('read', path, () => readBounded('read', this.describe(path), max));
  }

  async open(path: string): Promise<OpenFile> {
    fileNames('open', this.name, path);
    const place = this.describe(path);
    return this.#do('open', path, async () => {
      const file = await open(place, 'r');
      const found = await file.stat();
      if (!found.isFile()) {
        await file.close();
        throw new FileError('open', place, found.isDirectory() ? reasons.isFolder : 'this is no file');
      }
      const { size } = found;
      return {
        size,
        readRange: async (start, end) => {
          checkRange(place, start, end, size);
          const bytes = new Uint8Array(end - start);
          await this.#do('readRange', path, async () => {
            for (let at = 0; at < bytes.length; ) {
              const length = Math.min(LONGEST_READ, bytes.length - at);
              const { bytesRead } = await file.read(bytes, at, length, start + at);
              if (bytesRead === 0) throw new FileError('readRange', place, 'the file became shorter while it was read');
              at += bytesRead;
            }
          });
          return bytes;
        },
        close: () => file.close(),
      };
    });
  }

  async write(path: string, content: Uint8Array | string): Promise<void> {
    fileNames('write', this.name, path);
    await writeFileAtomic(this.describe(path), content, { op: 'write', lock: this.#lock() });
  }

  async append(path: string, content: Uint8Array | string): Promise<void> {
    const { above } = fileNames('append', this.name, path);
    await this.#held.check();
    await this.#refuseLinks(above);
    await makeFolder(dirname(this.describe(path)));
    const flag = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);
    await this.#do('append', path, () => appendFile(this.describe(path), content, { flag }));
  }

  async sync(path: string): Promise<void> {
    fileNames('sync', this.name, path);
    await this.#do('sync', path, async () => {
      // To be flushed, some systems want a file to be open for writing.
      const file = await open(this.describe(path), constants.O_RDWR | (constants.O_NOFOLLOW ?? 0));
      await file.sync().finally(() => file.close());
    });
    await syncFolder(dirname(this.describe(path)));
  }

  async rename(from: string, to: string): Promise<void> {
    const old = fileNames('rename', this.name, from);
    const target = fileNames('rename', this.name, to);
    const [oldPlace, place] = [this.describe(from), this.describe(to)];
    await this.#held.check();
    await this.#refuseLinks(old.above);
    const moved = await this.#do('rename', from, () => lstat(oldPlace));
    const there = await lstat(place).catch(() => undefined);
    if (moved.isDirectory() && there) {
      throw new FileError('rename', place, there.isDirectory() ? reasons.folderInTheWay : reasons.fileInTheWay);
    }
    if (there?.isDirectory()) throw new FileError('rename', place, reasons.isFolder);
    if (moved.isDirectory() && `${to}/`.startsWith(`${from}/`)) {
      throw new FileError('rename', place, `it lies in ${oldPlace}, which was to be moved there`);
    }
    await this.#refuseLinks(target.above);
    await makeFolder(dirname(place));
    await this.#do('rename', to, () => rename(oldPlace, place));
    await syncFolder(dirname(place));
  }

  async remove(path: string): Promise<void> {
    const { above } = fileNames('remove', this.name, path);
    await this.#held.check();
    await this.#refuseLinks(above);
    await this.#do('remove', path, () => rm(this.describe(path), { recursive: true, force: true })).catch((error) => {
      if (!isMissing((error as FileError).cause)) throw error;
    });
  }

  async makeFolder(path: string): Promise<void> {
    const names = pathNames('makeFolder', this.name, path);
    await this.#held.check();
    await this.#refuseLinks(names);
    await makeFolder(this.describe(path));
  }

  folder(path: string): FileSystem {
    pathNames('folder', this.name, path);
    return new NodeFolder(this.describe(path), this.#held);
  }

  async lock(op: string, file: string = LOCK_FILE): Promise<HeldLock> {
    return this.#held.hold(await FolderLock.take(op, this.name, { file: join(this.name, file) }));
  }

  async removeLeftovers(): Promise<void> {
    await sweepLeftovers(this.name);
  }

  #lock(): { folder: string; check(): Promise<void> } {
    return { folder: this.name, check: () => this.#held.check() };
  }

  /** @throws {FileError} when one of the folders on the way is a link: what is written and removed there would be elsewhere. */
  async #refuseLinks(names: readonly string[]): Promise<void> {
    for (let i = 0; i < names.length; i++) {
      await refuseLinks(join(this.name, ...names.slice(0, i)), names[i] as string);
    }
  }

  async #do<T>(op: string, path: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof FileError) throw error;
      throw this.#error(op, path, error);
    }
  }

  #error(op: string, path: string, error: unknown): FileError {
    return new FileError(op, this.describe(path), systemReason(error), { cause: error });
  }
}

/** Whether nothing is there: no such name, or a file where a folder would be. */
function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException | undefined)?.code ?? '');
}
