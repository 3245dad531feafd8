import { ZeroSegError } from '@zeroseg/core';
/** A file or folder could not be read or written; `path` names it. */
export class FileError extends ZeroSegError {
  override readonly name = 'FileError';
  readonly code = 'file';
  readonly path: string;

  constructor(op: string, path: string, reason: string, options?: ErrorOptions) {
    super(`${op}: ${path}: ${reason}`, options);
    this.path = path;
  }
}
