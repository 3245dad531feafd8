export { checkKept, clearFolder, refuseOthers } from './demo-folder.ts';
export {
  type ExperimentArguments,
  type Lab,
  NEW,
  plan,
  prepare,
  type Sizes,
  scoreRuns,
  trainMissing,
  vocabularyOf,
  withModel,
} from './experiment-lab.ts';
export { type StepTimes, timeSteps } from './experiment-times.ts';
export { cacheSceneViews, paintScenes } from './scene-data.ts';
