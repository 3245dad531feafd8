import { ZeroSegError } from '../../gpu/index.ts';

/** The cache is damaged, in use, or belongs to other settings. */
export class CacheError extends ZeroSegError {
  override readonly name = 'CacheError';
  readonly code = 'cache';
  /** The photo that was refused; undefined where it is the cache that cannot be used. */
  readonly photo: string | undefined;

  constructor(message: string, { photo, ...options }: ErrorOptions & { photo?: string } = {}) {
    super(message, options);
    this.photo = photo;
  }
}
