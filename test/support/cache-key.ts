import type { CacheKey } from '../../src/zeroseg/features/cache-key.ts';

/** Of a cache of five views a photo, six numbers each, and squares of four pixels. */
export const smallCacheKey: CacheKey = {
  ...{
    teacher: 't',
    weights: 'w',
    grids: [1, 2],
    viewSource: 'native',
    teacherSize: 8,
    views: 5,
    dim: 6,
    studentSize: 4,
  },
  ...{ mean: [0, 0, 0], std: [1, 1, 1] },
};
