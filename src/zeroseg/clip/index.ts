export {
  type DenseFeatures,
  type DenseMode,
  type DenseOptions,
  denseModes,
  gaussianBias,
  positionRule,
} from './dense-modes.ts';
export { Teacher, type TeacherPrecision, type TeacherTower } from './image-encoder.ts';
export {
  describeUnknown,
  type KnownWords,
  knownWordsMetadata,
  readKnownWords,
  type UnknownName,
  unknownNames,
  VocabularyError,
} from './known-words.ts';
export { denoisePrompts, smoothByKeys } from './maskclip.ts';
export { randomClips, randomClipText, randomClipVision } from './random-clip.ts';
export {
  type ClipActivation,
  type ClipConfig,
  ClipText,
  ClipVision,
  clipPixels,
  endPosition,
} from './towers.ts';
export { type QueuedViews, ViewQueue } from './view-queue.ts';
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
