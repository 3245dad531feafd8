export type { Explanation } from './explain.ts';
export {
  type DemoStudents,
  demoFindings,
  type Findings,
  type FindingsOptions,
  type NameShare,
  type ShownOutput,
  type ShownPhoto,
  type ShownScene,
} from './findings.ts';
export {
  type LivePlan,
  type LiveTraining,
  type LiveTrainingOptions,
  liveStepLimits,
  type Measurement,
  trainLive,
} from './live-training.ts';
