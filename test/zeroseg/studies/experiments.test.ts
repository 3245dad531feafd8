import { describe, expect, it } from 'vitest';
import { spread } from '../../../src/zeroseg/host/statistics.ts';
import { resolveConfig, tinyConfig } from '../../../src/zeroseg/model/config.ts';
import {
  chooseGrids,
  type EndedRun,
  experiments,
  judge,
  type RunScore,
  summarise,
} from '../../../src/zeroseg/studies/experiments.ts';
import type { TrainingData } from '../../../src/zeroseg/training/trainer.ts';

const score = (objects: number | null): RunScore => ({
  all: 0.1,
  objects,
  stuff: 0.2,
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

describe('chooseGrids', () => {
  // Two images with views of grids 1, 2, 3 of two values: 100 times the image, plus the view, plus a half for the second.
  const data: TrainingData = {
    length: 2,
    batch: async (numbers) => ({
      images: new Float32Array(numbers.length),
      views: Float32Array.from({ length: numbers.length * 28 }, (_, at) => {
        const view = Math.floor(at / 2) % 14;
        return 100 * (numbers[Math.floor(at / 28)] as number) + view + (at % 2) / 2;
      }),
    }),
  };

  it('keeps the rows of the grids that are chosen', async () => {
    const { views } = await chooseGrids(data, [1, 2, 3], [1, 3]).batch([1, 0]);
    expect(views.length).toBe(2 * 10 * 2);
    expect([...views.subarray(0, 6)]).toEqual([100, 100.5, 105, 105.5, 106, 106.5]);
    expect([...views.subarray(18, 22)]).toEqual([113, 113.5, 0, 0.5]);
    expect([...(await chooseGrids(data, [1, 2, 3], [1]).batch([1])).views]).toEqual([100, 100.5]);
  });

  it('gives the data itself where all are chosen, and refuses a grid that there is not', () => {
    expect(chooseGrids(data, [1, 2, 3], [1, 2, 3])).toBe(data);
    expect(() => chooseGrids(data, [1, 2, 3], [1, 4])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: chooseGrids: there are no views of grid 4; there are those of 1, 2, 3]`,
    );
  });
});

describe('experiments', () => {
  it("have the paper's numbers, settings that a model can have, and claims about their rows", () => {
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
      for (const { pairs } of experiment.claims)
        for (const pair of pairs) expect(keys).toEqual(expect.arrayContaining([...pair]));
    }
  });

  it("hold of the paper's own numbers", () => {
    for (const experiment of Object.values(experiments)) {
      const runs = experiment.settings.map(({ key, paper = 0 }) => run(key, 1, paper / 100));
      const seconds = Object.fromEntries(experiment.settings.map(({ key, paperSaved = 0 }) => [key, 100 - paperSaved]));
      const rows = summarise(experiment, runs, seconds);
      expect(judge(experiment, rows).map(({ cameOut }) => cameOut)).toEqual(experiment.claims.map(() => true));
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

describe('judge', () => {
  const { table4 } = experiments;

  it('compares means, and counts seeds that say the same', () => {
    const runs = [
      ...[0.1, 0.12].map((objects, i) => run('base', i + 1, objects)),
      ...[0.11, 0.11].map((objects, i) => run('multi-scale', i + 1, objects)),
      ...[0.3, 0.32].map((objects, i) => run('matching', i + 1, objects)),
      ...[0.2, 0.44].map((objects, i) => run('both', i + 1, objects)),
    ];
    const judged = judge(table4, summarise(table4, runs));
    expect(judged.map(({ cameOut, isClear, seeds }) => [cameOut, isClear, ...seeds])).toEqual([
      // Equal means are not lower.
      [false, false, 1, 2],
      [true, true, 2, 2],
      [true, false, 1, 2],
    ]);
    expect(judged[0]?.against).toEqual([['Base', '+ multi-scale']]);
  });

  it('says nothing where a run is missing or nothing occurred', () => {
    const runs = [run('base', 1, 0.1), run('multi-scale', 1, null), run('matching', 1, 0.2), run('both', 2, 0.3)];
    const judged = judge(table4, summarise(table4, runs));
    expect(judged.map(({ cameOut, isClear, seeds }) => [cameOut, isClear, ...seeds])).toEqual([
      [undefined, undefined, 0, 1],
      [undefined, undefined, 0, 1],
      [true, undefined, 0, 0],
    ]);
  });
});
