export { type DrawnResult, drawAlike } from './draw-pair.ts';
export { type MakeStudyOptions, makeStudy } from './make-study.ts';
export { type PairedPicture, pairFolders } from './pair-folders.ts';
export { leftOutLine, tallyLines, unknownLines } from './tally-lines.ts';
