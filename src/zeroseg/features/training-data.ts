import { imagenetMean, imagenetStd, resizeImage, toTensor } from '../image/index.ts';
import { CacheError } from './cache-error.ts';
import type { CacheReader } from './cache-reader.ts';

/** Images and their teacher features, by number. */
export interface TrainingData {
  readonly length: number;
  /** The file that an image is in, as a number: images of one are best read together. Absent where there are no files. */
  fileOf?(number: number): number;
  /**
   * The images `numbers` as a batch: normalised pixels `[B, 3, S, S]` and features `[B, V, C]`, in arrays of their own: they wait
   * for their turn. The next batch is asked for when this one is there. `begin` may be told what takes time: see `StepTrace.begin`.
   */
  batch(
    numbers: readonly number[],
    begin?: (phase: 'read' | 'decode') => (() => void) | undefined,
  ): Promise<{ images: Float32Array; views: Float32Array }>;
}

/** The file of each image; undefined where there are no files. */
export function fileNumbers(data: Pick<TrainingData, 'length' | 'fileOf'>): Uint32Array<ArrayBuffer> | undefined {
  if (!data.fileOf) return undefined;
  return Uint32Array.from({ length: data.length }, (_, number) => data.fileOf?.(number) ?? 0);
}

/** Rows are kept in memory up to so many bytes: reading them again in every epoch costs more than the paper's step. */
export const KEPT_ROW_BYTES: number = 2 ** 30;

/**
 * A feature cache as training data: squares normalised with ImageNet's constants, and the teacher's features. Squares that
 * are larger than the model's images are made smaller.
 *
 * @throws {CacheError} when the cache holds no squares, or smaller ones than the model takes.
 */
export function cachedData(cache: CacheReader, image: number): TrainingData {
  const side = cache.key.studentSize;
  const fix = `make it again with squares of ${image} pixels (--image-size ${image})`;
  if (side === null) throw new CacheError(`cache: ${cache.folder}: it holds no squares for the student; ${fix}`);
  if (side < image) {
    throw new CacheError(
      `cache: ${cache.folder}: its squares are ${side} pixels, and the model takes ${image}; ${fix}, or set image=${side}`,
    );
  }
  const { views, dim } = cache.key;
  const pixels = 3 * image * image;
  const kept = new Map<number, { data: Uint8Array; features: Float32Array }>();
  let bytes = 0;
  const row = async (number: number) => {
    const known = kept.get(number);
    if (known) return known;
    const [square, features] = await Promise.all([cache.image(number), cache.features(number)]);
    const { data } = side === image ? square : resizeImage(square, image, image, 'bicubic');
    const made = { data, features };
    bytes += data.length + 4 * features.length;
    if (bytes <= KEPT_ROW_BYTES) kept.set(number, made);
    return made;
  };
  return {
    length: cache.length,
    fileOf: (number) => cache.fileOf(number),
    async batch(numbers, begin) {
      const images = new Float32Array(numbers.length * pixels);
      const targets = new Float32Array(numbers.length * views * dim);
      const read = begin?.('read');
      const rows = await Promise.all(numbers.map(row));
      read?.();
      const decoded = begin?.('decode');
      rows.forEach(({ data, features }, i) => {
        toTensor({ width: image, height: image, data }, imagenetMean, imagenetStd, images, i * pixels);
        targets.set(features, i * views * dim);
      });
      decoded?.();
      return { images, views: targets };
    },
  };
}
