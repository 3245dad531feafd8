export type { ClassWords } from './class-words.ts';
export {
  type ClipAndText,
  clipAndText,
  dataSettings,
  type GroupVitAndText,
  groupVitAndText,
  type ModelAndText,
  namingRules,
  otherTeacher,
  type PairOptions,
  pairWithText,
  type SegClipAndText,
  segClipAndText,
  type ZeroSegAndText,
  zeroSegAndText,
} from './model-and-text.ts';
export {
  type NameOptions,
  OpenVocabulary,
  type OpenVocabularyOptions,
  type OpenVocabularyResult,
  openVocabulary,
  type SegmentByNamesOptions,
  type SegmentProgress,
} from './open-vocabulary.ts';
export type { WordStore } from './word-store.ts';
export type { NamingOptions } from './word-vectors.ts';
