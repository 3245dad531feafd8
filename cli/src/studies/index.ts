export { checkKept, clearFolder, refuseOthers } from './demo-folder.ts';
export { fullPlan, quickPlan, slowPlan, slowQuickPlan } from './demo-plan.ts';
export { allScenes, scenesOf, type WordedScenes } from './demo-scenes.ts';
export { type FreshStudent, openStart, type Start, type StartKind, startKinds, trainFresh } from './demo-training.ts';
export { labellingOf, pseudoLabelled, withVoid } from './finetune-data.ts';
export {
  checkSame,
  FINETUNE_FORMAT,
  FINETUNE_LOG,
  type FinetuneArguments,
  type FinetuneChoices,
  type FinetuneLog,
  finetuneChoices,
  finetuneSettings,
  parseFinetuneLog,
  readFinetuneLog,
} from './finetune-record.ts';
export { NEW, planStudy, prepareStudy, STUDY_GRIDS, type StudyOptions } from './prepare-study.ts';
export { sceneValidation, type ValidationArguments, validatingClip, validationOf } from './run-validation.ts';
export { cacheSceneViews, paintScenes } from './scene-data.ts';
export {
  type ClipMetrics,
  parseTeacherLog,
  readTeacherLog,
  TEACHER_LOG_FORMAT,
  TEACHER_STATE,
  type TeacherLog,
  teacherRunFormat,
  trainTeacherToTheEnd,
} from './teacher-training.ts';
export { type SharedTraining, trainAlongCache } from './train-along.ts';
