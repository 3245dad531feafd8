import { describe, expect, it } from 'vitest';
import { pairedDifference } from '../../../src/zeroseg/host/statistics.ts';
import { experiments } from '../../../src/zeroseg/studies/ablations.ts';
import { backgroundThresholds } from '../../../src/zeroseg/studies/objects-and-background.ts';
import { type FairScenes, fairOrderings, fairRows } from '../../../src/zeroseg/studies/paired-orderings.ts';
import type { BackgroundRun } from '../../../src/zeroseg/studies/run-study.ts';

describe('paired differences', () => {
  it('have the interval of a paired t test', () => {
    // By hand: mean 3, s = √2.5, t(4) = 2.776.
    const { mean, interval } = pairedDifference([0, 0, 0, 0, 0], [1, 2, 3, 4, 5])!;
    expect(mean).toBe(3);
    expect(interval![0]).toBeCloseTo(3 - (2.776 * Math.sqrt(2.5)) / Math.sqrt(5), 10);
    expect(interval![1]).toBeCloseTo(3 + (2.776 * Math.sqrt(2.5)) / Math.sqrt(5), 10);
    // Two pairs: t(1) = 12.706.
    expect(pairedDifference([1, 1], [2, 4])!.interval![1]).toBeCloseTo(2 + 12.706, 3);
  });

  it('of one pair have no interval, and of none nothing', () => {
    expect(pairedDifference([0.1], [0.3])).toMatchObject({ interval: null });
    expect(pairedDifference([], [])).toBe(null);
  });
});

/** A run whose first score has its best at the threshold that the scenes for choosing prefer, or at another. */
function run(setting: string, seed: number, first: number, chosen = 4): BackgroundRun<FairScenes> {
  const curve = (best: number, value: number) => backgroundThresholds.map((_, i) => (i === best ? value : value / 2));
  const score = (best: number, value: number) => ({ meanIou: curve(best, value), objects: value / 10 });
  return { setting, seed, scores: { choosing: score(chosen, 0.9), first: score(4, first), crowded: score(4, first) } };
}
const table4 = (values: Readonly<Record<string, readonly number[]>>, chosen?: number) =>
  fairRows(
    experiments.table4,
    Object.entries(values).flatMap(([key, those]) => those.map((value, i) => run(key, i + 1, value, chosen))),
  );
const verdicts = (rows: ReturnType<typeof table4>) =>
  fairOrderings(experiments.table4, rows).map(({ verdict }) => verdict);

describe('a fair table', () => {
  const values = {
    base: [0.1, 0.12, 0.11, 0.13, 0.1],
    'multi-scale': [0.2, 0.21, 0.22, 0.22, 0.2],
    matching: [0.1, 0.12, 0.12, 0.12, 0.09],
    both: [0.1, 0.11, 0.14, 0.11, 0.12],
  };

  it('scores each row at the threshold that other scenes chose, not at its own best', () => {
    const [base] = table4(values);
    expect(base).toMatchObject({ key: 'base', paper: 21.1, threshold: 0.2, seeds: [1, 2, 3, 4, 5] });
    expect(base?.first?.mean).toBeCloseTo(0.112, 10);
    const [wrong] = table4(values, 9);
    expect(wrong?.threshold).toBe(0.45);
    expect(wrong?.first?.mean).toBeCloseTo(0.056, 10);
  });

  it('says that an ordering came out, came out the other way, or was not decided', () => {
    expect(verdicts(table4(values))).toEqual(['came out', 'came out the other way', 'not decided']);
  });

  it('says nothing of orderings whose runs are missing, and pairs runs by their seeds', () => {
    const { both: _, ...some } = values;
    expect(verdicts(table4(some))[2]).toBe(undefined);
    const shifted = fairRows(experiments.table4, [
      ...[1, 2, 3].map((seed) => run('base', seed, 0.1 * seed)),
      ...[3, 2].map((seed) => run('multi-scale', seed, 0.1 * seed + 0.05)),
    ]);
    const [pair] = fairOrderings(experiments.table4, shifted)[0]!.pairs;
    expect(pair?.by?.differences.map((by) => by.toFixed(3))).toEqual(['0.050', '0.050']);
  });
});
