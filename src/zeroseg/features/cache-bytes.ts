import type { CacheKey } from './cache-key.ts';

/** What is written of a photo beside its features and its square: path, time, checksums. */
const ROW_BYTES = 200;

/**
 * Bytes that a cache of so many photos will take: to be compared with the space that there is, before anything is computed.
 *
 * ```ts
 * cacheBytes({ views: 30, dim: 768, studentSize: 224 }, 1000); // 196,808,000
 * ```
 */
export function cacheBytes(
  { views, dim, studentSize }: Pick<CacheKey, 'views' | 'dim' | 'studentSize'>,
  photos: number,
): number {
  return photos * (2 * views * dim + 3 * (studentSize ?? 0) ** 2 + ROW_BYTES);
}
