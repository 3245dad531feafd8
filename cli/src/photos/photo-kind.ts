/** Formats of pictures by the bytes that they begin with. Names say nothing: any file can be called photo.jpg. */

type Kind = 'JPEG' | 'PNG' | 'GIF' | 'WebP' | 'TIFF' | 'AVIF';

/** The kind of a photo, or why it is none that is read, with the remedy. */
export function photoKind(bytes: Uint8Array): { readonly kind: Kind } | { readonly reason: string } {
  const starts = (text: string, at = 0): boolean =>
    text === String.fromCharCode(...bytes.subarray(at, at + text.length));
  if (starts('\xff\xd8\xff')) return { kind: 'JPEG' };
  if (starts('\x89PNG\r\n\x1a\n')) return { kind: 'PNG' };
  if (starts('GIF87a') || starts('GIF89a')) return { kind: 'GIF' };
  if (starts('RIFF') && starts('WEBP', 8)) return { kind: 'WebP' };
  // The last two are BigTIFF, for files beyond 4 GB.
  if (['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].some((mark) => starts(mark))) return { kind: 'TIFF' };
  if (starts('ftyp', 4)) {
    const brands = brandsOf(bytes);
    if (brands.some((brand) => brand === 'avif' || brand === 'avis')) return { kind: 'AVIF' };
    const isHeic = brands.some((brand) => /^(?:he[im][csvx]|hev[cx]|mif1|msf1)$/.test(brand));
    return { reason: isHeic ? refusal('HEIC') : 'this is a film, not a photo' };
  }
  for (const [mark, name] of others) if (starts(mark)) return { reason: refusal(name) };
  const text = new TextDecoder('latin1').decode(bytes.subarray(0, 4096));
  // SVG is a program for drawing: it can read other files, and has no pixels of its own.
  if (/<svg[\s>]/i.test(text) || /<!DOCTYPE svg/i.test(text)) {
    return { reason: 'this is an SVG drawing, which has no pixels; save it as PNG' };
  }
  return { reason: 'this is not an image, or of a kind that cannot be read' };
}

/** What a file is that is no text, for a message: `a JPEG image`, `PDF`; nothing where its first bytes do not tell. */
export function kindBesideText(bytes: Uint8Array): string | undefined {
  const found = photoKind(bytes.subarray(0, 4096));
  if ('kind' in found) return `a ${found.kind} image`;
  return /^this is (.*), which is not read;/.exec(found.reason)?.[1];
}

const others: readonly (readonly [mark: string, name: string])[] = [
  ['%PDF', 'PDF'],
  ['BM', 'BMP'],
  ['8BPS', 'Photoshop'],
  ['\xff\x0a', 'JPEG XL'],
  ['\0\0\0\x0cJXL ', 'JPEG XL'],
  ['\0\0\0\x0cjP  ', 'JPEG 2000'],
  ['\xff\x4f\xff\x51', 'JPEG 2000'],
  ['\0\0\x01\0', 'an icon (ICO)'],
  ['\x1f\x8b', 'a compressed file (gzip)'],
  ['PK\x03\x04', 'a compressed file (ZIP)'],
  ['\x76\x2f\x31\x01', 'OpenEXR'],
];

function refusal(name: string): string {
  return `this is ${name}, which is not read; save it as JPEG or PNG`;
}

/** The kinds that a file in ISO's container says it is: its own, and those it is compatible with. */
function brandsOf(bytes: Uint8Array): string[] {
  const box = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = Math.min(bytes.length, box.getUint32(0), 1024);
  const brands: string[] = [];
  for (let at = 8; at + 4 <= end; at += 4) {
    // Between them is the version of the first.
    if (at !== 12) brands.push(String.fromCharCode(...bytes.subarray(at, at + 4)));
  }
  return brands;
}
