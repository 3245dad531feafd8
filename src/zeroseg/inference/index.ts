export { assemble, columnsThatMayWin, pixelSegments, scoreRows } from './assemble.ts';
export { centredWords, classAffinity, pixelScores, type ScoringOptions } from './class-scores.ts';
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
export { patchScoreMaps, pixelLabels } from './name-pixels.ts';
export {
  lookFactors,
  mixes,
  type NamedSegment,
  namedSegments,
  nameSegments,
  namesAt,
  type RankedName,
  scoredWindows,
} from './name-segments.ts';
export { inferenceSize, resizedPlanes } from './planes.ts';
export { checkOneOf, checkRefine, checkRules } from './rule-checks.ts';
export { type DivideOptions, Segmenter, type SegmentOptions } from './segmenter.ts';
export type { SegmentingModel } from './segmenting-model.ts';
export { type TeacherLook, teacherLook } from './teacher-prior.ts';
