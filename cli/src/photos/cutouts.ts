/** Parts of photos, and small ones, as files of pixels. */
import { type Image, PixelError } from '@zeroseg/core/zeroseg';
import sharp from 'sharp';

/** A photo with an alpha channel, 0..255 a pixel, as a PNG. Colours stay also where it is transparent. */
export async function encodeCutout({ width, height, data }: Image, alpha: Uint8Array): Promise<Uint8Array> {
  if (alpha.length !== width * height) {
    throw new PixelError(`encodeCutout: ${width} x ${height} pixels have as many alphas; got ${alpha.length}`);
  }
  const rgba = new Uint8Array(width * height * 4);
  for (let i = 0; i < alpha.length; i++) {
    rgba[4 * i] = data[3 * i]!;
    rgba[4 * i + 1] = data[3 * i + 1]!;
    rgba[4 * i + 2] = data[3 * i + 2]!;
    rgba[4 * i + 3] = alpha[i]!;
  }
  return sharp(rgba, { raw: { width, height, channels: 4 } })
    .png()
    .toBuffer();
}

/** Longer side of a thumbnail. */
const THUMBNAIL = 640;

/** A photo of at most 640 pixels as a JPEG. */
export async function encodeThumbnail(photo: Image): Promise<Uint8Array> {
  return encodeJpeg(photo, THUMBNAIL);
}

/** An image as a JPEG for looking; with its longer side made at most `side` pixels. */
export async function encodeJpeg(
  { width, height, data }: Image,
  side: number = Math.max(width, height),
): Promise<Uint8Array> {
  return sharp(data, { raw: { width, height, channels: 3 } })
    .resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true })
    .jpeg({ quality: 82 })
    .toBuffer();
}
