import type { LabelMap, Region } from '../image/index.ts';
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
  const { width, data } = labels;
  const alpha = new Uint8Array(data.length);
  const reach = Math.max(1, Math.round(softness / 2));
  const place = placeOf(labels, label, 2 * reach);
  if (!place) return alpha;
  // Rows and columns may be taken in any order; sums of rows are whole numbers.
  const rows = blurredRows(labels, label, place, reach);
  const columns = new Float32Array(rows.length);
  blurColumns(rows, columns, place, reach);
  blurColumns(columns, rows, place, reach);
  for (let y = 0; y < place.height; y++) {
    const [from, to] = [y * place.width, (place.y + y) * width + place.x];
    // Half goes up, as with Math.round.
    for (let x = 0; x < place.width; x++) alpha[to + x] = rows[from + x]! + 0.5;
  }
  return alpha;
}

/** Where a label is, with a margin as far as the image goes. */
function placeOf({ width, height, data }: LabelMap, label: number, margin: number): Region | undefined {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    const row = y * width;
    let first = 0;
    while (first < width && data[row + first] !== label) first++;
    if (first === width) continue;
    let last = width - 1;
    while (data[row + last] !== label) last--;
    if (top > y) top = y;
    bottom = y;
    if (first < left) left = first;
    if (last > right) right = last;
  }
  if (bottom < 0) return undefined;
  const [x, y] = [Math.max(0, left - margin), Math.max(0, top - margin)];
  return {
    x,
    y,
    width: Math.min(width, right + 1 + margin) - x,
    height: Math.min(height, bottom + 1 + margin) - y,
  };
}

/** Two box filters along the rows of the mask, 0..255; beyond the edge the last pixel goes on. */
function blurredRows({ width, data }: LabelMap, label: number, place: Region, reach: number): Float32Array {
  const cols = place.width;
  const out = new Float32Array(cols * place.height);
  const size = 2 * reach + 1;
  const factor = 255 / size / size;
  const [mask, once] = [new Int32Array(cols + 2 * reach), new Int32Array(cols + 2 * reach)];
  for (let y = 0; y < place.height; y++) {
    const from = (place.y + y) * width + place.x;
    for (let x = 0; x < cols; x++) mask[reach + x] = data[from + x] === label ? 1 : 0;
    extend(mask, reach);
    let sum = 0;
    for (let x = 0; x < size - 1; x++) sum += mask[x]!;
    for (let x = 0; x < cols; x++) {
      sum += mask[x + size - 1]!;
      once[reach + x] = sum;
      sum -= mask[x]!;
    }
    extend(once, reach);
    sum = 0;
    for (let x = 0; x < size - 1; x++) sum += once[x]!;
    for (let x = 0; x < cols; x++) {
      sum += once[x + size - 1]!;
      out[y * cols + x] = sum * factor;
      sum -= once[x]!;
    }
  }
  return out;
}

/** Fills the first and the last `reach` values with their neighbours. */
function extend(row: Int32Array, reach: number): void {
  row.fill(row[reach]!, 0, reach);
  row.fill(row[row.length - reach - 1]!, row.length - reach);
}

/** A box filter along columns, all of them at once, row by row. */
function blurColumns(values: Float32Array, out: Float32Array, { width, height }: Region, reach: number): void {
  const size = 2 * reach + 1;
  const sums = new Float64Array(width);
  const row = (y: number): number => Math.max(0, Math.min(height - 1, y)) * width;
  for (let y = -reach; y <= reach; y++) {
    const at = row(y);
    for (let x = 0; x < width; x++) sums[x] = sums[x]! + values[at + x]!;
  }
  for (let y = 0; y < height; y++) {
    const [here, next, last] = [y * width, row(y + reach + 1), row(y - reach)];
    for (let x = 0; x < width; x++) {
      const sum = sums[x]!;
      out[here + x] = sum / size;
      sums[x] = sum + (values[next + x]! - values[last + x]!);
    }
  }
}
