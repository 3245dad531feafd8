import { describe, expect, it } from 'vitest';
import {
  constantRate,
  cosineRate,
  exponentialRate,
  linearRate,
  oneCycleRate,
  polynomialRate,
  type Rate,
  sequence,
  stepRate,
} from '../../../src/nn/optimizer/rates.ts';

const steps = (rate: Rate, ...ts: number[]) => ts.map((t) => rate(t));

/** To a few ulps. */
function expectRates(got: readonly number[], wanted: readonly number[]): void {
  got.forEach((value, i) => void expect(value, `rate ${i}`).toBeCloseTo(wanted[i] as number, 12));
  expect(got.length).toBe(wanted.length);
}

// What PyTorch's schedulers are documented to give, step after step.
describe('schedules', () => {
  it('constant', () => {
    expect(steps(constantRate(0.1), 1, 2, 1000)).toEqual([0.1, 0.1, 0.1]);
  });

  it('along a line, and then level', () => {
    expectRates(steps(linearRate(0.025, 0.05, 4), 1, 2, 3, 4, 5, 99), [0.025, 0.03125, 0.0375, 0.04375, 0.05, 0.05]);
    expectRates(steps(linearRate(1, 0, 2), 1, 2, 3, 4), [1, 0.5, 0, 0]);
  });

  it('along half a cosine, and then level', () => {
    const half = (1 + Math.SQRT1_2) / 2;
    expectRates(steps(cosineRate(1, 0, 4), 1, 2, 3, 4, 5, 6), [1, half, 0.5, 1 - half, 0, 0]);
    expectRates(steps(cosineRate(1, 0.5, 2), 1, 2, 3), [1, 0.75, 0.5]);
  });

  it('along a polynomial, and then nothing', () => {
    expectRates(steps(polynomialRate(0.001, 4), 1, 2, 3, 4, 5, 6), [0.001, 0.00075, 0.0005, 0.00025, 0, 0]);
    expectRates(steps(polynomialRate(1, 2, 0.9), 2), [0.5 ** 0.9]);
  });

  it('in stairs', () => {
    expectRates(steps(stepRate(0.05, 30), 1, 30, 31, 60, 61), [0.05, 0.05, 0.005, 0.005, 0.0005]);
    expectRates(
      steps(stepRate(0.05, [30, 80], 0.5), 1, 30, 31, 80, 81, 999),
      [0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125],
    );
  });

  it('exponentially', () => {
    expectRates(steps(exponentialRate(2, 0.5), 1, 2, 3, 11), [2, 1, 0.5, 2 / 1024]);
  });

  it('in one cycle', () => {
    // 10 steps: the top is after 0.3 · 10 − 1 = 2 steps, the end after 9.
    const rate = oneCycleRate(1, 10);
    const down = (k: number) => 4e-6 + ((1 - 4e-6) * (1 + Math.cos((Math.PI * k) / 7))) / 2;
    expectRates(steps(rate, 1, 2, 3, 4, 7, 10, 11), [0.04, 0.52, 1, down(1), down(4), 4e-6, 4e-6]);
    expectRates(steps(oneCycleRate(1, 1), 1, 2), [4e-6, 4e-6]);
    expectRates(steps(oneCycleRate(1, 3, { rise: 0, startDivisor: 10, endDivisor: 1 }), 1, 2, 3), [1, 0.55, 0.1]);
    expectRates(steps(oneCycleRate(1, 3, { rise: 1, startDivisor: 10 }), 1, 2, 3), [0.1, 0.55, 0.00001]);
  });

  it('behind each other, each counting from 1, in each other too', () => {
    const rate = sequence([linearRate(0, 1, 2), 2], [sequence([constantRate(1), 1], [stepRate(4, 2, 0.5), 9]), 5]);
    expectRates(steps(rate, 1, 2, 3, 4, 5, 6, 7, 8, 9), [0, 0.5, 1, 4, 4, 2, 2, 1, 1]);
    expect(steps(sequence([constantRate(3), 1]), 1, 2)).toEqual([3, 3]);
  });

  it('refuse nonsense', () => {
    const all: Rate[] = [
      constantRate(1),
      linearRate(0, 1, 2),
      cosineRate(1, 0, 2),
      polynomialRate(1, 2),
      stepRate(1, 2),
      exponentialRate(1, 0.5),
      oneCycleRate(1, 2),
      sequence([constantRate(1), 1]),
    ];
    for (const rate of all) {
      for (const t of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        expect(() => rate(t)).toThrow(/^\w+: steps are counted 1, 2, …; t is /);
      }
    }
    expect(() => constantRate(Number.NaN)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: constantRate: rate must be a finite number, 0 or more; it is NaN]`,
    );
    expect(() => linearRate(0, -1, 2)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: linearRate: to must be a finite number, 0 or more; it is -1]`,
    );
    expect(() => cosineRate(1, 0, 0)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: cosineRate: steps must be a whole number, 1 or more; it is 0]`,
    );
    expect(() => stepRate(1, [3, 0.5])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: stepRate: milestone must be a whole number, 1 or more; it is 0.5]`,
    );
    expect(() => oneCycleRate(1, 10, { rise: 2 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: oneCycleRate: rise must be from 0 to 1; it is 2]`,
    );
    expect(() => oneCycleRate(1, 10, { endDivisor: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: oneCycleRate: endDivisor must be a finite number above 0; it is 0]`,
    );
    expect(() => sequence()).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: sequence: give at least one [schedule, steps]]`,
    );
    expect(() => sequence([constantRate(1), 0])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: sequence: steps must be a whole number, 1 or more; it is 0]`,
    );
  });
});
