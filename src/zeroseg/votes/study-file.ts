/** A study: pairs of pictures that people choose between, as it lies in a folder. */
import {
  brokenField,
  type Check,
  FileError,
  hasFields,
  isListOf,
  isMaybe,
  isNullOr,
  isText,
  isWhole,
} from '../storage/index.ts';

/** The two that are compared. Which of them is on the left changes from picture to picture. */
export type Contestant = 'a' | 'b';

/** Words that one side was asked for and does not know. */
export type UnknownWords = Readonly<Record<Contestant, readonly string[]>>;

export interface StudyPicture {
  /** Of the photo, such as `cats/1`. */
  readonly name: string;
  /** Files of the study's folder: what each made of the photo, and the photo itself where it is known. */
  readonly a: string;
  readonly b: string;
  readonly photo: string | null;
}

/** `study.json` */
export interface PreferenceStudy {
  readonly format: typeof STUDY_FORMAT;
  /** A hash of everything that voters see: votes are for the study of that name, and no other. */
  readonly id: string;
  readonly seed: number;
  /** Votes that a picture gets: one from each of so many voters. */
  readonly votes: number;
  /** What voters are asked. */
  readonly question: string;
  /** Who made what; voters see it at the end. */
  readonly titles: Readonly<Record<Contestant, string>>;
  readonly pictures: readonly StudyPicture[];
  /** Photos of which both made the same: nobody needs to choose. */
  readonly same: number;
  /** Words that were asked for and left out, since the CLIP of that side does not know them. Voters see them with the count. */
  readonly unknown?: UnknownWords;
}

/** The name of its file in a study's folder. */
export const studyFile = 'study.json';
export const STUDY_FORMAT = 'zeroseg-study-1';

const titles = hasFields({ a: isText, b: isText });
export const isUnknownWords: Check = hasFields({ a: isListOf(isText), b: isListOf(isText) });
const fields = {
  format: (value: unknown) => value === STUDY_FORMAT,
  id: (value: unknown) => typeof value === 'string' && /^[0-9a-f]{8,64}$/.test(value),
  seed: isWhole(0),
  votes: isWhole(1, 1000),
  question: isText,
  titles,
  pictures: isListOf(hasFields({ name: isText, a: isInside, b: isInside, photo: isNullOr(isInside) })),
  same: isWhole(0),
  unknown: isMaybe(isUnknownWords),
};

/** A path below the folder: none that leads out of it. */
function isInside(value: unknown): boolean {
  return typeof value === 'string' && /^[^/\\]+(\/[^/\\]+)*$/.test(value) && !value.split('/').includes('..');
}

/** Checks the content of a `study.json`. @throws {FileError} that names the file and what is wrong. */
export function checkStudy(value: unknown, file: string): PreferenceStudy {
  const problem = brokenField(value, fields);
  if (problem !== undefined) {
    throw new FileError('openStudy', file, `this is no study that \`zeroseg study\` made: ${problem}`);
  }
  const study = value as PreferenceStudy;
  if (study.pictures.length === 0) throw new FileError('openStudy', file, 'the study has no pictures');
  if (new Set(study.pictures.map(({ name }) => name)).size < study.pictures.length) {
    throw new FileError('openStudy', file, 'two pictures of the study have the same name');
  }
  return study;
}

/** Letters that a voter's name may have. */
const LONGEST_NAME = 60;

/** A voter's name without what cannot be seen. @throws {FileError} where nothing is left, or too much. */
export function voterName(text: string): string {
  const name = text.trim().replace(/\s+/g, ' ');
  if (name === '' || name.length > LONGEST_NAME) {
    throw new FileError('vote', name, `a voter has a name of 1 to ${LONGEST_NAME} letters`);
  }
  return name;
}
