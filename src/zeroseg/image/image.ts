/**
 * Photos as pixels, and the preprocessing that CLIP, MAE and GroupViT share: Pillow's resize to the bit, crops,
 * sizes, and the step from bytes to a normalised tensor. Nothing here reads files; see `src/node/image-files.ts`.
 */
import { ownValue, ZeroSegError } from '../../gpu/index.ts';

/** An RGB photo: row by row, three bytes a pixel, `data.length = 3 * width * height`. */
export interface Image {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** The class of each pixel, row by row. 16 bits where there are more than 256 classes. */
export interface LabelMap {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint16Array;
}

/** A rectangle in pixels; `x`, `y` is its upper left corner. */
export interface Region {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** One number each for red, green and blue, in 0..1. */
export type Rgb = readonly [red: number, green: number, blue: number];

/** The kernels of {@link resizeImage}. */
export type ResizeFilter = 'bicubic' | 'bilinear';

/** ImageNet's mean, what the student's input is centred by (as in MAE and GroupViT). */
export const imagenetMean: Rgb = [0.485, 0.456, 0.406];
/** ImageNet's deviation. */
export const imagenetStd: Rgb = [0.229, 0.224, 0.225];
/** CLIP's mean, what the teacher's input is centred by. */
export const clipMean: Rgb = [0.48145466, 0.4578275, 0.40821073];
/** CLIP's deviation. */
export const clipStd: Rgb = [0.26862954, 0.26130258, 0.27577711];

/** Pixels that an image may have: 2^28, which are 805 MB of RGB. */
export const mostPixels: number = 2 ** 28;

/** An image is not what its fields say, or a size or region makes no sense. */
export class PixelError extends ZeroSegError {
  override readonly name = 'PixelError';
  readonly code = 'pixel';
}

/** Throws unless `image` holds three bytes for every pixel of a size above zero. */
export function checkImage(op: string, image: Image): void {
  const { width, height, data } = image;
  checkSize(op, width, height);
  if (data.length !== width * height * 3) {
    throw new PixelError(`${op}: ${width} x ${height} RGB needs ${width * height * 3} bytes; got ${data.length}`);
  }
}

function checkSize(op: string, width: number, height: number): void {
  if (!Number.isSafeInteger(width) || !Number.isSafeInteger(height) || width < 1 || height < 1) {
    throw new PixelError(`${op}: width and height must be whole numbers from 1; got ${width} x ${height}`);
  }
}

/** Before memory is taken for so many pixels. */
function checkPixels(op: string, width: number, height: number): void {
  if (width * height > mostPixels) {
    throw new PixelError(`${op}: ${width} x ${height} pixels are more than the ${mostPixels} that an image may have`);
  }
}

/** Rounds to the nearest whole number, halves to the even one, as Python and torchvision do: 0.5 to 0, 1.5 to 2. */
export function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

/** Copies a rectangle out of an image. Throws {@link PixelError} when it sticks out. */
export function crop(image: Image, region: Region): Image {
  checkImage('crop', image);
  checkRegion('crop', region, image.width, image.height);
  const { x, y, width, height } = region;
  if (x === 0 && width === image.width) {
    return { width, height, data: image.data.slice(y * width * 3, (y + height) * width * 3) };
  }
  const data = new Uint8Array(width * height * 3);
  for (let row = 0; row < height; row++) {
    const start = ((y + row) * image.width + x) * 3;
    data.set(image.data.subarray(start, start + width * 3), row * width * 3);
  }
  return { width, height, data };
}

function checkRegion(op: string, region: Region, width: number, height: number): void {
  const { x, y } = region;
  checkSize(op, region.width, region.height);
  const inside = x >= 0 && y >= 0 && x + region.width <= width && y + region.height <= height;
  if (!inside || !Number.isInteger(x) || !Number.isInteger(y)) {
    throw new PixelError(
      `${op}: the region must lie inside ${width} x ${height}; got ${region.width} x ${region.height} at (${x}, ${y})`,
    );
  }
}

/** The region of a `width x height` image that a centre crop keeps: offset `round((size - side) / 2)`, halves to even. */
export function centreRegion(width: number, height: number, cropWidth: number, cropHeight: number): Region {
  return {
    x: roundHalfEven((width - cropWidth) / 2),
    y: roundHalfEven((height - cropHeight) / 2),
    width: cropWidth,
    height: cropHeight,
  };
}

/** The largest square around the centre, at native resolution: side `min(width, height)`. */
export function centreSquare(image: Image): Image {
  const side = Math.min(image.width, image.height);
  return crop(image, centreRegion(image.width, image.height, side, side));
}

/**
 * Size after the shorter side became `size`; the longer one is truncated, `int(size * long / short)`, as in
 * torchvision.
 *
 * ```ts
 * shortSideSize(500, 375, 224); // [298, 224]
 * ```
 */
export function shortSideSize(width: number, height: number, size: number): [width: number, height: number] {
  checkSize('shortSideSize', width, height);
  return width <= height ? [size, Math.floor((size * height) / width)] : [Math.floor((size * width) / height), size];
}

/**
 * Size after scaling by `s = min(long / max(w, h), short / min(w, h))`, each side `int(side * s + 0.5)`: as large as
 * it may be with the shorter side at most `short` and the longer one at most `long` (MMSegmentation's keep-ratio
 * resize).
 *
 * ```ts
 * keepRatioSize(500, 375); // [597, 448]
 * ```
 */
export function keepRatioSize(
  width: number,
  height: number,
  short = 448,
  long = 2048,
): [width: number, height: number] {
  checkSize('keepRatioSize', width, height);
  const scale = Math.min(long / Math.max(width, height), short / Math.min(width, height));
  // A panorama thinner than 1 : 4096 would round to nothing.
  return [Math.max(1, Math.floor(width * scale + 0.5)), Math.max(1, Math.floor(height * scale + 0.5))];
}

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

