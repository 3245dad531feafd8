/** Of numbers that were measured. */

/** The mean of what is there; null where nothing is. */
export function meanOf(values: readonly (number | null)[]): number | null {
  const present = values.filter((value) => value !== null);
  return present.length === 0 ? null : present.reduce((sum, value) => sum + value, 0) / present.length;
}

/** Mean and standard deviation of a sample (n − 1); no deviation of one. */
export interface Spread {
  readonly mean: number;
  readonly deviation: number | null;
  readonly values: readonly number[];
}

/** Mean and deviation of what is there; null where nothing is. */
export function spread(values: readonly (number | null)[]): Spread | null {
  const present = values.filter((value) => value !== null);
  const mean = meanOf(present);
  if (mean === null) return null;
  const squares = present.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: present.length > 1 ? Math.sqrt(squares / (present.length - 1)) : null, values: present };
}
