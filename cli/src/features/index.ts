export { cachedData } from './cached-data.ts';
export { CacheError, type CacheKey, CacheReader, CacheWriter, openCache, readCache } from './feature-cache.ts';
export { cacheKeyFields } from './feature-key.ts';
export { type FillOptions, type FillResult, fillCache } from './fill-cache.ts';
