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

/** Two-sided 95 % quantiles of Student's t with 1, 2, … degrees of freedom. */
const T_95 = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/** Differences of pairs, their mean, and a 95 % interval of it by Student's t; no interval of one pair. */
export interface PairedDifference {
  readonly differences: readonly number[];
  readonly mean: number;
  readonly interval: readonly [low: number, high: number] | null;
}

/** `higher[i] − lower[i]` and what they say; null without pairs. Beyond 31 pairs the quantile is that of 31, a little wide. */
export function pairedDifference(lower: readonly number[], higher: readonly number[]): PairedDifference | null {
  const found = spread(lower.map((value, i) => higher[i]! - value));
  if (!found) return null;
  const { mean, deviation, values } = found;
  if (deviation === null) return { differences: values, mean, interval: null };
  const half = (T_95[Math.min(values.length - 1, T_95.length) - 1]! * deviation) / Math.sqrt(values.length);
  return { differences: values, mean, interval: [mean - half, mean + half] };
}
