import type { LabelMap } from '../image/index.ts';
import { checkLabels } from './run-length.ts';

/**
 * One class as an alpha channel, 0..255: opaque inside, and at its border a slope over about `softness` pixels to either side, half way
 * on the border itself. Two box filters of `softness` pixels, one after the other, in each direction; the edge of the image is no
 * border.
 *
 * Scores of a photo that was made smaller say nothing finer than a pixel of the small one, so that its side in pixels of the photo
 * is an honest softness.
 *
 * ```ts
 * const alpha = softMask(labels, 1, photo.width / resized.width);
 * ```
 *
 * @throws PixelError when there is not a label for every pixel.
 */
export function softMask(labels: LabelMap, label: number, softness = 1): Uint8Array<ArrayBuffer> {
  checkLabels('softMask', labels);
  const { width, height, data } = labels;
  let mask: Float32Array = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) mask[i] = data[i] === label ? 255 : 0;
  const reach = Math.max(1, Math.round(softness / 2));
  for (let pass = 0; pass < 2; pass++) mask = blurColumns(blurRows(mask, width, reach), width, height, reach);
  return Uint8Array.from(mask, Math.round);
}

/** The mean of the pixels up to `reach` to either side; beyond the edge the last pixel goes on. */
function blurRows(values: Float32Array, width: number, reach: number): Float32Array {
  const out = new Float32Array(values.length);
  const size = 2 * reach + 1;
  const row = new Float32Array(width + size);
  for (let from = 0; from < values.length; from += width) {
    row.fill(values[from]!, 0, reach);
    row.set(values.subarray(from, from + width), reach);
    row.fill(values[from + width - 1]!, reach + width);
    let sum = 0;
    for (let x = 0; x < size; x++) sum += row[x]!;
    for (let x = 0; x < width; x++) {
      out[from + x] = sum / size;
      sum += row[x + size]! - row[x]!;
    }
  }
  return out;
}

function blurColumns(values: Float32Array, width: number, height: number, reach: number): Float32Array {
  const out = new Float32Array(values.length);
  const size = 2 * reach + 1;
  // All columns at once, row by row.
  const sums = new Float64Array(width);
  const row = (y: number): number => Math.max(0, Math.min(height - 1, y)) * width;
  for (let y = -reach; y <= reach; y++) for (let x = 0; x < width; x++) sums[x]! += values[row(y) + x]!;
  for (let y = 0; y < height; y++) {
    const [here, next, last] = [y * width, row(y + reach + 1), row(y - reach)];
    for (let x = 0; x < width; x++) {
      out[here + x] = sums[x]! / size;
      sums[x]! += values[next + x]! - values[last + x]!;
    }
  }
  return out;
}
