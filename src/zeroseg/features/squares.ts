import type { Image } from '../image/index.ts';
import type { CacheKey } from './cache-key.ts';

/** Stores squares as small files of their own, such as JPEG: of a cache of ImageNet raw pixels would take 190 GB of 250. */
export interface SquareCodec {
  /** What it is called in a cache's key: with all that decides what comes back, such as `jpeg-92`. */
  readonly name: string;
  encode(square: Image): Promise<Uint8Array<ArrayBuffer>>;
  /** @throws ImageError when the bytes are none of its. */
  decode(bytes: Uint8Array<ArrayBuffer>, name: string): Promise<Image>;
}

/** What squares are kept as: pixels, files of their own, or not at all. */
export function squaresOf({
  squares,
  studentSize,
}: Pick<CacheKey, 'squares' | 'studentSize'>): 'raw' | 'coded' | 'none' {
  if (studentSize === null || squares === 'none') return 'none';
  return squares === undefined ? 'raw' : 'coded';
}
