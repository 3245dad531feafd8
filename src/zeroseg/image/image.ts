/** Photos and label maps as pixels, crops of them, and the sizes that preprocessing resizes to. */
import { shownValue, ZeroSegError } from '../../gpu/index.ts';

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

/** Pixels that an image may have: 2^28, which are 805 MB of RGB. */
export const maxPixels: number = 2 ** 28;

/** An image is not what its fields say, or a size or region makes no sense. */
export class PixelError extends ZeroSegError {
  override readonly name = 'PixelError';
  readonly code = 'pixel';
}

/** Throws unless `image` holds three bytes for every pixel of a size above zero. */
export function checkImage(op: string, image: Image): void {
  if (typeof image?.data?.length !== 'number') {
    throw new PixelError(
      `${op}: an image is { width, height, data }, with three bytes a pixel; got ${shownValue(image)}`,
    );
  }
  const { width, height, data } = image;
  checkSize(op, width, height);
  if (data.length !== width * height * 3) {
    throw new PixelError(`${op}: ${width} x ${height} RGB needs ${width * height * 3} bytes; got ${data.length}`);
  }
}

/** Throws unless both sides are whole numbers from 1. */
export function checkSize(op: string, width: number, height: number): void {
  if (!Number.isSafeInteger(width) || !Number.isSafeInteger(height) || width < 1 || height < 1) {
    throw new PixelError(`${op}: width and height must be whole numbers from 1; got ${width} x ${height}`);
  }
}

/** Throws before memory is taken for more than {@link maxPixels}. */
export function checkPixels(op: string, width: number, height: number): void {
  if (width * height > maxPixels) {
    throw new PixelError(`${op}: ${width} x ${height} pixels are more than the ${maxPixels} that an image may have`);
  }
}

/**
 * A photo of four bytes a pixel, such as a canvas gives, without its alpha.
 *
 * ```ts
 * const photo = imageFromRgba(canvas.getContext('2d').getImageData(0, 0, width, height));
 * ```
 */
export function imageFromRgba({
  width,
  height,
  data,
}: {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}): Image {
  checkSize('imageFromRgba', width, height);
  if (data.length !== width * height * 4) {
    throw new PixelError(
      `imageFromRgba: ${width} x ${height} RGBA needs ${width * height * 4} bytes; got ${data.length}`,
    );
  }
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    rgb[to] = data[from]!;
    rgb[to + 1] = data[from + 1]!;
    rgb[to + 2] = data[from + 2]!;
  }
  return { width, height, data: rgb };
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

/** Throws unless the region lies inside of `width x height`. */
export function checkRegion(op: string, region: Region, width: number, height: number): void {
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
