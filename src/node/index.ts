// '@zeroseg/core/node': photos, folders, caches and checkpoints on disk.

export { FileError, writeFileAtomic } from '../../cli/src/files/files.ts';
export { LockError } from '../../cli/src/files/folder-lock.ts';
export { cachedData } from './cached-data.ts';
export { type ClipSource, openClip } from './clip-folder.ts';
export { DataSetError, type LabelledPhoto, openDataSet } from './data-sets.ts';
export {
  CacheError,
  type CacheKey,
  type CacheReader,
  type CacheWriter,
  openCache,
  readCache,
} from './feature-cache.ts';
export { type FillOptions, type FillResult, fillCache } from './fill-cache.ts';
export { decodePhoto, ImageError, readLabelMap, readPhoto, writeLabelPng, writePng } from './image-files.ts';
export { interLettering } from './lettering.ts';
export { listPhotos } from './photos.ts';
export { findModel, RunError, RunFolder } from './run-folder.ts';
export { loadAtlas, readSceneIndex, type SceneFolderIndex, writeScenes } from './scene-folder.ts';
