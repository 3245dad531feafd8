import { expect, test } from 'vitest';
import { jackknifeError } from '../../../src/zeroseg/demo/live-scores.ts';

test('the jackknife error of a mean is its standard error', () => {
  const values = [1, 4, 2, 8, 5, 7];
  const n = values.length;
  const mean = (some: readonly number[]) => some.reduce((sum, value) => sum + value, 0) / some.length;
  const variance = values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (n - 1);
  const without = values.map((_, left) => mean(values.filter((_, i) => i !== left)));
  expect(jackknifeError(without)).toBeCloseTo(Math.sqrt(variance / n), 12);
  expect(jackknifeError([0.3])).toBe(0);
  expect(jackknifeError([])).toBe(0);
});
