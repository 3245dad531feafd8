import { describe, expect, it } from 'vitest';
import { spread } from '../../../src/zeroseg/host/statistics.ts';
import { resolveConfig, tinyConfig } from '../../../src/zeroseg/model/config.ts';
import { experiments } from '../../../src/zeroseg/studies/ablations.ts';
import { checkOrderings, type EndedRun, summarise } from '../../../src/zeroseg/studies/orderings.ts';
import type { RunScore } from '../../../src/zeroseg/studies/score-run.ts';

const score = (objects: number | null): RunScore => ({
  all: 0.1,
  objects,
  ground: 0.2,
  accuracy: 0.3,
  groupsUsed: 4,
  namesPresent: 0.5,
  chance: 0.01,
});
const run = (setting: string, seed: number, objects: number | null): EndedRun => ({
  setting,
  seed,
  score: score(objects),
});

describe('the tables', () => {
  it("have the paper's numbers, settings that a model can have, and orderings of their rows", () => {
    const { beyond: _, ...paper } = experiments;
    const numbers = Object.values(paper).map(({ settings }) => settings.map(({ paper }) => paper));
    expect(numbers).toEqual([
      [21.1, 23.7, 40.2, 32.4, 40.8],
      [21.1, 28.5, 38.6, 40.8],
      [35.6, 37.6, 38.7, 40.4, 39.8, 40.8, 33.3, 32.8],
    ]);
    expect(experiments.table5.settings.map(({ paperSaved }) => paperSaved)).toEqual([0, 15, 19, 26, 32, 36, 39, 43]);
    for (const experiment of Object.values(experiments)) {
      const keys = experiment.settings.map(({ key, config }) => {
        resolveConfig(config, tinyConfig);
        return key;
      });
      for (const { pairs } of experiment.orderings)
        for (const pair of pairs) expect(keys).toEqual(expect.arrayContaining([...pair]));
    }
  });

  it("hold of the paper's own numbers", () => {
    for (const experiment of Object.values(experiments)) {
      const runs = experiment.settings.map(({ key, paper = 0 }) => run(key, 1, paper / 100));
      const seconds = Object.fromEntries(experiment.settings.map(({ key, paperSaved = 0 }) => [key, 100 - paperSaved]));
      const rows = summarise(experiment, runs, seconds);
      expect(checkOrderings(experiment, rows).map(({ holds }) => holds)).toEqual(experiment.orderings.map(() => true));
    }
  });
});

describe('spread', () => {
  it('is the mean and the deviation of a sample', () => {
    expect(spread([1, 2, null, 6])).toEqual({ mean: 3, deviation: Math.sqrt(7), values: [1, 2, 6] });
    expect(spread([5])).toEqual({ mean: 5, deviation: null, values: [5] });
    expect(spread([null])).toBe(null);
  });
});

describe('checkOrderings', () => {
  const { table4 } = experiments;

  it('compares means, and counts seeds that say the same', () => {
    const runs = [
      ...[0.1, 0.12].map((objects, i) => run('base', i + 1, objects)),
      ...[0.11, 0.11].map((objects, i) => run('multi-scale', i + 1, objects)),
      ...[0.3, 0.32].map((objects, i) => run('matching', i + 1, objects)),
      ...[0.2, 0.44].map((objects, i) => run('both', i + 1, objects)),
    ];
    const checks = checkOrderings(table4, summarise(table4, runs));
    expect(checks.map(({ holds, isClear, seeds }) => [holds, isClear, ...seeds])).toEqual([
      // Equal means are not lower.
      [false, false, 1, 2],
      [true, true, 2, 2],
      [true, false, 1, 2],
    ]);
    expect(checks[0]?.violations).toEqual([['Base', '+ multi-scale']]);
  });

  it('says nothing where a run is missing or nothing occurred', () => {
    const runs = [run('base', 1, 0.1), run('multi-scale', 1, null), run('matching', 1, 0.2), run('both', 2, 0.3)];
    const checks = checkOrderings(table4, summarise(table4, runs));
    expect(checks.map(({ holds, isClear, seeds }) => [holds, isClear, ...seeds])).toEqual([
      [undefined, undefined, 0, 1],
      [undefined, undefined, 0, 1],
      [true, undefined, 0, 0],
    ]);
  });
});
