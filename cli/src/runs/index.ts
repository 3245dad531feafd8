export { findModel, readBytes } from './find-model.ts';
export { newModel, withPositions } from './new-model.ts';
export { type Backbone, type BackboneChoices, openBackbone } from './open-backbone.ts';
export {
  type FileVocabularyOptions,
  openGroupVit,
  openModelFile,
  openVocabulary,
} from './open-vocabulary.ts';
