export { type ShareInterval, signTest, wilsonInterval } from './proportions.ts';
export { openStudy, type Pair, pairsFor, Sitting } from './sitting.ts';
export {
  type Contestant,
  checkStudy,
  type PreferenceStudy,
  STUDY_FORMAT,
  type StudyPicture,
  studyFile,
  type UnknownWords,
} from './study-file.ts';
export { type Standing, type Tally, type TieRule, tallyVotes } from './tally.ts';
export { type Choice, checkVotes, type Vote, type VotesFile } from './votes-file.ts';
