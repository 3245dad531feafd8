/** Photos and label maps on disk. */
import { fileURLToPath } from 'node:url';
import { type Colour, checkImage, inspectPng, isPng, maxPixels } from '@zeroseg/core/internal';
import { type Drawing, type Image, ImageError, type LabelMap, type Lettering, PixelError } from '@zeroseg/core/zeroseg';
import { decode, encode } from 'fast-png';
import sharp from 'sharp';
import { FileError, readBounded, systemReason, type WriteOptions, writeFileAtomic } from '../files/index.ts';
import { photoKind } from './photo-kind.ts';
import { rasterise } from './pictures.ts';

/** The largest photo takes 3.2 GB as it is; compressed, no photo comes near. */
const LARGEST_FILE = 2 ** 31 - 1;

/**
 * Reads a photo as 8-bit RGB, upright: JPEG, PNG, WebP, GIF, TIFF or AVIF, told by its content, whatever its name.
 *
 * - The EXIF orientation is applied, unless `orientation` is `stored`. Of an animation, the first frame is taken.
 * - Transparency is laid over white, rounded to the nearest. 16 bits become 8 by dropping the low ones.
 * - Grey becomes three equal channels; CMYK becomes `(255 - c)(255 - k) / 255`, as in Pillow.
 * - Colour profiles are ignored, as the reference (Pillow's `convert('RGB')`) ignores them: the same file gives the
 *   same numbers everywhere, and CLIP was trained on such numbers.
 *
 * Throws {@link ImageError} naming the file and the reason: missing, a folder, empty, cut off, not an image, more than 2^28
 * pixels (a bomb of a few kilobytes can claim as many).
 *
 * ```ts
 * const photo = await readPhoto('cat.jpg'); // { width, height, data }
 * ```
 */
export async function readPhoto(place: string | URL, options: PhotoOptions = {}): Promise<Image> {
  const path = place instanceof URL ? fileURLToPath(place) : place;
  return decodePhoto(await readBytes('readPhoto', path), path, options);
}

/** How {@link readPhoto} reads. */
export interface PhotoOptions {
  /**
   * `upright` turns the photo as its EXIF orientation says; `stored` leaves the pixels as they are in the file: for photos that
   * have a partner, such as a label map, whose pixels lie over those of the file. Default: `upright`.
   */
  readonly orientation?: 'upright' | 'stored';
}

/** {@link readPhoto} for bytes that are in memory already; `name` is what errors call them. */
export async function decodePhoto(bytes: Uint8Array, name: string, options: PhotoOptions = {}): Promise<Image> {
  const { width, height, channels, isInk, data } = await decodePixels(bytes, name, options);
  return { width, height, data: isInk ? withoutInk(data, channels) : overWhite(data, channels) };
}

/**
 * How many photos are decoded at once: sharp takes a thread of libuv's pool for each, and `launch.ts` asks for a pool of all cores. Of more
 * than 16 photos the pixels take memory, and no device asks for as many.
 */
export function decodedAtOnce(): number {
  const threads = Number(process.env['UV_THREADPOOL_SIZE']) || 4;
  return Math.max(4, Math.min(16, Math.floor(threads)));
}

/** A photo whose pixels may be transparent: its colours as they are in the file, and how opaque each is, 0..255. */
export interface TransparentPhoto {
  readonly photo: Image;
  readonly alpha: Uint8Array;
}

/** The photo that {@link readPhoto} lays over white; undefined where nothing of it is transparent. */
export async function readTransparent(path: string): Promise<TransparentPhoto | undefined> {
  const { width, height, channels, isInk, data } = await decodePixels(await readBytes('readPhoto', path), path, {});
  if (isInk || channels % 2 === 1) return undefined;
  const pixels = width * height;
  const rgb = new Uint8Array(3 * pixels);
  const alpha = new Uint8Array(pixels);
  for (let i = 0; i < pixels; i++) {
    for (let c = 0; c < 3; c++) rgb[3 * i + c] = data[i * channels + (channels === 2 ? 0 : c)]!;
    alpha[i] = data[(i + 1) * channels - 1]!;
  }
  return { photo: { width, height, data: rgb }, alpha };
}

/** Grey, RGB, either with alpha, or four inks. */
interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly isInk: boolean;
  readonly data: Uint8Array;
}

