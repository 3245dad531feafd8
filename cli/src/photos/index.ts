export { ImageError } from '@zeroseg/core/zeroseg';
export { encodeCutout, encodeJpeg, encodeThumbnail } from './cutouts.ts';
export type { DataSet } from './data-sets/data-set.ts';
export { DataSetError, type LabelledPhoto } from './data-sets/labelled-photos.ts';
export { dataSetKinds, fixedDataSets, openDataSet } from './data-sets.ts';
export {
  decodedAtOnce,
  decodePhoto,
  encodePng,
  readLabelMap,
  readPhoto,
  readTransparent,
  writeLabelPng,
  writePng,
} from './image-files.ts';
export { createLettering, FontError, interLettering } from './lettering.ts';
export { segmentsFormat, withoutResults } from './own-results.ts';
export { kindBesideText, photoKind } from './photo-kind.ts';
export { isPhotoName, listPhotos } from './photos.ts';
export { rasterise } from './pictures.ts';
export { atlasHash, loadAtlas, readSceneIndex, type SceneFolderIndex, writeScenes } from './scene-folder.ts';
export { type NameLettering, nameLettering } from './system-lettering.ts';
