import type { Random } from '../../../nn/layers/index.ts';
import type { Colour } from '../../image/index.ts';

/** Rows `from` to `to` (not included) of a square picture of `size` pixels, RGB. */
export interface Canvas {
  readonly data: Uint8Array;
  readonly size: number;
  readonly from: number;
  readonly to: number;
}

/** Paints all pixels of a canvas. */
export type Paint = (canvas: Canvas, draw: Random) => void;

type SetPixel = (red: number, green: number, blue: number) => void;

/** Calls `pixel` with the place of every pixel's middle, in 0..1, and a function that sets its colour, clamped. */
export function eachPixel(
  { data, size, from, to }: Canvas,
  pixel: (u: number, v: number, set: SetPixel) => void,
): void {
  let at = from * size * 3;
  const set = (red: number, green: number, blue: number): void => {
    data[at] = red < 0 ? 0 : red > 255 ? 255 : red;
    data[at + 1] = green < 0 ? 0 : green > 255 ? 255 : green;
    data[at + 2] = blue < 0 ? 0 : blue > 255 ? 255 : blue;
  };
  for (let y = from; y < to; y++) {
    const v = (y + 0.5) / size;
    for (let x = 0; x < size; x++, at += 3) pixel((x + 0.5) / size, v, set);
  }
}

export function fill({ data, size, from, to }: Canvas, [red, green, blue]: Colour): void {
  for (let at = from * size * 3; at < to * size * 3; at += 3) {
    data[at] = red;
    data[at + 1] = green;
    data[at + 2] = blue;
  }
}

export function blend(set: SetPixel, a: Colour, b: Colour, t: number): void {
  set(mix(a[0], b[0], t), mix(a[1], b[1], t), mix(a[2], b[2], t));
}

export function mix(a: number, b: number, t: number): number {
  return a + (b - a) * t;
}

/** Clamped to 0..1. */
export function ramp(t: number): number {
  return t < 0 ? 0 : t > 1 ? 1 : t;
}
