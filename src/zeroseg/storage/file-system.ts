/** What a file system says of a path. */
export interface FileStatus {
  readonly kind: 'file' | 'folder' | 'other';
  /** Bytes of a file. */
  readonly size: number;
}

/** A folder that one writer holds; whoever asks meanwhile is refused. */
export interface HeldLock {
  release(): Promise<void>;
}

/**
 * Where caches, runs and studies keep their files: a folder on disk, a page's private file system (OPFS), or memory. Paths are
 * relative to it, with `/` between names, and never leave it.
 *
 * Errors are `FileError`s that name the path and what is wrong with it.
 */
export interface FileSystem {
  /** What and where it is, for messages: the folder's path, or `browser storage: runs/7`. */
  readonly name: string;
  /** `undefined` where there is nothing. */
  status(path: string): Promise<FileStatus | undefined>;
  /** Names of what a folder holds, in ascending order; none where there is no such folder. */
  list(path: string): Promise<readonly string[]>;
  /** A whole file. More than `atMost` bytes are refused before they are read. */
  read(path: string, atMost?: number): Promise<Uint8Array>;
  /** Bytes `start` to `end` (exclusive) of a file. */
  readRange(path: string, start: number, end: number): Promise<Uint8Array>;
  /** Puts a file in the place of another, all of it or nothing: whoever reads sees the old one or the new one. */
  write(path: string, content: Uint8Array | string): Promise<void>;
  /** Adds to the end of a file, which is made where there is none. What was written is on disk when this resolves. */
  append(path: string, content: Uint8Array | string): Promise<void>;
  /** Cuts a file off behind `size` bytes. */
  truncate(path: string, size: number): Promise<void>;
  /** Moves a file or folder; a file that is in the way is replaced. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file, or a folder with what it holds; fine where there is nothing. */
  remove(path: string): Promise<void>;
  /** Makes a folder, and those around it. */
  makeFolder(path: string): Promise<void>;
  /** A folder of it as a file system of its own. */
  folder(path: string): FileSystem;
  /** Takes the folder for one writer. @throws LockError when another has it. */
  lock(purpose: string): Promise<HeldLock>;
}
