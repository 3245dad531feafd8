import { FileError } from '../storage/index.ts';
import { type ShareInterval, signTest, wilsonInterval } from './proportions.ts';
import type { Contestant, UnknownWords } from './study-file.ts';
import type { Choice, VotesFile } from './votes-file.ts';

/** What becomes of ties: they are left out, or half of them go to each (an odd one is left out). */
export type TieRule = 'omit' | 'split';

/** Who won, of votes or of pictures. */
export interface Standing {
  readonly a: number;
  readonly b: number;
  readonly ties: number;
  /** Share of `a` of what counts under the tie rule, with 95 % confidence (Wilson); null where nothing counts. */
  readonly shareOfA: ShareInterval | null;
  /** Exact two-sided sign test of what counts. */
  readonly p: number;
}

export interface Tally {
  readonly study: string;
  readonly titles: Readonly<Record<Contestant, string>>;
  readonly question: string;
  /** Words that were asked for and left out, since the CLIP of that side does not know them. */
  readonly unknown: UnknownWords;
  readonly ties: TieRule;
  readonly voters: readonly { readonly name: string; readonly votes: number }[];
  /** Of the study; those that have votes; votes of the picture with the fewest and the most. */
  readonly pictures: { readonly all: number; readonly voted: number; readonly fewest: number; readonly max: number };
  /** Every vote for itself, as the paper's table counts: votes of one picture resemble each other, so this looks surer than it is. */
  readonly votes: Standing;
  /** Every picture once, for whom most of its votes are; a tie where both have as many. */
  readonly byPicture: Standing;
  /** Whether voters favoured a side: votes for the left of those that chose, whatever was there. */
  readonly left: { readonly count: number; readonly of: number; readonly p: number };
  /** How often two voters say the same of a picture; null where no picture has two votes. */
  readonly agreement: number | null;
}

/**
 * Counts the votes of several voters on one study.
 *
 * @throws {FileError} when the files are of different studies, or two of them of the same voter.
 */
export function tallyVotes(
  files: readonly { readonly file: string; readonly content: VotesFile }[],
  { ties = 'omit' }: { readonly ties?: TieRule } = {},
): Tally {
  const [first] = files;
  if (!first) throw new FileError('tallyVotes', '', 'there are no votes');
  const voters = new Map<string, string>();
  for (const { file, content } of files) {
    if (content.study !== first.content.study) {
      throw new FileError('tallyVotes', file, `these votes are of another study than those of ${first.file}`);
    }
    const other = voters.get(content.voter);
    if (other !== undefined) {
      throw new FileError(
        'tallyVotes',
        file,
        `'${content.voter}' voted in ${other}, too; give each voter a name of their own`,
      );
    }
    voters.set(content.voter, file);
  }
  const votes = files.flatMap(({ content }) => content.votes);
  const pictures = new Map<string, Choice[]>();
  for (const { picture, choice } of votes) pictures.set(picture, [...(pictures.get(picture) ?? []), choice]);
  const counts = [...pictures.values()].map(({ length }) => length);
  const decided = votes.filter(({ choice }) => choice !== 'tie');
  const left = decided.filter(({ choice, left }) => choice === left).length;
  const { study, titles, question, pictures: all, unknown = { a: [], b: [] } } = first.content;
  return {
    study,
    titles,
    question,
    unknown,
    ties,
    voters: files.map(({ content }) => ({ name: content.voter, votes: content.votes.length })),
    pictures: {
      all,
      voted: pictures.size,
      fewest: pictures.size < all ? 0 : Math.min(...counts),
      max: Math.max(0, ...counts),
    },
    votes: standing(
      votes.map(({ choice }) => choice),
      ties,
    ),
    byPicture: standing([...pictures.values()].map(majority), ties),
    left: { count: left, of: decided.length, p: signTest(left, decided.length - left) },
    agreement: agreementOf([...pictures.values()]),
  };
}

function standing(choices: readonly Choice[], rule: TieRule): Standing {
  const count = (of: Choice) => choices.filter((choice) => choice === of).length;
  const [a, b, ties] = [count('a'), count('b'), count('tie')];
  const half = rule === 'split' ? Math.floor(ties / 2) : 0;
  return {
    a,
    b,
    ties,
    shareOfA: wilsonInterval(a + half, a + b + 2 * half) ?? null,
    p: signTest(a + half, b + half),
  };
}

function majority(choices: readonly Choice[]): Choice {
  const lead = choices.reduce((sum, choice) => sum + (choice === 'a' ? 1 : choice === 'b' ? -1 : 0), 0);
  return lead > 0 ? 'a' : lead < 0 ? 'b' : 'tie';
}

/** Of all pairs of votes on the same picture, those that say the same. */
function agreementOf(pictures: readonly (readonly Choice[])[]): number | null {
  let [same, all] = [0, 0];
  for (const choices of pictures) {
    all += (choices.length * (choices.length - 1)) / 2;
    for (const kind of ['a', 'b', 'tie'] as const) {
      const count = choices.filter((choice) => choice === kind).length;
      same += (count * (count - 1)) / 2;
    }
  }
  return all === 0 ? null : same / all;
}
