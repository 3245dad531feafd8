export { findModel, readBytes } from './find-model.ts';
export { clipModes, type ModelPlace, parseModelPlace } from './model-place.ts';
export { newModel, withPositions } from './new-model.ts';
export { type Backbone, type BackboneChoices, openBackbone } from './open-backbone.ts';
export {
  checkHeld,
  type FileVocabularyOptions,
  hasOwnText,
  openDenseClip,
  openModelFile,
  openVocabulary,
  openWithOwnText,
} from './open-vocabulary.ts';
export { TraceFile } from './trace-file.ts';
