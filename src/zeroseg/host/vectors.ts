/** Small vector arithmetic on the host, where what is to be computed is less than what a launch costs. */

/** Euclidean length; 1 for zeros, so that dividing by it leaves them as they are. */
export function lengthOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] as number) ** 2;
  return Math.sqrt(sum) || 1;
}

/** The rows as unit vectors; a row of zeros stays one. */
export function unitRows(rows: ArrayLike<number>, width: number): Float32Array {
  const out = Float32Array.from(rows);
  for (let at = 0; at < out.length; at += width) {
    const row = out.subarray(at, at + width);
    const length = lengthOf(row);
    for (let i = 0; i < width; i++) row[i]! /= length;
  }
  return out;
}

/** `a · b` over `width` values of each, from `atA` and `atB` on; summed in double precision. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>, width: number = a.length, atA = 0, atB = 0): number {
  let sum = 0;
  for (let i = 0; i < width; i++) sum += a[atA + i]! * b[atB + i]!;
  return sum;
}

/** Index of the largest value; the first on ties. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** Of each column of `[rows, cols]`, from `at` on, the row with the largest value; the first on ties. */
export function argmaxColumns(map: ArrayLike<number>, rows: number, cols: number, at = 0): Uint32Array {
  const best = new Uint32Array(cols);
  for (let col = 0; col < cols; col++) {
    for (let row = 1; row < rows; row++) {
      if (map[at + row * cols + col]! > map[at + best[col]! * cols + col]!) best[col] = row;
    }
  }
  return best;
}

/** Indices of the `count` largest values, in falling order; the first on ties. */
export function largest(values: ArrayLike<number>, count: number): number[] {
  return Array.from({ length: values.length }, (_, i) => i)
    .sort((a, b) => values[b]! - values[a]! || a - b)
    .slice(0, count);
}

/** `softmax(scale · values)` over the indices that `keep` lets through; 0 for the others. */
export function softmax(
  values: ArrayLike<number>,
  scale = 1,
  keep: (index: number) => boolean = () => true,
): Float64Array {
  let top = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) if (keep(i)) top = Math.max(top, values[i]!);
  const out = new Float64Array(values.length);
  let sum = 0;
  for (let i = 0; i < out.length; i++) if (keep(i)) sum += out[i] = Math.exp(scale * (values[i]! - top));
  for (let i = 0; i < out.length; i++) out[i] = out[i]! / sum;
  return out;
}

/** `−Σ p log p` in nats, over all values: of several distributions the sum of their entropies. */
export function entropy(distribution: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < distribution.length; i++) {
    const p = distribution[i]!;
    if (p > 0) sum -= p * Math.log(p);
  }
  return sum;
}
