export { type MakeStudyOptions, makeStudy } from './make-study.ts';
export { pairFolders } from './pair-folders.ts';
export { tallyLines } from './tally-lines.ts';
