// The package `zeroseg` as a library: photos, folders, caches, runs and weights on disk, for programs in Node.

export { cachedData } from './features/cached-data.ts';
export {
  CacheError,
  type CacheKey,
  type CacheReader,
  type CacheWriter,
  openCache,
  readCache,
} from './features/feature-cache.ts';
export { type FillOptions, type FillResult, fillCache } from './features/fill-cache.ts';
export { FileError, writeFileAtomic } from './files/files.ts';
export { LockError } from './files/folder-lock.ts';
export { DataSetError, type LabelledPhoto, openDataSet } from './photos/data-sets.ts';
export {
  decodePhoto,
  ImageError,
  readLabelMap,
  readPhoto,
  writeLabelPng,
  writePng,
} from './photos/image-files.ts';
export { interLettering } from './photos/lettering.ts';
export { listPhotos } from './photos/photos.ts';
export { loadAtlas, readSceneIndex, type SceneFolderIndex, writeScenes } from './photos/scene-folder.ts';
export { type FileVocabularyOptions, openVocabulary } from './runs/open-vocabulary.ts';
export { findModel, RunError, RunFolder } from './runs/run-folder.ts';
export { openClip } from './weights/clip-folder.ts';
