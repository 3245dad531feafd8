import { describe, expect, test } from 'vitest';
import { signTest, wilsonInterval } from '../../../src/zeroseg/votes/proportions.ts';

describe('wilsonInterval', () => {
  // Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), table I, method 3.
  test.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])('%i of %i', (count, of, low, high) => {
    const found = wilsonInterval(count, of);
    expect(found?.low).toBeCloseTo(low, 4);
    expect(found?.high).toBeCloseTo(high, 4);
    expect(found?.fraction).toBe(count / of);
  });

  test("the paper's Table 2: 677 of 1000", () => {
    expect(wilsonInterval(677, 1000)?.low).toBeCloseTo(0.6473872202713616, 12);
    expect(wilsonInterval(677, 1000)?.high).toBeCloseTo(0.705258107224752, 12);
  });

  test('what is not counted turns the interval round, and stays between 0 and 1', () => {
    const [few, count] = [wilsonInterval(3, 20), wilsonInterval(17, 20)];
    expect(few?.low).toBeCloseTo(1 - (count?.high ?? 0), 12);
    expect(wilsonInterval(5, 5)).toMatchObject({ fraction: 1, high: 1 });
    expect(wilsonInterval(0, 0)).toBeUndefined();
  });
});

describe('signTest', () => {
  // Fractions of whole numbers, doubled tails of the binomial distribution.
  test.each([
    [9, 1, 22 / 1024],
    [8, 2, 112 / 1024],
    [3, 1, 10 / 16],
    [1, 0, 1],
    [5, 5, 1],
    [0, 0, 1],
    [120, 80, 0.0056851559967503055],
    [677, 323, 1.5862395778865882e-29],
  ])('%i against %i', (a, b, p) => {
    expect(signTest(a, b) / p).toBeCloseTo(1, 10);
    expect(signTest(b, a)).toBe(signTest(a, b));
  });

  test('of more votes than the smallest number has halves', () => {
    expect(signTest(5000, 5000)).toBe(1);
    // The normal approximation with a correction for continuity: z = 1.99.
    expect(signTest(5100, 4900)).toBeCloseTo(0.0466, 3);
    expect(signTest(10_000, 0)).toBe(0);
  });
});
