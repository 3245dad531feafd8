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
import { checkRange, checkSize, contentBytes, fileNames, joinPath, pathNames, reasons, sortNames } from './paths.ts';

/** What a folder holds, by name. */
type Folder = Map<string, Folder | Uint8Array<ArrayBuffer>>;

/** What all folders of one memory share. */
interface Memory {
  readonly root: Folder;
  /** Paths of the locks that are held, from the root on. */
  readonly locks: Set<string>;
}

/**
 * A file system in memory: for pages that keep nothing, and for tests. What it holds lives as long as it does. Bytes are copied
 * in and out, so that nobody changes a file by changing an array.
 *
 * ```ts
 * const files = memoryFileSystem();
 * await files.write('a.txt', 'hello');
 * new TextDecoder().decode(await files.read('a.txt')); // 'hello'
 * ```
 */
export function memoryFileSystem(name = 'memory:/'): FileSystem {
  return new MemoryFolder(name, { root: new Map(), locks: new Set() }, []);
}

class MemoryFolder implements FileSystem {
  readonly name: string;
  readonly #memory: Memory;
  /** Names that lead here from the root. */
  readonly #way: readonly string[];
  readonly #held: HeldLocks;

  constructor(name: string, memory: Memory, way: readonly string[], outer?: HeldLocks) {
    this.name = name;
    this.#memory = memory;
    this.#way = way;
    this.#held = new HeldLocks(outer);
  }

  describe(path: string): string {
    return joinPath(this.name, path);
  }

  async status(path: string): Promise<FileStatus | undefined> {
    const found = this.#find(pathNames('status', this.name, path));
    if (found === undefined) return undefined;
    return found instanceof Map ? { kind: 'folder', size: 0 } : { kind: 'file', size: found.length };
  }

  async list(path = ''): Promise<string[]> {
    const found = this.#find(pathNames('list', this.name, path));
    if (found instanceof Map) return sortNames(found.keys());
    if (found) throw new FileError('list', this.describe(path), reasons.underFile);
    return [];
  }

  async read(path: string, max: number = LARGEST_READ): Promise<Uint8Array<ArrayBuffer>> {
    const found = this.#file('read', path);
    checkSize('read', this.describe(path), found.length, max);
    return found.slice();
  }

  async open(path: string): Promise<OpenFile> {
    // Never changed in place, so it stays as it was opened.
    const found = this.#file('open', path);
    return {
      size: found.length,
      readRange: async (start, end) => {
        checkRange(this.describe(path), start, end, found.length);
        return found.slice(start, end);
      },
      close: async () => {},
    };
  }

  async write(path: string, content: Uint8Array | string): Promise<void> {
    await this.#held.check();
    this.#put('write', path, contentBytes(content));
  }

  async append(path: string, content: Uint8Array | string): Promise<void> {
    await this.#held.check();
    const isThere = this.#find(pathNames('append', this.name, path)) !== undefined;
    const old = isThere ? this.#file('append', path) : new Uint8Array(0);
    const added = contentBytes(content);
    const all = new Uint8Array(old.length + added.length);
    all.set(old);
    all.set(added, old.length);
    this.#put('append', path, all);
  }

  async sync(path: string): Promise<void> {
    this.#file('sync', path);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#held.check();
    const old = fileNames('rename', this.name, from);
    const { above, name } = fileNames('rename', this.name, to);
    const moved = this.#find([...old.above, old.name]);
    if (moved === undefined) throw new FileError('rename', this.describe(from), reasons.missing);
    const target = this.#find([...above, name]);
    if (moved instanceof Map && target) {
      const reason = target instanceof Map ? reasons.folderInTheWay : reasons.fileInTheWay;
      throw new FileError('rename', this.describe(to), reason);
    }
    if (target instanceof Map) throw new FileError('rename', this.describe(to), reasons.isFolder);
    if (moved instanceof Map && `${to}/`.startsWith(`${from}/`)) {
      throw new FileError(
        'rename',
        this.describe(to),
        `it lies in ${this.describe(from)}, which was to be moved there`,
      );
    }
    const folder = this.#makeFolder('rename', above);
    (this.#find(old.above) as Folder).delete(old.name);
    folder.set(name, moved);
  }

  async remove(path: string): Promise<void> {
    await this.#held.check();
    const { above, name } = fileNames('remove', this.name, path);
    const folder = this.#find(above);
    if (folder instanceof Map) folder.delete(name);
  }

  async makeFolder(path: string): Promise<void> {
    await this.#held.check();
    this.#makeFolder('makeFolder', pathNames('makeFolder', this.name, path));
  }

  folder(path: string): FileSystem {
    const names = pathNames('folder', this.name, path);
    return new MemoryFolder(this.describe(path), this.#memory, [...this.#way, ...names], this.#held);
  }

  async lock(op: string, file: string = LOCK_FILE): Promise<HeldLock> {
    const { locks } = this.#memory;
    const key = [...this.#way, file].join('/');
    if (locks.has(key)) throw new LockError(op, this.name, 'it is being written to already; wait for that, or stop it');
    const locked = this.#makeFolder(op, []);
    locks.add(key);
    return this.#held.hold({
      check: async () => {
        if (locks.has(key) && this.#find([]) === locked) return;
        throw new LockError(op, this.name, 'the folder has vanished while it was written to');
      },
      release: async () => void locks.delete(key),
    });
  }

  async removeLeftovers(): Promise<void> {
    // A write is one step here: none is ever half done.
  }

  #find(names: readonly string[]): Folder | Uint8Array<ArrayBuffer> | undefined {
    let found: Folder | Uint8Array<ArrayBuffer> | undefined = this.#memory.root;
    for (const name of [...this.#way, ...names]) {
      if (!(found instanceof Map)) return undefined;
      found = found.get(name);
    }
    return found;
  }

  #file(op: string, path: string): Uint8Array<ArrayBuffer> {
    const found = this.#find(pathNames(op, this.name, path));
    if (found instanceof Uint8Array) return found;
    throw new FileError(op, this.describe(path), found ? reasons.isFolder : reasons.missing);
  }

  #put(op: string, path: string, bytes: Uint8Array<ArrayBuffer>): void {
    const { above, name } = fileNames(op, this.name, path);
    const folder = this.#makeFolder(op, above);
    if (folder.get(name) instanceof Map) throw new FileError(op, this.describe(path), reasons.isFolder);
    folder.set(name, bytes);
  }

  #makeFolder(op: string, names: readonly string[]): Folder {
    let folder = this.#memory.root;
    const way = [...this.#way, ...names];
    way.forEach((name, i) => {
      let inner = folder.get(name);
      if (inner instanceof Uint8Array) {
        const place = this.describe(way.slice(this.#way.length, i + 1).join('/'));
        throw new FileError(op, place, reasons.fileInTheWay);
      }
      if (!inner) folder.set(name, (inner = new Map()));
      folder = inner;
    });
    return folder;
  }
}
