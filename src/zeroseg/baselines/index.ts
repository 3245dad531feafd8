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
export { type GroupVitConfig, GroupVitText, GroupVitVision } from './groupvit.ts';
export { groupVitConfig, isGroupVit, loadGroupVitText, loadGroupVitVision } from './groupvit-load.ts';
