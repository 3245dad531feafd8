import { type Image, ImageError, imageFromRgba } from '@zeroseg/core/zeroseg';
import { imageDimensionsFromStream } from 'image-dimensions';

/** Photos are decoded to at most so many pixels; the browser gives no larger canvas everywhere. */
const MAX_PIXELS = 2 ** 26;

/** A photo's pixels, upright, over white where it is transparent. */
export async function decodePhoto(file: Blob, name: string): Promise<Image> {
  if (file.size === 0) throw new ImageError('openPhoto', name, 'the file is empty');
  // Before it is decoded: a header of a few bytes may promise pixels that fill the memory.
  const promised = await imageDimensionsFromStream(file.stream()).catch(() => undefined);
  if (promised) checkSize(name, promised);
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' });
  } catch (cause) {
    throw new ImageError('openPhoto', name, await whyNoPhoto(file), { cause });
  }
  const { width, height } = bitmap;
  if (!promised) checkSize(name, bitmap);
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (!context) throw new ImageError('openPhoto', name, 'this browser gives no canvas to read its pixels from');
  context.fillStyle = '#fff';
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return imageFromRgba(context.getImageData(0, 0, width, height));
}

function checkSize(name: string, { width, height }: { readonly width: number; readonly height: number }): void {
  if (width * height <= MAX_PIXELS) return;
  const megapixels = Math.round((width * height) / 1e6);
  throw new ImageError('openPhoto', name, `it has ${megapixels} megapixels; this page takes photos of up to 67`);
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
  if (/^\s*<(\?xml|svg|!DOCTYPE svg)/i.test(text)) return 'it is a drawing (SVG); save it as PNG';
  if (text.startsWith('%PDF')) return 'it is a PDF; save the picture in it as JPEG or PNG';
  if (/^(....ftyp|.E\xdf\xa3|OggS|RIFF....AVI )/s.test(text)) return 'it is a video; give a still picture';
  if (text.startsWith('PK')) return 'it is a zip archive; unpack it first';
  return 'it is no photo that this browser reads (JPEG, PNG, WebP, AVIF, GIF)';
}
