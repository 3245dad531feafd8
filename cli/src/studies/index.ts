export { demoFindings, type Findings, type Seen, type ShownScene, type Students } from './demo-findings.ts';
export { checkKept, clearFolder, refuseOthers } from './demo-folder.ts';
export { type DemoTraining, stepLimits, trainDemo } from './demo-training.ts';
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
