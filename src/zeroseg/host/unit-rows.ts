/** Lengths of vectors, and vectors of length 1, on the host. */

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
