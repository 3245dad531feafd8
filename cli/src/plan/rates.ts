import { type Work, type WorkKind, workKinds } from '../bench/index.ts';

/** Seconds that a unit of each kind of work takes. */
export type Rates = Readonly<Record<WorkKind, number>>;

/** Work and the seconds that it took. */
export interface TimedWork {
  readonly work: Work;
  readonly seconds: number;
  /** How much it counts beside the others. */
  readonly weight: number;
}

/** Seconds of each kind of work. */
export function secondsByKind(work: Work, rates: Rates): Record<WorkKind, number> {
  return Object.fromEntries(workKinds.map((kind) => [kind, work[kind] * rates[kind]])) as Record<WorkKind, number>;
}

export function secondsOf(work: Work, rates: Rates): number {
  return workKinds.reduce((sum, kind) => sum + work[kind] * rates[kind], 0);
}

/** How much an error of 100 % of what is expected of a rate counts, beside one of 100 % of a measured time. */
const EXPECTED = 1e-3;
const ROUNDS = 2000;

/**
 * The rates, none of them negative, by which times come nearest to what was measured: least squares of relative errors. What the work says
 * nothing about stays near what is `expected`.
 */
export function fitRates(measured: readonly TimedWork[], expected: Rates): Rates {
  // In units of what is expected, so that all are of one size.
  const rows = measured.map(({ work, seconds, weight }) => ({
    weight,
    shares: workKinds.map((kind) => (work[kind] * expected[kind]) / seconds),
  }));
  const factors = workKinds.map(() => 1);
  // One after the other to its best value: it is convex.
  for (let round = 0; round < ROUNDS; round++) {
    for (const [k] of workKinds.entries()) {
      let [above, below] = [EXPECTED, EXPECTED];
      for (const { weight, shares } of rows) {
        const share = shares[k] as number;
        const others = shares.reduce((sum, other, i) => sum + (i === k ? 0 : other * (factors[i] as number)), 0);
        above += weight * share * (1 - others);
        below += weight * share * share;
      }
      factors[k] = Math.max(0, above / below);
    }
  }
  return Object.fromEntries(workKinds.map((kind, k) => [kind, expected[kind] * (factors[k] as number)])) as Record<
    WorkKind,
    number
  >;
}
