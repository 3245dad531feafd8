import { permutation, random } from '../../nn/layers/index.ts';
import { FileError, type FileSystem, readJsonFile } from '../storage/index.ts';
import {
  type Contestant,
  checkStudy,
  type PreferenceStudy,
  type StudyPicture,
  studyFile,
  voterName,
} from './study-file.ts';
import { type Choice, checkVotes, VOTES_FORMAT, type Vote, type VotesFile } from './votes-file.ts';

/** A picture of a sitting: which side shows what, as files of the study's folder. */
export interface Pair {
  readonly picture: StudyPicture;
  readonly left: Contestant;
}

const votesFolder = 'votes';

/** Reads the study of a folder. @throws {FileError} when the folder holds none, or one of its pictures is missing. */
export async function openStudy(files: FileSystem): Promise<PreferenceStudy> {
  const study = checkStudy(await readJsonFile(files, studyFile), files.describe(studyFile));
  for (const { a, b, photo } of study.pictures) {
    for (const path of photo === null ? [a, b] : [a, b, photo]) {
      const found = await files.status(path);
      if (found?.kind !== 'file' || found.size === 0) {
        throw new FileError('openStudy', files.describe(path), 'this picture of the study is missing');
      }
    }
  }
  return study;
}

/**
 * The pairs as a voter sees them: in an order of their own, and half of them with `a` on the left, both by the study's seed and the
 * voter's name. So neither the order nor the side favours one of the two, and the same voter sees the same again.
 */
export function pairsFor({ seed, pictures }: PreferenceStudy, voter: string): Pair[] {
  const order = permutation(pictures.length, random(seed, `order of ${voter}`));
  const sides = permutation(pictures.length, random(seed, `sides of ${voter}`));
  return [...order].map((at) => ({ picture: pictures[at]!, left: sides[at]! % 2 === 0 ? 'a' : 'b' }));
}

/**
 * One voter before the pairs of a study. Every vote is on disk before {@link vote} resolves: who comes back goes on where it was left.
 *
 * ```ts
 * const sitting = await Sitting.open(files, await openStudy(files), 'Ada');
 * await sitting.vote('left', 2.5);
 * ```
 */
export class Sitting {
  readonly study: PreferenceStudy;
  readonly pairs: readonly Pair[];
  readonly #files: FileSystem;
  #content: VotesFile;

  private constructor(files: FileSystem, study: PreferenceStudy, content: VotesFile) {
    this.study = study;
    this.pairs = pairsFor(study, content.voter);
    this.#files = files;
    this.#content = content;
  }

  /** Begins, or goes on. @throws {FileError} where the votes that are there are damaged, or of another study. */
  static async open(
    files: FileSystem,
    study: PreferenceStudy,
    name: string,
    began: Date = new Date(),
  ): Promise<Sitting> {
    const voter = voterName(name);
    const path = fileOf(voter);
    if (!(await files.status(path))) {
      return new Sitting(files, study, {
        format: VOTES_FORMAT,
        study: study.id,
        titles: study.titles,
        question: study.question,
        pictures: study.pictures.length,
        ...(study.unknown && { unknown: study.unknown }),
        voter,
        began: began.toISOString(),
        votes: [],
      });
    }
    const found = checkVotes(await readJsonFile(files, path), files.describe(path));
    const pairs = pairsFor(study, voter);
    const fits = found.study === study.id && found.votes.every(({ picture }, i) => pairs[i]?.picture.name === picture);
    if (!fits) throw new FileError('Sitting.open', files.describe(path), 'these votes are of another study');
    return new Sitting(files, study, found);
  }

  /** The names of those who have votes in a study's folder. */
  static async voters(files: FileSystem): Promise<string[]> {
    const found = await files.list(votesFolder);
    return found.filter((name) => name.endsWith('.json')).map((name) => decodeURIComponent(name.slice(0, -5)));
  }

  /** What is said so far, and a file to take along. */
  get content(): VotesFile {
    return this.#content;
  }

  /** The pair that is next; undefined at the end. */
  get next(): Pair | undefined {
    return this.pairs[this.#content.votes.length];
  }

  /** Says which side of {@link next} is better. */
  async vote(side: 'left' | 'right' | 'tie', seconds: number): Promise<void> {
    const pair = this.next;
    if (!pair) return;
    const other = pair.left === 'a' ? 'b' : 'a';
    const choice: Choice = side === 'tie' ? 'tie' : side === 'left' ? pair.left : other;
    const vote: Vote = { picture: pair.picture.name, choice, left: pair.left, seconds: Math.round(seconds * 10) / 10 };
    await this.#keep([...this.#content.votes, vote]);
  }

  /** Takes the last vote back; fine where there is none. */
  async undo(): Promise<void> {
    if (this.#content.votes.length > 0) await this.#keep(this.#content.votes.slice(0, -1));
  }

  async #keep(votes: readonly Vote[]): Promise<void> {
    const content = { ...this.#content, votes };
    await this.#files.write(fileOf(content.voter), `${JSON.stringify(content)}\n`);
    this.#content = content;
  }
}

/** Names differ in more than file systems tell apart; what they hold is the name. */
function fileOf(voter: string): string {
  return `${votesFolder}/${encodeURIComponent(voter).replaceAll('.', '%2E').replaceAll('*', '%2A')}.json`;
}
