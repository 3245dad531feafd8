export { CaptionedScenes, type CaptionedScenesOptions } from './captioned-crops.ts';
export { type NamingScore, namingScore, type SceneCrops, sceneCrops } from './naming-score.ts';
export { taughtWords } from './taught-words.ts';
export {
  scoreTeacher,
  type TeacherScenes,
  type TeacherScenesOptions,
  type TeacherScores,
  teacherScenes,
  VALIDATION_SEED,
  type ValidatedTeacher,
  type ValidationCrops,
  validationCrops,
} from './teacher-validation.ts';