  const rows = height === image.height ? undefined : makeTaps(image.height, height, filter, region.y, region.height);
  // Rows of the source that some row of the result looks at.
  const firstRow = rows ? rows.first[0]! : region.y;
  const lastRow = rows ? rows.first.at(-1)! + rows.count.at(-1)! : region.y + region.height;

  // Between the two passes lie rows of the new width.
  checkPixels('resizeImage', region.width, lastRow - firstRow);
  let { data } = image;
  let stride = image.width;
  let offset = firstRow * image.width * 3;
  if (width !== image.width) {
    const columns = makeTaps(image.width, width, filter, region.x, region.width);
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
interface Taps {
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

function makeTaps(inputs: number, outputs: number, filter: ResizeFilter, from: number, length: number): Taps {
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

/**
 * Bytes to a network's input `[3, H, W]`: `(byte / 255 - mean) / std`, channels first. Writes into `target` when
 * given (from `offset` on), so that a batch needs no copies.
 *
 * ```ts
 * const x = toTensor(photo, imagenetMean, imagenetStd);
 * ```
 */
export function toTensor(
  image: Image,
  mean: Rgb,
  std: Rgb,
  target: Float32Array = new Float32Array(image.width * image.height * 3),
  offset = 0,
): Float32Array {
  checkImage('toTensor', image);
  const { data } = image;
  const pixels = image.width * image.height;
  if (offset + pixels * 3 > target.length) {
    throw new PixelError(
      `toTensor: ${pixels * 3} values from ${offset} must fit the target; it holds ${target.length}`,
    );
  }
  const table = new Float32Array(256);
  for (let channel = 0; channel < 3; channel++) {
    for (let byte = 0; byte < 256; byte++) table[byte] = (byte / 255 - mean[channel]!) / std[channel]!;
    let out = offset + channel * pixels;
    for (let at = channel; at < data.length; at += 3) target[out++] = table[data[at]!]!;
  }
  return target;
}

/**
 * Resizes planes `[channels, height, width]` to `[channels, newHeight, newWidth]` by bilinear interpolation with
 * half-pixel centres and no antialiasing: output `i` looks at `(i + 0.5) * in / out - 0.5`, clamped to the border.
 * The resize before inference, and that of scores back to the photo's size.
 */
export function resizeBilinear(
  data: Float32Array,
  channels: number,
  height: number,
  width: number,
  newHeight: number,
  newWidth: number,
): Float32Array {
  checkSize('resizeBilinear', width, height);
  checkSize('resizeBilinear', newWidth, newHeight);
  checkPixels('resizeBilinear', newWidth, newHeight * Math.max(1, channels));
  if (data.length !== channels * height * width) {
    throw new PixelError(
      `resizeBilinear: [${channels}, ${height}, ${width}] needs ${channels * height * width} values; got ${data.length}`,
    );
  }
  const result = new Float32Array(channels * newHeight * newWidth);
  const columns = between(width, newWidth);
  const rows = between(height, newHeight);
  let out = 0;
  for (let c = 0; c < channels; c++) {
    const plane = c * height * width;
    for (let y = 0; y < newHeight; y++) {
      const upper = plane + rows.low[y]! * width;
      const lower = plane + rows.high[y]! * width;
      const down = rows.part[y]!;
      for (let x = 0; x < newWidth; x++) {
        const left = columns.low[x]!;
        const right = columns.high[x]!;
        const along = columns.part[x]!;
        const above = data[upper + left]! * (1 - along) + data[upper + right]! * along;
        const below = data[lower + left]! * (1 - along) + data[lower + right]! * along;
        result[out++] = above * (1 - down) + below * down;
      }
    }
  }
  return result;
}

/** Half-pixel centres, without antialiasing: the inputs at and after each output, and how far it lies between them. */
export function between(inputs: number, outputs: number): { low: Int32Array; high: Int32Array; part: Float64Array } {
  const low = new Int32Array(outputs);
  const high = new Int32Array(outputs);
  const part = new Float64Array(outputs);
  for (let i = 0; i < outputs; i++) {
    const at = Math.max(0, ((i + 0.5) * inputs) / outputs - 0.5);
    low[i] = Math.min(inputs - 1, Math.floor(at));
    high[i] = Math.min(inputs - 1, low[i]! + 1);
    part[i] = at - low[i]!;
  }
  return { low, high, part };
}
