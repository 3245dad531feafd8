export { type ContrastiveOptions, contrastive, equalCaptions } from './contrastive-loss.ts';
export { type ClipFolder, type ClipFolderOptions, clipCompanions, openClipFolder } from './folder.ts';
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
export {
  detectClipNames,
  loadClipText,
  loadClipVision,
  logitScale,
  readSettingTensors,
  type StoredTensors,
  trainableWeights,
} from './load.ts';
export { type ClipFiles, type ClipParts, clipSource, openClipFiles } from './open.ts';
export { randomClips, randomClipText, randomClipVision } from './random-clip.ts';
export { clipFile, clipSettingsFile, clipTrainingFile, resumeClipTraining } from './save.ts';
export { settingsForm } from './settings.ts';
export { type ClipSource, sameTeacher, shortTeacher, type TextSource, teacherIdentity } from './source.ts';
export { clipConfig } from './tensor-sizes.ts';
export { type ClipConfig, ClipText, ClipVision, clipPixels, type DenseMode, endPosition } from './towers.ts';
export {
  type CaptionedBatch,
  type CaptionedData,
  type ClipSettings,
  type ClipStepReport,
  ClipTrainer,
  defaultClipSettings,
  textVocabulary,
} from './train-clip.ts';
export { newClipWeights, TrainableClip, teacherConfigs } from './trainable-clip.ts';
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
