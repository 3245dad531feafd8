// The package `zeroseg` as a library: photos, folders, caches, runs and weights on disk, and processes of Open MPI, for
// programs in Node.

export { photoFolder } from './features/index.ts';
export { FileError, LockError, nodeFileSystem, writeFileAtomic } from './files/index.ts';
export { joinMpi, leaveMpi, MpiError, type OpenMpi } from './mpi/index.ts';
export {
  createLettering,
  DataSetError,
  decodePhoto,
  FontError,
  ImageError,
  interLettering,
  type LabelledPhoto,
  listPhotos,
  loadAtlas,
  openDataSet,
  rasterise,
  readLabelMap,
  readPhoto,
  readSceneIndex,
  type SceneFolderIndex,
  writeLabelPng,
  writePng,
  writeScenes,
} from './photos/index.ts';
export { type FileVocabularyOptions, findModel, openVocabulary } from './runs/index.ts';
export { openClip } from './weights/index.ts';
