export {
  chooseGrids,
  type EndedRun,
  type Experiment,
  type ExperimentName,
  experiments,
  type Judgement,
  judge,
  type Row,
  type RunScore,
  type Setting,
  scoreRun,
  summarise,
} from './experiments.ts';
export {
  type Baseline,
  type SceneScore,
  type SceneScores,
  type ScoreScenesOptions,
  type StudentScore,
  sceneScore,
  scoreScenes,
} from './score-scenes.ts';
export {
  type GroupUse,
  groupUse,
  HabitCounter,
  type Habits,
  nearestViews,
  SceneStudent,
  type StudentView,
  sceneSide,
  studentLabels,
} from './student-output.ts';
