import { LARGEST_GRID, MOST_GRIDS } from '@zeroseg/core/internal';
import { type Check, isListOf, isNullOr, isNumber, isText, isWhole } from '../files/index.ts';

const isSide = isWhole(1, 16_384);
const isColour: Check = (value) => isListOf(isNumber)(value) && (value as unknown[]).length === 3;
const isGrids: Check = (value) =>
  isListOf(isWhole(1, LARGEST_GRID))(value) &&
  (value as unknown[]).length >= 1 &&
  (value as unknown[]).length <= MOST_GRIDS;

/** What the fields of a `CacheKey` must be. */
export const cacheKeyFields: Readonly<Record<string, Check>> = {
  teacher: isText,
  weights: isText,
  grids: isGrids,
  viewSource: (value) => value === 'native' || value === 'resized',
  teacherSize: isSide,
  mean: isColour,
  std: isColour,
  views: isWhole(1, MOST_GRIDS * LARGEST_GRID ** 2),
  dim: isWhole(1, 65_536),
  studentSize: isNullOr(isSide),
};
