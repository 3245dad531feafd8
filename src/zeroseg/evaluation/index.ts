export { type BoundaryOptions, BoundaryScore } from './boundary.ts';
export { type Confusion, ConfusionMatrix } from './confusion.ts';
export {
  type EvaluatedPhoto,
  type EvaluateOptions,
  type EvaluateProgress,
  evaluate,
  type Labelled,
} from './evaluate.ts';
export { ignoreLabel, ScoreError, SegmentationScore } from './iou.ts';
export { type BootstrapOptions, EvaluationMeasures, type Interval, type IntervalMeasure } from './measures.ts';
