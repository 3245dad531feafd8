/** Smooth noise out of a table: what clouds, grain and waves are made of. */
import { random } from '../../nn/layers/index.ts';

const SIDE = 128;

/** One table for all; scenes differ by where they look into it. */
const table = Float32Array.from({ length: SIDE * SIDE }, random(0, 'value noise'));

/**
 * Value noise: random numbers in [0, 1) on the whole points of a grid that repeats every 128, smoothly between them
 * (`3t² - 2t³`).
 */
export function noise(x: number, y: number): number {
  const left = Math.floor(x);
  const top = Math.floor(y);
  let s = x - left;
  let t = y - top;
  s = s * s * (3 - 2 * s);
  t = t * t * (3 - 2 * t);
  const x0 = left & (SIDE - 1);
  const x1 = (left + 1) & (SIDE - 1);
  const y0 = (top & (SIDE - 1)) * SIDE;
  const y1 = ((top + 1) & (SIDE - 1)) * SIDE;
  const upper = table[y0 + x0]! + (table[y0 + x1]! - table[y0 + x0]!) * s;
  const lower = table[y1 + x0]! + (table[y1 + x1]! - table[y1 + x0]!) * s;
  return upper + (lower - upper) * t;
}

/** Octaves of {@link noise}, each twice as fine and half as strong as the one before; in [0, 1). */
export function layeredNoise(x: number, y: number, octaves: number): number {
  let sum = 0;
  let weight = 0.5;
  let total = 0;
  for (let i = 0; i < octaves; i++) {
    sum += weight * noise(x, y);
    total += weight;
    weight /= 2;
    // Shifted, so that the octaves' grid points do not fall together.
    x = x * 2 + 17.3;
    y = y * 2 + 9.7;
  }
  return sum / total;
}

/** The number at a whole point: the same for every pixel of a brick or a tile. */
export function noiseAt(column: number, row: number): number {
  return table[(row & (SIDE - 1)) * SIDE + (column & (SIDE - 1))]!;
}
