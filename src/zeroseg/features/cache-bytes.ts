import { safetensorsSize } from '../../nn/safetensors/index.ts';
import type { CacheKey } from './cache-key.ts';
import { shardMetadata, shardTensors } from './shards.ts';

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

/** Bytes of the squares of a cache by what they are kept as: of pixels exactly; of files about, as measured on the package's photos at 224 pixels. */
export function squareBytes(
  squares: 'raw' | 'jpeg' | 'lossless' | 'none',
  { studentSize }: Pick<CacheKey, 'studentSize'>,
  photos: number,
): number {
  return Math.round(photos * (studentSize ?? 0) ** 2 * bytesPerPixel[squares]);
}

const bytesPerPixel = { raw: 3, jpeg: 0.302, lossless: 0.761, none: 0 } as const;

/**
 * Bytes of the files of features and squares of a cache, exactly: what is left of its bytes are the names of the photos.
 *
 * ```ts
 * featureBytes({ views: 30, dim: 768, studentSize: 224 }, 1000, 256); // 196,609,312
 * ```
 */
export function featureBytes(
  shape: Pick<CacheKey, 'views' | 'dim' | 'studentSize'>,
  photos: number,
  shardSize = 256,
): number {
  const sizeOf = (rows: number): number => (rows > 0 ? safetensorsSize(shardTensors(rows, shape), shardMetadata) : 0);
  return Math.floor(photos / shardSize) * sizeOf(shardSize) + sizeOf(photos % shardSize);
}
