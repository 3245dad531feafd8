import type { Image, SquareCodec } from '@zeroseg/core/zeroseg';
import sharp from 'sharp';
import { decodePhoto } from '../photos/index.ts';

const pixels = ({ data, width, height }: Image) => sharp(data, { raw: { width, height, channels: 3 } });
const plain = async (bytes: Promise<Buffer>): Promise<Uint8Array<ArrayBuffer>> => new Uint8Array(await bytes);

/**
 * What `zeroseg cache --squares` can keep squares as. JPEG of quality 92 with all its colours: 42 dB, a tenth of the bytes of pixels; WebP
 * without loss: a quarter of them, and slow to make.
 */
export const squareCodecs: Readonly<Record<'jpeg' | 'lossless', SquareCodec>> = {
  jpeg: {
    name: 'jpeg-92',
    encode: (square) => plain(pixels(square).jpeg({ quality: 92, chromaSubsampling: '4:4:4' }).toBuffer()),
    decode: decodePhoto,
  },
  lossless: {
    name: 'webp-lossless',
    encode: (square) => plain(pixels(square).webp({ lossless: true, effort: 2 }).toBuffer()),
    decode: decodePhoto,
  },
};
