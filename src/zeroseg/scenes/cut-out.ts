/** A cut-out ready to be drawn at any size: smaller versions of it, its extent, its colour. */
import type { Colour } from '../image/index.ts';
import { colourName } from './colour.ts';
import type { ColourMatrix } from './colour-matrix.ts';
import type { Layer } from './layer.ts';

/** RGBA with transparency multiplied in, and a border of one clear pixel: `[side + 2, side + 2, 4]`. */
interface Level {
  readonly side: number;
  readonly data: Uint8Array;
}

/** Where and how large a cut-out is drawn. */
export interface Placement {
  /** Middle of the object, in pixels of the picture. */
  readonly x: number;
  readonly y: number;
  /** Longer side of the object before it is turned, in pixels. */
  readonly long: number;
  /** Clockwise, in radians. */
  readonly turn: number;
  /** Mirrored left to right, before it is turned. */
  readonly flipped: boolean;
}

/** Sizes of the smaller versions, from one to the next: at most 19 % too coarse or too fine for any scale. */
const STEP = Math.SQRT1_2;

/** See {@link makeCutOut}. */
export class CutOut {
  /** Longer side of what is not transparent. */
  readonly long: number;
  /** Pixels that are at least half opaque, where the longer side is 1. */
  readonly area: number;
  readonly #whole: Level;
  /** Sides of the smaller versions, which are made when they are first needed. */
  readonly #sides: readonly number[];
  readonly #levels = new Map<number, Level>();
  readonly #middle: readonly [x: number, y: number];
  readonly #extent: readonly [width: number, height: number];
  readonly #colour: Colour | undefined;

  /** Of RGBA `[side, side, 4]`, transparency not multiplied in. */
  constructor(pixels: Uint8Array, side: number) {
    let [left, top, right, bottom, area] = [side, side, 0, 0, 0];
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const alpha = pixels[(y * side + x) * 4 + 3]!;
        if (alpha >= 128) area++;
        if (alpha < 16) continue;
        left = Math.min(left, x);
        right = Math.max(right, x + 1);
        top = Math.min(top, y);
        bottom = Math.max(bottom, y + 1);
      }
    }
    this.#extent = [Math.max(1, right - left), Math.max(1, bottom - top)];
    this.#middle = [(left + right) / 2, (top + bottom) / 2];
    this.long = Math.max(...this.#extent);
    this.area = area / (this.long * this.long);
    this.#whole = { side, data: multiplied(pixels, side) };
    this.#levels.set(side, this.#whole);
    const sides: number[] = [];
    for (let smaller = side; smaller >= 6; smaller *= STEP) sides.push(Math.round(smaller));
    this.#sides = sides;
    this.#colour = mainColour(pixels);
  }

  /** What one would call its colour after `colours`, if most of it has one. */
  colourName(colours: ColourMatrix): string | undefined {
    if (!this.#colour) return undefined;
    const [red, green, blue] = this.#colour;
    const [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11] = colours;
    return colourName([
      clamp(m0 * red + m1 * green + m2 * blue + m3, 255),
      clamp(m4 * red + m5 * green + m6 * blue + m7, 255),
      clamp(m8 * red + m9 * green + m10 * blue + m11, 255),
    ]);
  }

  /**
   * Draws into `layer`, bilinearly, out of the version whose scale is nearest, or of one `softness` times smaller, whose
   * edges are soft.
   */
  draw(
    { x, y, long, turn, flipped }: Placement,
    colours: ColourMatrix,
    layer: Layer,
    { softness = 1 }: { softness?: number } = {},
  ): void {
    const scale = long / this.long;
    const { side: full } = this.#whole;
    const miss = (side: number): number => Math.abs(Math.log((softness * side) / (full * scale)));
    const side = this.#sides.reduce((best, other) => (miss(other) < miss(best) ? other : best));
    const { data } = this.#level(side);
    const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
    const [width, height] = this.#extent;
    // Edges fade over a pixel of the version that is drawn from.
    const fade = Math.max(1, (scale * full) / side);
    const reachX = ((Math.abs(cos) * width + Math.abs(sin) * height) * scale) / 2 + fade;
    const reachY = ((Math.abs(sin) * width + Math.abs(cos) * height) * scale) / 2 + fade;
    const { data: out, size } = layer;
    const left = (layer.left = Math.max(0, Math.floor(x - reachX)));
    const top = (layer.top = Math.max(0, Math.floor(y - reachY)));
    const right = (layer.right = Math.max(left, Math.min(size, Math.ceil(x + reachX))));
    const bottom = (layer.bottom = Math.max(top, Math.min(size, Math.ceil(y + reachY))));

    const ratio = side / full;
    const mirror = flipped ? -1 : 1;
    const stepX = ((mirror * cos) / scale) * ratio;
    const stepY = (-sin / scale) * ratio;
    const stride = (side + 2) * 4;
    const [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11] = colours;
    for (let py = top; py < bottom; py++) {
      const dx = left + 0.5 - x;
      const dy = py + 0.5 - y;
      // Half a pixel to its middle, and one of the border.
      let u = (this.#middle[0] + (mirror * (cos * dx + sin * dy)) / scale) * ratio + 0.5;
      let v = (this.#middle[1] + (cos * dy - sin * dx) / scale) * ratio + 0.5;
      let to = (py * size + left) * 4;
      for (let px = left; px < right; px++, u += stepX, v += stepY, to += 4) {
        if (u < 0 || v < 0 || u >= side + 1 || v >= side + 1) {
          out[to + 3] = 0;
          continue;
        }
        const column = u | 0;
        const line = v | 0;
        const s = u - column;
        const t = v - line;
        const at = line * stride + column * 4;
        const a = (1 - s) * (1 - t);
        const b = s * (1 - t);
        const c = (1 - s) * t;
        const d = s * t;
        const under = at + stride;
        const alpha = a * data[at + 3]! + b * data[at + 7]! + c * data[under + 3]! + d * data[under + 7]!;
        out[to + 3] = alpha;
        if (alpha === 0) continue;
        const red = a * data[at]! + b * data[at + 4]! + c * data[under]! + d * data[under + 4]!;
        const green = a * data[at + 1]! + b * data[at + 5]! + c * data[under + 1]! + d * data[under + 5]!;
        const blue = a * data[at + 2]! + b * data[at + 6]! + c * data[under + 2]! + d * data[under + 6]!;
        const fraction = alpha / 255;
        out[to] = clamp(m0 * red + m1 * green + m2 * blue + m3 * fraction, alpha);
        out[to + 1] = clamp(m4 * red + m5 * green + m6 * blue + m7 * fraction, alpha);
        out[to + 2] = clamp(m8 * red + m9 * green + m10 * blue + m11 * fraction, alpha);
      }
    }
  }

  #level(side: number): Level {
    let found = this.#levels.get(side);
    if (!found) this.#levels.set(side, (found = shrink(this.#whole, side)));
    return found;
  }
}

function clamp(value: number, high: number): number {
  return value < 0 ? 0 : value > high ? high : value;
}

function multiplied(pixels: Uint8Array, side: number): Uint8Array {
  const data = new Uint8Array((side + 2) * (side + 2) * 4);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const from = (y * side + x) * 4;
      const to = ((y + 1) * (side + 2) + x + 1) * 4;
      const alpha = pixels[from + 3]!;
      for (let c = 0; c < 3; c++) data[to + c] = Math.round((pixels[from + c]! * alpha) / 255);
      data[to + 3] = alpha;
    }
  }
  return data;
}

