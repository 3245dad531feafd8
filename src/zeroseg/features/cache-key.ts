import { LARGEST_GRID, MAX_GRIDS, type ViewSource } from '../image/index.ts';
import { type Check, isListOf, isMaybe, isNullOr, isNumber, isText, isWhole } from '../storage/index.ts';

/** All that the features depend on, photos aside. Two caches with equal keys hold equal features for equal photos. */
export interface CacheKey {
  /** Name of the teacher, such as `openai/clip-vit-large-patch14`. */
  readonly teacher: string;
  /** Hash of its weights, over all files. */
  readonly weights: string;
  readonly grids: readonly number[];
  readonly viewSource: ViewSource;
  /** Side of a view in pixels. */
  readonly teacherSize: number;
  /** Constants that views are normalised with. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly views: number;
  readonly dim: number;
  /** Side of the student's squares; null when they are not kept. */
  readonly studentSize: number | null;
  /** How those are kept where it is not as pixels: the name of a {@link SquareCodec}, or `none` where they are cut from the photos again. */
  readonly squares?: string;
  /** What the teacher computed in, where it is not f32. */
  readonly precision?: 'f16';
  /** What decoded the photos, such as `sharp`; caches of before do not say. */
  readonly decoder?: string;
  /** What the features of cells are, where they are not those of crops; with the way through the last layer and the side of the square. */
  readonly regions?: 'pooled' | 'mixed';
  readonly denseMode?: string;
  readonly denseSize?: number;
}

const isSide = isWhole(1, 16_384);
const isColour: Check = (value) => isListOf(isNumber)(value) && (value as unknown[]).length === 3;
const isGrids: Check = (value) =>
  isListOf((k) => isNumber(k) && (k as number) >= 1 && (k as number) <= LARGEST_GRID)(value) &&
  (value as unknown[]).length >= 1 &&
  (value as unknown[]).length <= MAX_GRIDS;

/** What the fields of a `CacheKey` must be. */
export const cacheKeyFields: Readonly<Record<string, Check>> = {
  teacher: isText,
  weights: isText,
  grids: isGrids,
  viewSource: (value) => value === 'native' || value === 'resized',
  teacherSize: isSide,
  mean: isColour,
  std: isColour,
  views: isWhole(1, MAX_GRIDS * (2 * LARGEST_GRID) ** 2),
  dim: isWhole(1, 65_536),
  studentSize: isNullOr(isSide),
  squares: isMaybe(isText),
  precision: isMaybe((value) => value === 'f16'),
  decoder: isMaybe(isText),
  regions: isMaybe((value) => value === 'pooled' || value === 'mixed'),
  denseMode: isMaybe(isText),
  denseSize: isMaybe(isSide),
};
