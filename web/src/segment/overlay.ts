import type { LabelMap } from '@zeroseg/core/zeroseg';
import type { Rgb } from './colours.ts';

export interface Paint {
  /** By label; undefined where nothing is painted. */
  readonly colours: readonly (Rgb | undefined)[];
  /** 0 to 1. */
  readonly opacity: number;
  readonly outlines: boolean;
  /** Pixels of the piece that is pointed at. */
  readonly piece?: Uint8Array | undefined;
}

/** Paints a label map: each label in its colour, a line where two meet, and the piece that is pointed at brighter. */
export function paintLabels(context: CanvasRenderingContext2D, { width, height, data }: LabelMap, paint: Paint): void {
  const { colours, outlines, piece } = paint;
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const alpha = Math.round(255 * paint.opacity);
  const strong = Math.round(255 * Math.min(1, paint.opacity + 0.25));
  const packed = (colour: Rgb | undefined, a: number): number =>
    colour ? ((a << 24) | (colour[2] << 16) | (colour[1] << 8) | colour[0]) >>> 0 : 0;
  const fills = colours.map((colour) => packed(colour, alpha));
  const marked = colours.map((colour) => packed(colour, strong));
  const lines = colours.map((colour) => packed(colour, 255));
  const white = 0xffffffff;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const label = data[at]!;
      const isMarked = piece?.[at] === 1;
      pixels[at] = (isMarked ? marked : fills)[label] ?? 0;
      if (!outlines && !piece) continue;
      const right = x + 1 < width ? data[at + 1]! : label;
      const below = y + 1 < height ? data[at + width]! : label;
      const left = x > 0 ? data[at - 1]! : label;
      const above = y > 0 ? data[at - width]! : label;
      if (right === label && below === label && left === label && above === label) continue;
      if (isMarked) pixels[at] = white;
      else if (outlines) pixels[at] = lines[label] ?? 0;
    }
  }
  context.canvas.width = width;
  context.canvas.height = height;
  context.putImageData(image, 0, 0);
}

/** The connected pixels of one label around a pixel, as a mask; how many; and a pixel of it. */
export interface Piece {
  readonly label: number;
  readonly mask: Uint8Array;
  readonly pixels: number;
  readonly x: number;
  readonly y: number;
}

export function pieceAt({ width, height, data }: LabelMap, x: number, y: number): Piece {
  const start = y * width + x;
  const label = data[start]!;
  const mask = new Uint8Array(width * height);
  const stack = new Int32Array(width * height);
  let depth = 0;
  let pixels = 0;
  const visit = (at: number): void => {
    if (mask[at] === 1 || data[at] !== label) return;
    mask[at] = 1;
    stack[depth++] = at;
  };
  visit(start);
  while (depth > 0) {
    const at = stack[--depth]!;
    pixels++;
    const column = at % width;
    if (column > 0) visit(at - 1);
    if (column < width - 1) visit(at + 1);
    if (at >= width) visit(at - width);
    if (at < mask.length - width) visit(at + width);
  }
  return { label, mask, pixels, x, y };
}
