export type { Explanation } from './explain.ts';
export {
  type DemoStudents,
  demoFindings,
  type Film,
  type Findings,
  type FindingsOptions,
  type Found,
  type ShownName,
  type ShownOutput,
  type ShownPhoto,
  type ShownScene,
  type StudentName,
} from './findings.ts';
export { type HeroTile, heroPicture } from './hero.ts';
export {
  type Estimate,
  type LiveScore,
  type LiveScores,
  type LiveScoresOptions,
  scoreLive,
} from './live-scores.ts';
export {
  type LivePlan,
  type LiveSetup,
  type LiveTraining,
  type LiveTrainingOptions,
  liveChoices,
  liveStepLimits,
  planLiveTraining,
  trainLive,
} from './live-training.ts';
export { type NameFound, type NamesFound, namesFound } from './names-found.ts';
export { RIGHT, rightWrongPicture, WRONG } from './pictures.ts';
export { type Measurement, WatchedScenes, type WatchedScenesOptions } from './watched-scenes.ts';
export { withoutNames } from './without-names.ts';