/** Each pixel is the mean of the area that it covers: first of rows, then of columns. */
function shrink({ side, data }: Level, smaller: number): Level {
  const stride = (side + 2) * 4;
  const ratio = side / smaller;
  const rows = new Float32Array(smaller * stride);
  for (let y = 0; y < smaller; y++) {
    const [start, end] = [y * ratio, (y + 1) * ratio];
    for (let j = Math.floor(start); j < Math.min(side, Math.ceil(end)); j++) {
      const weight = (Math.min(j + 1, end) - Math.max(j, start)) / ratio;
      let from = (j + 1) * stride;
      for (let to = y * stride; to < (y + 1) * stride; to++) rows[to] = rows[to]! + weight * data[from++]!;
    }
  }
  const width = (smaller + 2) * 4;
  // Half of one on top, so that the conversion to bytes rounds.
  const sums = new Float32Array(width * (smaller + 2)).fill(0.5);
  for (let x = 0; x < smaller; x++) {
    const [start, end] = [x * ratio, (x + 1) * ratio];
    for (let i = Math.floor(start); i < Math.min(side, Math.ceil(end)); i++) {
      const weight = (Math.min(i + 1, end) - Math.max(i, start)) / ratio;
      let from = (i + 1) * 4;
      let to = width + (x + 1) * 4;
      for (let y = 0; y < smaller; y++, from += stride, to += width) {
        sums[to] = sums[to]! + weight * rows[from]!;
        sums[to + 1] = sums[to + 1]! + weight * rows[from + 1]!;
        sums[to + 2] = sums[to + 2]! + weight * rows[from + 2]!;
        sums[to + 3] = sums[to + 3]! + weight * rows[from + 3]!;
      }
    }
  }
  return { side: smaller, data: new Uint8Array(sums) };
}

/** The mean of the pixels that share the commonest name of a colour, where that is more than half of all. */
function mainColour(pixels: Uint8Array): Colour | undefined {
  const sums = new Map<string | undefined, [count: number, red: number, green: number, blue: number]>();
  let opaque = 0;
  // Every fifth pixel is enough, and as cells are no multiple of five wide, all columns have their turn.
  for (let at = 0; at < pixels.length; at += 5 * 4) {
    if (pixels[at + 3]! < 128) continue;
    opaque++;
    const colour: Colour = [pixels[at]!, pixels[at + 1]!, pixels[at + 2]!];
    const name = colourName(colour);
    const sum = sums.get(name) ?? [0, 0, 0, 0];
    sum[0]++;
    for (let c = 0; c < 3; c++) sum[c + 1]! += colour[c]!;
    sums.set(name, sum);
  }
  sums.delete(undefined);
  for (const [count, red, green, blue] of sums.values()) {
    if (count > opaque / 2) return [red / count, green / count, blue / count];
  }
  return undefined;
}
