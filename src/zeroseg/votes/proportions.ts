/** Of counts of two kinds: how sure a share is, and whether it differs from a half. */

/** The 97.5th percentile of the normal distribution: intervals hold the truth in 95 of 100 cases. */
const Z95 = 1.959963984540054;

/** A share and where it lies with 95 % confidence. */
export interface ShareInterval {
  readonly fraction: number;
  readonly low: number;
  readonly high: number;
  /** What it is a share of. */
  readonly of: number;
}

/**
 * A share with Wilson's score interval: `(p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n)`. Unlike `p ± z √(p(1 − p)/n)` it stays within
 * 0 to 1 and is right for few votes. `undefined` of none.
 *
 * ```ts
 * wilsonInterval(677, 1000); // share 0.677, from 0.647 to 0.705
 * ```
 */
export function wilsonInterval(count: number, of: number): ShareInterval | undefined {
  if (of === 0) return undefined;
  const fraction = count / of;
  const z2 = Z95 ** 2 / of;
  const centre = fraction + z2 / 2;
  const half = Z95 * Math.sqrt((fraction * (1 - fraction)) / of + z2 / (4 * of));
  return { fraction, low: Math.max(0, (centre - half) / (1 + z2)), high: Math.min(1, (centre + half) / (1 + z2)), of };
}

/**
 * The sign test, exact and two-sided: how likely fair coins part `a + b` votes at least as unevenly. 1 of none.
 *
 * ```ts
 * signTest(9, 1); // 0.0215
 * ```
 */
export function signTest(a: number, b: number): number {
  const n = a + b;
  const max = Math.max(a, b);
  if (max * 2 === n) return 1;
  // C(n, k) / 2^n from k = n downwards, as logarithms: 2^-n is below the smallest number from n = 1075 on.
  let log = -n * Math.LN2;
  let tail = 0;
  for (let k = n; k >= max; k--) {
    tail += Math.exp(log);
    log += Math.log(k) - Math.log(n - k + 1);
  }
  return Math.min(1, 2 * tail);
}
