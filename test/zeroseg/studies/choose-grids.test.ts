import { describe, expect, it } from 'vitest';
import type { TrainingData } from '../../../src/zeroseg/features/training-data.ts';
import { chooseGrids } from '../../../src/zeroseg/studies/choose-grids.ts';

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
