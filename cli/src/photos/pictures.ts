/** Images and drawings as files of pixels. */
import { type Drawing, type Image, type Lettering, svgOf } from '@zeroseg/core/zeroseg';
import sharp, { type OverlayOptions, type Sharp } from 'sharp';
import { interLettering } from './lettering.ts';

/** Side of the pieces that shapes are drawn in: SVGs end at 32,767 pixels, and photos do not. */
const PIECE = 4096;

/** An image, or a drawing with its shapes drawn, in the letters that it was made with: to be encoded. */
export function rasterise(picture: Image | Drawing, lettering: Lettering = interLettering()): Sharp {
  const { width, height, data } = picture;
  const image = sharp(data, { raw: { width, height, channels: 3 } });
  if (!('shapes' in picture) || picture.shapes.length === 0) return image;
  const pieces: OverlayOptions[] = [];
  for (let y = 0; y < height; y += PIECE) {
    for (let x = 0; x < width; x += PIECE) {
      const region = { x, y, width: Math.min(PIECE, width - x), height: Math.min(PIECE, height - y) };
      const svg = svgOf(picture, { lettering, region });
      pieces.push({ input: Buffer.from(svg), left: x, top: y });
    }
  }
  return image.composite(pieces).removeAlpha();
}
