export { type EvaluateOptions, type EvaluateProgress, evaluate, type Labelled } from './evaluate.ts';
export { ignoreLabel, ScoreError, SegmentationScore } from './iou.ts';
