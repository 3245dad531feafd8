export { type Experiment, type ExperimentName, experiments, type Ordering, type Setting } from './ablations.ts';
export { chooseGrids } from './choose-grids.ts';
export { backgroundThresholds, bestThreshold } from './objects-and-background.ts';
export { checkOrderings, type EndedRun, type OrderingCheck, type Row, summarise } from './orderings.ts';
export {
  type FairOrdering,
  type FairRow,
  type FairScenes,
  fairOrderings,
  fairRows,
} from './paired-orderings.ts';
export { hashOf, RunArchive, type RunIdentity, type ScoringIdentity } from './run-archive.ts';
export {
  type BackgroundRun,
  type BackgroundScenes,
  type PlannedRun,
  planRuns,
  type StudyContext,
  type StudyProgress,
  type StudyState,
  scoreBackgroundRuns,
  scoreRuns,
  studyState,
  trainRuns,
  withRunModel,
} from './run-study.ts';
export { type RunScore, type RunScoreOptions, SceneValidation, sceneMeasures, scoreRun } from './score-run.ts';
export {
  type SceneScore,
  type SceneScores,
  type ScoreScenesOptions,
  type StudentScore,
  sceneScore,
  scoreScenes,
} from './score-scenes.ts';
export { SCORING_SEED, type ScoringScenesOptions, scoringScenes } from './scoring-scenes.ts';
export { STEP_ROUNDS, type StepTimes, type TimeStepsOptions, timeSteps } from './step-times.ts';
export {
  type GroupUse,
  groupUse,
  nearestViews,
  SceneStudent,
  StatisticsCollector,
  type StudentOutput,
  type StudentStatistics,
  sceneSide,
  studentLabels,
} from './student-output.ts';
