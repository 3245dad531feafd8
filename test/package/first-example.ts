import { expect } from 'vitest';

/** What the documentation's first program prints: y (4), dw (2), the loss, and w (2), as its comments say. */
export function checkFirstExample([y0, y1, y2, y3, d0, d1, loss, w0, w1]: readonly number[]): void {
  for (const [got, want] of [
    [y0, 0],
    [y1, -0.5],
    [y2, 0.5],
    [y3, 0],
    [d0, 0.25],
    [d1, -0.25],
  ]) {
    expect(got).toBeCloseTo(want as number, 5);
  }
  expect(loss).toBeLessThan(0.01);
  expect(w0).toBeCloseTo(2, 1);
  expect(w1).toBeCloseTo(3, 1);
}
