/** What a file system says of a path. */
export interface FileStatus {
  readonly kind: 'file' | 'folder' | 'other';
  /** Bytes of a file; 0 for what is none. */
  readonly size: number;
}

/** A file that is read by ranges. One that another file takes the place of meanwhile is read as it was, or (in browsers) no longer. */
export interface OpenFile {
  /** Bytes. */
  readonly size: number;
  /**
   * Bytes `start` to `end` (exclusive), in memory of their own.
   *
   * @throws {FileError} when the file ends before `end`, was changed, or cannot be read.
   */
  readRange(start: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** A folder that one writer holds; whoever asks for it meanwhile is refused. */
export interface HeldLock {
  /** @throws {LockError} when the lock was taken away: somebody else may be writing to the folder now. */
  check(): Promise<void>;
  release(): Promise<void>;
}

/**
 * Where caches, runs and studies keep their files: a folder on disk, a page's private file system (OPFS), or memory.
 *
 * Paths are relative to it, with `/` between names; `''` is the folder itself. No path leaves it: `..` and absolute paths are refused.
 * What cannot be read or written is a {@link FileError} that names the call, the path, and what is wrong.
 *
 * ```ts
 * const files: FileSystem = new MemoryFileSystem();
 * const lock = await files.lock('train');
 * await files.write('runs/1/config.json', JSON.stringify({ seed: 1 }));
 * await files.list('runs/1'); // ['config.json']
 * await lock.release();
 * ```
 */
export interface FileSystem {
  /** What and where it is, for messages: the path of the folder, `opfs:/runs/7`, or `memory:/`. */
  readonly name: string;
  /** A path of this file system with its {@link name}, for messages. */
  describe(path: string): string;
  /** `undefined` where there is nothing. */
  status(path: string): Promise<FileStatus | undefined>;
  /** Names of what a folder holds, in ascending order of code units; none where there is no such folder. Files that are being written are no part of it. */
  list(path?: string): Promise<string[]>;
  /** A whole file. One of more than `max` bytes (default: 2 GiB) is refused before it is read. */
  read(path: string, max?: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Opens a file to be read by ranges, of any size. */
  open(path: string): Promise<OpenFile>;
  /**
   * Puts a file in the place of what is there, all of it or nothing: whoever reads sees the old file or the new one, also
   * when this process is killed, and the new one is on disk when this resolves. Makes the folders around it.
   */
  write(path: string, content: Uint8Array | string): Promise<void>;
  /** Adds to the end of a file, which is made where there is none. What was added may be lost in a crash until {@link sync}. */
  append(path: string, content: Uint8Array | string): Promise<void>;
  /** Brings what was appended to a file to the disk. */
  sync(path: string): Promise<void>;
  /**
   * Moves a file, in place of a file that is there, or a folder to where nothing is. A file, and on disk a folder as well, moves at once;
   * a browser moves a folder's files one by one, in ascending order.
   */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file, or a folder with all that it holds; fine where there is nothing. */
  remove(path: string): Promise<void>;
  /** Makes a folder, and those around it; fine where it is. */
  makeFolder(path: string): Promise<void>;
  /** A folder of it as a file system of its own. Locks that are held here count there as well. */
  folder(path: string): FileSystem;
  /**
   * Takes this folder for one writer, and makes it if need be. While the lock is held, all that is written through this file system, and
   * through its folders, is checked against it first. It ends with the process or page that holds it, however that ends.
   *
   * @param op Who asks, for messages.
   * @param file The name by which writers know each other; on disk, that of the lock file. Default `zeroseg.lock`.
   * @throws {LockError} when another writer has it.
   */
  lock(op: string, file?: string): Promise<HeldLock>;
  /** Removes what killed writers left half written, in the whole folder. For who holds the lock. */
  removeLeftovers(): Promise<void>;
}

/** The largest file that {@link FileSystem.read} reads at once, unless it is told otherwise. */
export const LARGEST_READ: number = 2 ** 31;

/** The lock that writers of a folder take, unless they name another. */
export const LOCK_FILE = 'zeroseg.lock';
