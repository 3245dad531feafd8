import { ArgumentError } from '../../gpu/index.ts';
import { shown } from '../../tensor/values/index.ts';

/** 4 GiB. */
const MAX_VALUES = 2 ** 30;

/**
 * Fixed two-dimensional sine and cosine positions (MAE), one row of width `dim` (a multiple of 4) per patch, row by row;
 * with `cls`, a row of zeros in front. With `w_i = 10000^(−i/q)`, `q = dim/4`, the patch in grid row r, column c has
 * `[sin(c·w), cos(c·w), sin(r·w), cos(r·w)]`: the column comes first. Computed in double, stored in single precision.
 */
export function sinCosPositions(dim: number, rows: number, cols: number, cls: boolean): Float32Array {
  const first = cls ? 1 : 0;
  const fits = [dim, rows, cols].every((size) => Number.isSafeInteger(size) && size >= 0);
  if (!fits || (first + rows * cols) * dim > MAX_VALUES) {
    throw new ArgumentError(
      `sinCosPositions: width, rows and columns must be whole numbers, for at most ${MAX_VALUES} values; got ${[dim, rows, cols].map(shown).join(', ')}`,
    );
  }
  if (dim % 4 !== 0) throw new ArgumentError(`sinCosPositions: the width must be a multiple of 4; got ${dim}`);
  if (cls !== undefined && typeof cls !== 'boolean') {
    throw new ArgumentError(`sinCosPositions: cls must be true or false; it is ${shown(cls)}`);
  }
  const q = dim / 4;
  const table = new Float32Array((first + rows * cols) * dim);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      const at = (first + r * cols + c) * dim;
      for (let i = 0; i < q; i++) {
        const w = 10000 ** (-i / q);
        table[at + i] = Math.sin(c * w);
        table[at + q + i] = Math.cos(c * w);
        table[at + 2 * q + i] = Math.sin(r * w);
        table[at + 3 * q + i] = Math.cos(r * w);
      }
    }
  }
  return table;
}

/**
 * A table of `from × from` positions, `[from², dim]`, at another size, `[to², dim]`: bicubic (a = −0.75), half-pixel centres, taps
 * clamped at the border, no antialiasing. On the host and in double, for weights that are loaded; `interpolatePositions` is the op.
 */
export function resamplePositions(table: ArrayLike<number>, dim: number, from: number, to: number): Float32Array {
  const cubic = (x: number) =>
    x <= 1 ? (1.25 * x - 2.25) * x * x + 1 : x < 2 ? ((-0.75 * x + 3.75) * x - 6) * x + 3 : 0;
  const taps = Array.from({ length: to }, (_, i) => {
    const centre = ((i + 0.5) * from) / to - 0.5;
    return [-1, 0, 1, 2].map((step) => {
      const at = Math.floor(centre) + step;
      return { at: Math.min(from - 1, Math.max(0, at)), weight: cubic(Math.abs(centre - at)) };
    });
  });
  const out = new Float32Array(to * to * dim);
  taps.forEach((rows, r) => {
    taps.forEach((cols, c) => {
      for (let d = 0; d < dim; d++) {
        let sum = 0;
        for (const row of rows) {
          for (const col of cols)
            sum += row.weight * col.weight * (table[(row.at * from + col.at) * dim + d] as number);
        }
        out[(r * to + c) * dim + d] = sum;
      }
    });
  });
  return out;
}