async function decodePixels(
  bytes: Uint8Array,
  name: string,
  { orientation = 'upright' }: PhotoOptions,
): Promise<Pixels> {
  if (bytes.length === 0) throw new ImageError('readPhoto', name, 'the file is empty');
  const found = photoKind(bytes);
  if ('reason' in found) throw new ImageError('readPhoto', name, found.reason);
  try {
    const input = { failOn: 'truncated', ignoreIcc: true, limitInputPixels: false } as const;
    const { width, height, space } = await sharp(bytes, input).metadata();
    if (width * height > maxPixels) {
      const reason = `${width} x ${height} pixels are more than the ${maxPixels.toLocaleString('en')} that are read; make it smaller first`;
      throw new ImageError('readPhoto', name, reason);
    }
    const opened = sharp(bytes, input);
    const upright = orientation === 'upright' ? opened.autoOrient() : opened;
    const pipeline =
      space === 'cmyk'
        ? // Left to itself libvips converts through a press profile of its own, also with ignoreIcc.
          upright.pipelineColourspace('cmyk').toColourspace('cmyk')
        : upright.toColourspace('srgb');
    const { data, info } = await pipeline.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, channels: info.channels, isInk: space === 'cmyk', data };
  } catch (error) {
    if (error instanceof ImageError) throw error;
    throw new ImageError('readPhoto', name, decodeReason(error), { cause: error });
  }
}

/**
 * Grey or RGB, with or without alpha, over white: `c a / 255 + 255 (1 - a / 255)`, to the nearest whole number. (`flatten` of libvips
 * rounds down.)
 */
function overWhite(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return new Uint8Array(data.buffer, data.byteOffset, data.length);
  const hasAlpha = channels % 2 === 0;
  const colours = hasAlpha ? channels - 1 : channels;
  const pixels = data.length / channels;
  const rgb = new Uint8Array(pixels * 3);
  for (let i = 0; i < pixels; i++) {
    const alpha = hasAlpha ? data[(i + 1) * channels - 1]! : 255;
    for (let c = 0; c < 3; c++) {
      const value = data[i * channels + (colours === 1 ? 0 : c)]!;
      // 255 is odd, so no half is ever rounded.
      rgb[i * 3 + c] = Math.floor((value * alpha + 255 * (255 - alpha) + 127) / 255);
    }
  }
  return rgb;
}

function withoutInk(data: Uint8Array, channels: number): Uint8Array {
  const pixels = data.length / channels;
  const rgb = new Uint8Array(pixels * 3);
  for (let i = 0; i < pixels; i++) {
    for (let c = 0; c < 3; c++) {
      // Pillow's rounding: MULDIV255.
      const ink = data[i * channels + c]! * (255 - data[i * channels + 3]!) + 128;
      rgb[i * 3 + c] = 255 - data[i * channels + 3]! - (((ink >> 8) + ink) >> 8);
    }
  }
  return rgb;
}

/** libvips repeats itself and names its own parts; keep what tells the reader something. */
function decodeReason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  if (text.includes('unsupported image format')) return 'this is not an image, or of a kind that cannot be read';
  const details = text
    .split('\n')
    .map((line) => line.replace(/^Input buffer has corrupt header:\s*/, '').replace(/^\w+: /, ''))
    .find((line) => line.trim() !== '' && line !== 'Unknown error');
  return `the file is damaged or cut off${details ? ` (${details.trim()})` : ''}; copy it again or leave it out`;
}

async function readBytes(op: string, path: string): Promise<Uint8Array> {
  try {
    return await readBounded(op, path, LARGEST_FILE);
  } catch (error) {
    if (error instanceof FileError) throw new ImageError(op, path, error.message.slice(`${op}: ${path}: `.length));
    throw new ImageError(op, path, systemReason(error), { cause: error });
  }
}

/**
 * Reads the class of each pixel from a PNG: the palette **index** of a palette PNG (as in PASCAL VOC), the value of a
 * grey one (as in COCO); 16-bit grey gives a `Uint16Array`. Colours are never read as classes.
 *
 * Throws {@link ImageError} for files that are missing, empty, damaged, no PNG, or in colour.
 *
 * ```ts
 * const { width, height, data } = await readLabelMap('SegmentationClass/2007_000033.png');
 * ```
 */
export async function readLabelMap(path: string): Promise<LabelMap> {
  return decodeLabelMap(await readBytes('readLabelMap', path), path);
}

