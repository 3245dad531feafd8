import { ZeroSegError } from '../../gpu/index.ts';

/** A file or folder could not be read or written; `path` names it. */
export class FileError extends ZeroSegError {
  override readonly name = 'FileError';
  readonly code = 'file';
  /** The function that found it. */
  readonly op: string;
  readonly path: string;
  /** What is wrong, without the call and the path. */
  readonly reason: string;

  constructor(op: string, path: string, reason: string, options?: ErrorOptions) {
    super(`${op}: ${path || "''"}: ${reason}`, options);
    this.op = op;
    this.path = path;
    this.reason = reason;
  }
}

/** Another process or page writes to a folder, or the lock on it was taken away. */
export class LockError extends ZeroSegError {
  override readonly name = 'LockError';
  readonly code = 'lock';
  /** The function that found it. */
  readonly op: string;
  readonly folder: string;

  constructor(op: string, folder: string, reason: string, options?: ErrorOptions) {
    super(`${op}: ${folder}: ${reason}`, options);
    this.op = op;
    this.folder = folder;
  }
}
