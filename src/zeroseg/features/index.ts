export {
  type CacheOptions,
  type CacheReader,
  type CacheWriter,
  openCache,
  type ReadOptions,
  readCache,
} from './cache.ts';
export { cacheBytes, featureBytes, squareBytes } from './cache-bytes.ts';
export { CacheError } from './cache-error.ts';
export type { CachePlan } from './cache-index.ts';
export { type CacheKey, cacheKeyFields } from './cache-key.ts';
export { type CachePart, MAX_PARTS, partName } from './cache-parts.ts';
export { checkFill, type FillOptions, type FillPlan, type FillProgress, type FillResult, fillCache } from './fill.ts';
export { hashPhoto, type PhotoFile, type PhotoSource, type PhotoStamp, readStamped } from './photo-source.ts';
export { PooledRegions, type RegionFeatures } from './pooled-regions.ts';
export type { SquareCodec } from './squares.ts';
export { cachedData, fileNumbers, type TrainingData } from './training-data.ts';