/** {@link readLabelMap} for bytes that are in memory already; `path` is what errors call them. */
export function decodeLabelMap(bytes: Uint8Array, path: string): LabelMap {
  if (bytes.length === 0) throw new ImageError('readLabelMap', path, 'the file is empty');
  if (!isPng(bytes)) {
    const remedy = 'other formats blur or renumber classes; save palette indices or grey values as PNG';
    throw new ImageError('readLabelMap', path, `label maps must be PNG; ${remedy}`);
  }
  let png: ReturnType<typeof decode>;
  try {
    const { header, needed } = inspectPng(bytes);
    if (header.channels !== 1) {
      const remedy = 'this may be the coloured picture of a label map; use the one with class numbers';
      const reason = `a label map has one channel of class numbers; this PNG has ${header.channels}; ${remedy}`;
      throw new ImageError('readLabelMap', path, reason);
    }
    // fast-png 8 mixes up the rows of such files.
    if (header.depth < 8 && header.isInterlaced) {
      const reason = `interlaced PNGs of ${header.depth} bits cannot be read; save it without interlacing`;
      throw new ImageError('readLabelMap', path, reason);
    }
    png = decode(needed, { checkCrc: true });
  } catch (error) {
    if (error instanceof ImageError) throw error;
    const detail = (error as Error).message.replace(/:$/, '');
    const isTooLarge = error instanceof PixelError && detail.includes(String(maxPixels));
    const reason = isTooLarge ? detail : `the PNG is damaged or cut off (${detail}); copy it again`;
    throw new ImageError('readLabelMap', path, reason, { cause: error });
  }
  const { width, height, depth } = png;
  const data = depth < 8 ? unpack(png.data, width, height, depth) : png.data;
  if (data.length !== width * height) {
    const reason = `the PNG is damaged or cut off (${data.length} of ${width * height} pixels); copy it again`;
    throw new ImageError('readLabelMap', path, reason);
  }
  return { width, height, data: data instanceof Uint16Array ? data : new Uint8Array(data) };
}

/** Rows of 1, 2 or 4 bits a pixel, each row starting at a new byte, the first pixel in the high bits. */
function unpack(packed: ArrayLike<number>, width: number, height: number, depth: number): Uint8Array {
  const data = new Uint8Array(width * height);
  const stride = Math.ceil((width * depth) / 8);
  const mask = (1 << depth) - 1;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const bit = x * depth;
      data[y * width + x] = (packed[y * stride + (bit >> 3)]! >> (8 - depth - (bit & 7))) & mask;
    }
  }
  return data;
}

/** Writes an RGB image as PNG, atomically. */
export async function writePng(
  path: string,
  image: Image | Drawing,
  { lettering, ...options }: WriteOptions & { readonly lettering?: Lettering | undefined } = {},
): Promise<void> {
  await writeFileAtomic(path, await encodePng(image, lettering), options);
}

/** An image as the bytes of a PNG. A drawing's letters are those of `lettering`, by default Inter's. */
export async function encodePng(image: Image | Drawing, lettering?: Lettering): Promise<Uint8Array> {
  checkImage('encodePng', image);
  return rasterise(image, lettering).png().toBuffer();
}

/**
 * Writes a label map as a palette PNG whose indices are the classes and whose colours are for looking, atomically.
 * Palettes end at 256 colours: a map with larger classes becomes a 16-bit grey PNG, which {@link readLabelMap} reads
 * as well.
 */
export async function writeLabelPng(
  path: string,
  labels: LabelMap,
  palette: readonly Colour[],
  options?: WriteOptions,
): Promise<void> {
  const { width, height, data } = labels;
  if (data.length !== width * height) {
    throw new PixelError(`writeLabelPng: ${width} x ${height} labels are ${width * height} values; got ${data.length}`);
  }
  let largest = 0;
  for (const label of data) largest = Math.max(largest, label);
  if (largest > 255) {
    await writeFileAtomic(
      path,
      encode({ width, height, data: Uint16Array.from(data), channels: 1, depth: 16 }),
      options,
    );
    return;
  }
  const last = palette.at(-1) ?? [0, 0, 0];
  const colours = Array.from({ length: Math.max(palette.length, largest + 1) }, (_, c) => [...(palette[c] ?? last)]);
  const indices = Uint8Array.from(data);
  await writeFileAtomic(
    path,
    encode({ width, height, data: indices, channels: 1, palette: colours.slice(0, 256) }),
    options,
  );
}
