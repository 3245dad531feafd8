export { classAffinity, indexOfMaximum, pixelScores, type ScoringOptions } from './class-scores.ts';
export { assemble, pixelSegments, Segmenter, type SegmentOptions, type SegmentResult, scoreRows } from './segmenter.ts';
