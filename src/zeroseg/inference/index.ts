export { assemble, columnsThatMayWin, pixelSegments, scoreRows } from './assemble.ts';
export { classAffinity, pixelScores, type ScoringOptions } from './class-scores.ts';
export type { ClassWords } from './class-words.ts';
export { DenseClip, type DenseClipMode } from './dense-clip.ts';
export {
  type DataSettings,
  type DenseDataSettings,
  denseDataSettings,
  denseSettings,
  stuffWords,
} from './dense-settings.ts';
export type { DividedWindow, Division, NamingRules, SegmentResult } from './division.ts';
export { labelScores } from './label-scores.ts';
export type { SoftAssignment, WindowResult } from './mixtures.ts';
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
export { patchScoreMaps, pixelLabels } from './name-pixels.ts';
export { type NamedSegment, nameSegments, namesAt, type RankedName, scoredWindows } from './name-segments.ts';
export {
  type NameOptions,
  type NamingOptions,
  OpenVocabulary,
  type OpenVocabularyOptions,
  type OpenVocabularyResult,
  openVocabulary,
  type SegmentByNamesOptions,
  type SegmentProgress,
} from './open-vocabulary.ts';
export { inferenceSize, resizedPlanes } from './planes.ts';
export { type DivideOptions, Segmenter, type SegmentOptions } from './segmenter.ts';
export type { SegmentingModel } from './segmenting-model.ts';
export type { WordStore } from './word-store.ts';
