export { type QueuedViews, Teacher, ViewQueue } from './image-encoder.ts';
export {
  describeUnknown,
  type KnownWords,
  knownWordsMetadata,
  readKnownWords,
  type UnknownName,
  unknownNames,
  VocabularyError,
} from './known-words.ts';
export { randomClips, randomClipText, randomClipVision } from './random-clip.ts';
export {
  type ClipActivation,
  type ClipConfig,
  ClipText,
  ClipVision,
  clipPixels,
  type DenseMode,
  endPosition,
} from './towers.ts';
export {
  ensemble,
  fillTemplate,
  makeVocabulary,
  type TemplateSet,
  type TextTower,
  templateList,
  type Vocabulary,
  type VocabularyOptions,
} from './vocabulary.ts';
