/**
 * The parts of the browser's File System and Web Locks interfaces that are used here. Declared by hand, so that the library compiles for
 * Node as well, without the types of a page. https://fs.spec.whatwg.org, https://w3c.github.io/web-locks
 */

export interface OpfsFolderHandle {
  readonly kind: 'directory';
  getDirectoryHandle(name: string, options?: { create?: boolean }): Promise<OpfsFolderHandle>;
  getFileHandle(name: string, options?: { create?: boolean }): Promise<OpfsFileHandle>;
  removeEntry(name: string, options?: { recursive?: boolean }): Promise<void>;
  entries(): AsyncIterable<[string, OpfsFolderHandle | OpfsFileHandle]>;
}

export interface OpfsFileHandle {
  readonly kind: 'file';
  /** A snapshot: reading it fails once the file has changed. */
  getFile(): Promise<Blob>;
  /** What is written appears when it is closed, all of it or nothing. */
  createWritable(options?: { keepExistingData?: boolean }): Promise<OpfsWritable>;
  /** Replaces a file of that name. In Chromium since 111, Firefox 111, Safari 15.2; not yet in the standard. */
  move(folder: OpfsFolderHandle, name: string): Promise<void>;
}

export interface OpfsWritable {
  seek(position: number): Promise<void>;
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  close(): Promise<void>;
  abort(): Promise<void>;
}

/** What a page's `navigator` has, in a secure context. */
export interface OpfsNavigator {
  readonly storage: { getDirectory(): Promise<OpfsFolderHandle> };
  readonly locks: {
    request(name: string, options: { ifAvailable: true }, held: (lock: object | null) => Promise<void>): Promise<void>;
  };
}
