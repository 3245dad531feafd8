import { brokenField, FileError, hasFields, isListOf, isMaybe, isNumber, isText, isWhole } from '../storage/index.ts';
import { type Contestant, isUnknownWords, type UnknownWords } from './study-file.ts';

export type Choice = Contestant | 'tie';

/** What a voter said of a picture. */
export interface Vote {
  /** Name of the picture. */
  readonly picture: string;
  readonly choice: Choice;
  /** Who was on the left. */
  readonly left: Contestant;
  /** From when the pair was shown to the choice. */
  readonly seconds: number;
}

/** The votes of one voter, as a file. */
export interface VotesFile {
  readonly format: typeof VOTES_FORMAT;
  /** The study's `id`, and what else of it a tally tells. */
  readonly study: string;
  readonly titles: Readonly<Record<Contestant, string>>;
  readonly question: string;
  readonly pictures: number;
  readonly unknown?: UnknownWords;
  readonly voter: string;
  /** ISO 8601, UTC. */
  readonly began: string;
  /** In the order in which they were given. */
  readonly votes: readonly Vote[];
}

export const VOTES_FORMAT = 'zeroseg-votes-1';

const isContestant = (value: unknown): boolean => value === 'a' || value === 'b';

const fields = {
  format: (value: unknown) => value === VOTES_FORMAT,
  study: isText,
  titles: hasFields({ a: isText, b: isText }),
  question: isText,
  pictures: isWhole(1),
  unknown: isMaybe(isUnknownWords),
  voter: isText,
  began: isText,
  votes: isListOf(
    hasFields({
      picture: isText,
      choice: (value) => isContestant(value) || value === 'tie',
      left: isContestant,
      seconds: isNumber,
    }),
  ),
};

/** Checks the content of a file of votes. @throws {FileError} that names the file and what is wrong. */
export function checkVotes(value: unknown, file: string): VotesFile {
  const problem = brokenField(value, fields);
  if (problem !== undefined) {
    throw new FileError('checkVotes', file, `these are no votes that the page's Study gave: ${problem}`);
  }
  const found = value as VotesFile;
  const seen = new Set<string>();
  for (const { picture } of found.votes) {
    if (seen.has(picture)) throw new FileError('checkVotes', file, `${found.voter} votes twice on ${picture}`);
    seen.add(picture);
  }
  if (seen.size > found.pictures)
    throw new FileError('checkVotes', file, 'it has more votes than its study has pictures');
  return found;
}
