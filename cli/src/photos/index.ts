export { ImageError } from '@zeroseg/core/zeroseg';
export { cocoDataSet, contextDataSet, DataSetError, type LabelledPhoto, openDataSet, vocDataSet } from './data-sets.ts';
export { decodePhoto, encodePng, readLabelMap, readPhoto, writeLabelPng, writePng } from './image-files.ts';
export { createLettering, FontError, interLettering } from './lettering.ts';
export { listPhotos } from './photos.ts';
export { rasterise } from './pictures.ts';
export { loadAtlas, readSceneIndex, type SceneFolderIndex, sceneDefinition, writeScenes } from './scene-folder.ts';
