import { ZeroSegError } from '../../gpu/index.ts';

/** An image file could not be read or written: `file` names it, `reason` says why. */
export class ImageError extends ZeroSegError {
  override readonly name = 'ImageError';
  readonly code = 'image';
  /** The function that found it. */
  readonly op: string;
  readonly file: string;
  readonly reason: string;

  constructor(op: string, file: string, reason: string, options?: ErrorOptions) {
    super(`${op}: ${file}: ${reason}`, options);
    this.op = op;
    this.file = file;
    this.reason = reason;
  }
}
