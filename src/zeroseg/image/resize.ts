/** Pillow's resize of photos, to the bit: what CLIP, MAE and GroupViT were trained behind. */
import { ownValue } from '../../gpu/index.ts';
import { checkImage, checkPixels, checkRegion, checkSize, crop, type Image, PixelError, type Region } from './image.ts';

/** The kernels of {@link resizeImage}. */
export type ResizeFilter = 'bicubic' | 'bilinear';

/**
 * Resizes to `width x height` exactly as Pillow's `Image.resize` does on 8-bit images: a horizontal pass, then a
 * vertical one, each with integer weights of 22 fractional bits; a pass that does not change the size is skipped.
 * Both filters widen when shrinking (antialiasing): cubic with `a = -0.5` and support 2, or a triangle with support 1.
 *
 * With `region`, only that part of the result is computed; it equals resizing and then cropping, for less work.
 *
 * ```ts
 * const small = resizeImage(photo, 224, 224, 'bicubic');
 * ```
 */
export function resizeImage(
  image: Image,
  width: number,
  height: number,
  filter: ResizeFilter,
  region: Region = { x: 0, y: 0, width, height },
): Image {
  checkImage('resizeImage', image);
  checkSize('resizeImage', width, height);
  checkRegion('resizeImage', region, width, height);
  checkPixels('resizeImage', region.width, region.height);
  if (width === image.width && height === image.height) return crop(image, region);

  const rows = height === image.height ? undefined : resizeTaps(image.height, height, filter, region.y, region.height);
  // Rows of the source that some row of the result looks at.
  const firstRow = rows ? rows.first[0]! : region.y;
  const lastRow = rows ? rows.first.at(-1)! + rows.count.at(-1)! : region.y + region.height;

  // Between the two passes lie rows of the new width.
  checkPixels('resizeImage', region.width, lastRow - firstRow);
  let { data } = image;
  let stride = image.width;
  let offset = firstRow * image.width * 3;
  if (width !== image.width) {
    const columns = resizeTaps(image.width, width, filter, region.x, region.width);
    data = resizeRows(data, image.width, firstRow, lastRow, columns, region.width);
    stride = region.width;
    offset = 0;
  } else if (region.width !== width) {
    const strip = { x: region.x, y: firstRow, width: region.width, height: lastRow - firstRow };
    ({ data } = crop(image, strip));
    stride = region.width;
    offset = 0;
  }
  if (rows) data = resizeColumns(data, stride, offset, firstRow, rows, region.height);
  else data = data.subarray(offset, offset + stride * region.height * 3);
  return { width: region.width, height: region.height, data };
}

/** For each output: the first input it looks at, how many, and their weights (`size` apart in `weights`). */
export interface Taps {
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly weights: Int32Array;
  readonly size: number;
}

/** 32 bits less 8 for a pixel and 2 for sums that overshoot. */
const FRACTION_BITS = 22;

const kernels: Record<ResizeFilter, { support: number; at: (x: number) => number }> = {
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: {
    support: 2,
    at(x) {
      const a = -0.5;
      x = Math.abs(x);
      if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
    },
  },
};

/** Weights for `length` outputs from `from` on, of `outputs` that `inputs` pixels become. */
export function resizeTaps(
  inputs: number,
  outputs: number,
  filter: ResizeFilter,
  from = 0,
  length: number = outputs,
): Taps {
  const kernel = ownValue(kernels, filter);
  if (!kernel) throw new PixelError(`resizeImage: the filter must be bicubic or bilinear; got '${filter}'`);
  const scale = inputs / outputs;
  const stretch = Math.max(scale, 1);
  const support = kernel.support * stretch;
  const size = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(length);
  const count = new Int32Array(length);
  const weights = new Int32Array(length * size);
  const exact = new Float64Array(size);
  for (let i = 0; i < length; i++) {
    const centre = (from + i + 0.5) * scale;
    const low = Math.max(0, Math.trunc(centre - support + 0.5));
    const high = Math.min(inputs, Math.trunc(centre + support + 0.5));
    let total = 0;
    for (let tap = low; tap < high; tap++) {
      const weight = kernel.at((tap - centre + 0.5) * (1 / stretch));
      exact[tap - low] = weight;
      total += weight;
    }
    first[i] = low;
    count[i] = high - low;
    for (let k = 0; k < high - low; k++) {
      const weight = (total === 0 ? exact[k]! : exact[k]! / total) * 2 ** FRACTION_BITS;
      weights[i * size + k] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
  }
  return { first, count, weights, size };
}

// Sums stay below 2^31: weights add up to 2^22, overshoot by half of that at most, and bytes are below 2^8. Math.imul
// and `| 0` tell the engine so; in doubles the same loops take twice as long.
const HALF = 1 << (FRACTION_BITS - 1);

function toByte(sum: number): number {
  return Math.max(0, Math.min(255, sum >> FRACTION_BITS));
}

/** The horizontal pass over source rows `firstRow` to `lastRow`. */
function resizeRows(
  data: Uint8Array,
  sourceWidth: number,
  firstRow: number,
  lastRow: number,
  taps: Taps,
  width: number,
): Uint8Array {
  const { first, count, weights, size } = taps;
  const result = new Uint8Array((lastRow - firstRow) * width * 3);
  let out = 0;
  for (let y = firstRow; y < lastRow; y++) {
    const row = y * sourceWidth * 3;
    for (let x = 0; x < width; x++) {
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      let at = row + first[x]! * 3;
      const from = x * size;
      const to = from + count[x]!;
      for (let k = from; k < to; k++) {
        const weight = weights[k]!;
        red = (red + Math.imul(weight, data[at]!)) | 0;
        green = (green + Math.imul(weight, data[at + 1]!)) | 0;
        blue = (blue + Math.imul(weight, data[at + 2]!)) | 0;
        at += 3;
      }
      result[out] = toByte(red);
      result[out + 1] = toByte(green);
      result[out + 2] = toByte(blue);
      out += 3;
    }
  }
  return result;
}

/**
 * The vertical pass; `data` from `offset` on begins with source row `firstRow`. It walks along whole rows, four of them
 * at a time: enough for every enlargement, so that no sum is stored and read again.
 */
function resizeColumns(
  data: Uint8Array,
  width: number,
  offset: number,
  firstRow: number,
  taps: Taps,
  height: number,
): Uint8Array {
  const { first, count, weights, size } = taps;
  const stride = width * 3;
  const result = new Uint8Array(height * stride);
  const sums = new Int32Array(stride);
  for (let y = 0; y < height; y++) {
    const row = y * stride;
    const taken = count[y]!;
    sums.fill(HALF);
    for (let k = 0; k < taken; k += 4) {
      // Past the last tap: weight 0 on the first row again.
      const weight = (i: number): number => (k + i < taken ? weights[y * size + k + i]! : 0);
      const line = (i: number): number => offset + (first[y]! - firstRow + (k + i < taken ? k + i : 0)) * stride;
      const [w0, w1, w2, w3] = [weight(0), weight(1), weight(2), weight(3)];
      const [a, b, c, d] = [line(0), line(1), line(2), line(3)];
      const last = k + 4 >= taken;
      for (let x = 0; x < stride; x++) {
        const upper = (Math.imul(w0, data[a + x]!) + Math.imul(w1, data[b + x]!)) | 0;
        const lower = (Math.imul(w2, data[c + x]!) + Math.imul(w3, data[d + x]!)) | 0;
        const sum = (sums[x]! + upper + lower) | 0;
        if (last) result[row + x] = toByte(sum);
        else sums[x] = sum;
      }
    }
  }
  return result;
}
