import { type Image, ImageError, imageFromRgba } from '@zeroseg/core/zeroseg';

/** Photos are decoded to at most so many pixels; the browser gives no larger canvas everywhere. */
const MAX_PIXELS = 2 ** 26;

/** A photo's pixels, upright, over white where it is transparent. */
export async function decodePhoto(file: Blob, name: string): Promise<Image> {
  if (file.size === 0) throw new ImageError('openPhoto', name, 'the file is empty');
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' });
  } catch (cause) {
    throw new ImageError('openPhoto', name, await whyNoPhoto(file), { cause });
  }
  const { width, height } = bitmap;
  if (width * height > MAX_PIXELS) {
    bitmap.close();
    const megapixels = Math.round((width * height) / 1e6);
    throw new ImageError('openPhoto', name, `it has ${megapixels} megapixels; this page takes photos of up to 67`);
  }
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (!context) throw new ImageError('openPhoto', name, 'this browser gives no canvas to read its pixels from');
  context.fillStyle = '#fff';
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return imageFromRgba(context.getImageData(0, 0, width, height));
}

/** What a file is that is no photo of a kind that browsers read, by its first bytes. */
async function whyNoPhoto(file: Blob): Promise<string> {
  const start = new Uint8Array(await file.slice(0, 16).arrayBuffer());
  const text = String.fromCharCode(...start);
  if (/^(\xff\xd8\xff|\x89PNG|GIF8|RIFF....WEBP)/s.test(text)) return 'the photo is damaged or cut off';
  if (/^....ftyp(heic|heix|mif1|msf1)/s.test(text))
    return 'it is a HEIC photo, which this browser does not read; save it as JPEG';
  if (/^(II\*\0|MM\0\*)/.test(text))
    return 'it is a TIFF or RAW photo, which browsers do not read; save it as JPEG or PNG';
  if (text.startsWith('%PDF')) return 'it is a PDF; save the picture in it as JPEG or PNG';
  if (/^....ftyp/s.test(text)) return 'it is a video; give a still picture';
  if (text.startsWith('PK')) return 'it is a zip archive; unpack it first';
  return 'it is no photo that this browser reads (JPEG, PNG, WebP, AVIF, GIF)';
}
