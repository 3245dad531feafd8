/**
 * A value whose numbers have six significant digits: what fractions and scores are worth. Whole numbers stay.
 *
 * ```ts
 * rounded({ fraction: 0.7504882812500001, pixels: 12345678 }); // { fraction: 0.750488, pixels: 12345678 }
 * ```
 */
export function rounded<T>(value: T): T {
  if (typeof value === 'number') return (Number.isInteger(value) ? value : Number(value.toPrecision(6))) as T;
  if (Array.isArray(value)) return value.map(rounded) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, rounded(one)])) as T;
}
