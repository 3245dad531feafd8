import { ArgumentError } from '../../gpu/index.ts';
import type { TrainingData } from '../features/index.ts';
import { cellsAlong, viewCount } from '../image/index.ts';

/**
 * Data whose features are of some grids only: rows of what was computed once for all of them.
 *
 * ```ts
 * chooseGrids(data, [1, 2, 3, 4], [1, 3]); // view 1, and views 6 to 14
 * ```
 */
export function chooseGrids(data: TrainingData, all: readonly number[], chosen: readonly number[]): TrainingData {
  const strange = chosen.find((k) => !all.includes(k));
  if (strange !== undefined) {
    throw new ArgumentError(`chooseGrids: there are no views of grid ${strange}; there are those of ${all.join(', ')}`);
  }
  if (chosen.join() === all.join()) return data;
  const starts = all.map((_, i) => (i === 0 ? 0 : viewCount(all.slice(0, i))));
  const rows = chosen.flatMap((k) =>
    Array.from({ length: cellsAlong(k) ** 2 }, (_, i) => (starts[all.indexOf(k)] as number) + i),
  );
  const views = viewCount(all);
  return {
    length: data.length,
    ...(data.fileOf && { fileOf: (number: number) => data.fileOf?.(number) ?? 0 }),
    async batch(numbers, begin) {
      const { images, views: features } = await data.batch(numbers, begin);
      const width = features.length / (numbers.length * views);
      const kept = new Float32Array(numbers.length * rows.length * width);
      for (let i = 0, at = 0; i < numbers.length; i++) {
        for (const row of rows) {
          const from = (i * views + row) * width;
          kept.set(features.subarray(from, from + width), at);
          at += width;
        }
      }
      return { images, views: kept };
    },
  };
}
