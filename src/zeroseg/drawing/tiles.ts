import type { Image } from '../image/index.ts';

/** A white image to paste others on. */
export function blankSheet(width: number, height: number): Image {
  return { width, height, data: new Uint8Array(3 * width * height).fill(255) };
}

/** Copies a tile onto a sheet that holds it, its upper left corner at (x, y). */
export function paste(sheet: Image, tile: Image, x: number, y: number): void {
  const stride = 3 * tile.width;
  for (let row = 0; row < tile.height; row++) {
    sheet.data.set(tile.data.subarray(row * stride, (row + 1) * stride), 3 * ((y + row) * sheet.width + x));
  }
}
