export {
  chanceScores,
  denseLabels,
  enlargeLabels,
  kMeans,
  majorityLabels,
  meanRows,
  nearestNames,
  type PatchGrid,
} from './baselines.ts';
