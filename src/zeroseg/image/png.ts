/**
 * What a PNG says of itself, checked before anything is inflated: a file of some kilobytes can claim, or hold, gigabytes.
 * https://www.w3.org/TR/png-3/
 */
import { Unzlib } from 'fflate';
import { maxPixels, PixelError } from './image.ts';

export interface PngHeader {
  readonly width: number;
  readonly height: number;
  /** Bits of a channel. */
  readonly depth: 1 | 2 | 4 | 8 | 16;
  /** 1 for grey and for indices of a palette, 2 with transparency, 3 for colours, 4 with transparency. */
  readonly channels: 1 | 2 | 3 | 4;
  readonly hasPalette: boolean;
  readonly isInterlaced: boolean;
}

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Channels and allowed depths by colour type. */
const colourTypes: ReadonlyMap<number, { channels: PngHeader['channels']; depths: readonly number[] }> = new Map([
  [0, { channels: 1, depths: [1, 2, 4, 8, 16] }],
  [2, { channels: 3, depths: [8, 16] }],
  [3, { channels: 1, depths: [1, 2, 4, 8] }],
  [4, { channels: 2, depths: [8, 16] }],
  [6, { channels: 4, depths: [8, 16] }],
]);

/** Deflate makes at most so many bytes of one: 258 of two bits. */
const MAX_INFLATION = 1032;
/** What may be inflated without counting. */
const HARMLESS = 2 ** 26;
/** Bytes that are inflated at a time while they are counted: 16 MB come of them at most. */
const SLICE = 2 ** 14;

export function isPng(bytes: Uint8Array): boolean {
  return signature.every((byte, i) => bytes[i] === byte);
}

/**
 * Reads the header of a PNG, and gives the file without what is not needed for its pixels: texts and profiles are compressed too,
 * and not limited by any size.
 *
 * @throws PixelError when it is no whole PNG, has more than {@link maxPixels}, or holds more data than its pixels take.
 */
export function inspectPng(bytes: Uint8Array): { header: PngHeader; needed: Uint8Array } {
  if (!isPng(bytes)) throw new PixelError('it is no PNG');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts = [bytes.subarray(0, signature.length)];
  const data: Uint8Array[] = [];
  let header: PngHeader | undefined;
  let isWhole = false;
  for (let at = signature.length; at + 12 <= bytes.length && !isWhole; ) {
    const length = view.getUint32(at);
    const end = at + 12 + length;
    if (end > bytes.length) break;
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 8, end - 4);
    if (!header && type !== 'IHDR') throw new PixelError('its header is missing');
    if (type === 'IHDR') {
      if (header || length !== 13) throw new PixelError('its header is damaged');
      header = readHeader(body);
    }
    if (type === 'IDAT') data.push(body);
    if (['IHDR', 'PLTE', 'tRNS', 'IDAT', 'IEND'].includes(type)) parts.push(bytes.subarray(at, end));
    isWhole = type === 'IEND';
    at = end;
  }
  if (!header || !isWhole) throw new PixelError('its end is missing');
  checkInflation(header, data);
  const needed = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    needed.set(part, at);
    at += part.length;
  }
  return { header, needed };
}

function readHeader(body: Uint8Array): PngHeader {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  const [depth = 0, colour = 0, compression, filter, interlace] = body.subarray(8);
  const known = colourTypes.get(colour);
  if (width === 0 || height === 0 || !known?.depths.includes(depth) || compression || filter || (interlace ?? 2) > 1) {
    throw new PixelError('its header is damaged');
  }
  if (width * height > maxPixels) {
    throw new PixelError(
      `${width} x ${height} pixels are more than the ${maxPixels} that are read; make it smaller first`,
    );
  }
  return {
    width,
    height,
    depth: depth as PngHeader['depth'],
    channels: known.channels,
    hasPalette: colour === 3,
    isInterlaced: interlace === 1,
  };
}

/** Bytes of the pixels before they are compressed, a byte for the filter of each row included. */
function rawBytes({ width, height, depth, channels, isInterlaced }: PngHeader): number {
  const pass = (columns: number, rows: number): number =>
    columns === 0 ? 0 : rows * (1 + Math.ceil((columns * depth * channels) / 8));
  if (!isInterlaced) return pass(width, height);
  // Adam7: where each of its seven passes begins, and how far its pixels are apart.
  const passes = [
    [0, 0, 8, 8],
    [4, 0, 8, 8],
    [0, 4, 4, 8],
    [2, 0, 4, 4],
    [0, 2, 2, 4],
    [1, 0, 2, 2],
    [0, 1, 1, 2],
  ] as const;
  const count = (size: number, from: number, step: number): number => Math.max(0, Math.ceil((size - from) / step));
  return passes.reduce((sum, [x, y, dx, dy]) => sum + pass(count(width, x, dx), count(height, y, dy)), 0);
}

function checkInflation(header: PngHeader, data: readonly Uint8Array[]): void {
  const raw = rawBytes(header);
  const packed = data.reduce((sum, part) => sum + part.length, 0);
  if (packed * MAX_INFLATION < raw) throw new PixelError('its end is missing');
  if (packed * MAX_INFLATION <= Math.max(raw, HARMLESS)) return;
  let inflated = 0;
  const counter = new Unzlib((chunk) => {
    inflated += chunk.length;
  });
  for (const part of data) {
    for (let at = 0; at < part.length; at += SLICE) {
      try {
        counter.push(part.subarray(at, at + SLICE));
      } catch {
        return; // Whoever decodes it stops here as well, and says why.
      }
      if (inflated > raw) throw new PixelError('it holds more data than its pixels take');
    }
  }
}
