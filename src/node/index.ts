// '@zeroseg/core/node': photos, folders, caches and checkpoints on disk.

export { cachedData } from '../../cli/src/features/cached-data.ts';
export {
  CacheError,
  type CacheKey,
  type CacheReader,
  type CacheWriter,
  openCache,
  readCache,
} from '../../cli/src/features/feature-cache.ts';
export { type FillOptions, type FillResult, fillCache } from '../../cli/src/features/fill-cache.ts';
export { FileError, writeFileAtomic } from '../../cli/src/files/files.ts';
export { LockError } from '../../cli/src/files/folder-lock.ts';
export { DataSetError, type LabelledPhoto, openDataSet } from '../../cli/src/photos/data-sets.ts';
export {
  decodePhoto,
  ImageError,
  readLabelMap,
  readPhoto,
  writeLabelPng,
  writePng,
} from '../../cli/src/photos/image-files.ts';
export { interLettering } from '../../cli/src/photos/lettering.ts';
export { listPhotos } from '../../cli/src/photos/photos.ts';
export { loadAtlas, readSceneIndex, type SceneFolderIndex, writeScenes } from '../../cli/src/photos/scene-folder.ts';
export { findModel, RunError, RunFolder } from '../../cli/src/runs/run-folder.ts';
export { type ClipSource, openClip } from '../../cli/src/weights/clip-folder.ts';
