export { assemble, pixelSegments, scoreRows, type WindowResult } from './assemble.ts';
export { classAffinity, pixelScores, type ScoringOptions } from './class-scores.ts';
export type { ClassWords } from './class-words.ts';
export { labelScores } from './label-scores.ts';
export {
  type GroupVitAndText,
  groupVitAndText,
  type ModelAndText,
  otherTeacher,
  type PairOptions,
  pairWithText,
  type ZeroSegAndText,
  zeroSegAndText,
} from './model-and-text.ts';
export {
  type NamedSegment,
  type NamingOptions,
  OpenVocabulary,
  type OpenVocabularyOptions,
  type OpenVocabularyResult,
  openVocabulary,
  type SegmentByNamesOptions,
  type SegmentProgress,
} from './open-vocabulary.ts';
export { Segmenter, type SegmentingModel, type SegmentOptions, type SegmentResult } from './segmenter.ts';
export type { WordStore } from './word-store.ts';
