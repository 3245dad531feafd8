export {
  type BuiltInScores,
  builtIn,
  builtInScores,
  builtInStudent,
  builtInTeacher,
  teacherFile,
  teacherWeights,
} from './built-in.ts';
export { clipCommand } from './clip-command.ts';
export { isRandomClip, openClip, openTeacher } from './clip-folder.ts';
export { fileRanges, kindOfPath, openWeights } from './weight-files.ts';
export { WordCache } from './word-cache.ts';
