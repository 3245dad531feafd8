export { cachedData } from './cached-data.ts';
export { type CacheKey, CacheReader, CacheWriter, openCache, readCache } from './feature-cache.ts';
export { cacheKeyFields } from './feature-key.ts';
export { CacheError } from './feature-shards.ts';
export { type FillOptions, type FillResult, fillCache } from './fill-cache.ts';
