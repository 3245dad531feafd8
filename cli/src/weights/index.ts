export { builtIn, builtInStudent, builtInTeacher, teacherFile, teacherWeights } from './built-in.ts';
export { type ClipSource, openClip, sameTeacher, shortTeacher, teacherIdentity } from './clip-folder.ts';
export { kindOfPath, openWeights } from './weight-files.ts';
