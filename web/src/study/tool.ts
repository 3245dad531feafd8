/** The part of this tool that runs in the worker: studies are copied into the browser's own files, and votes are kept beside them. */
import {
  checkStudy,
  type FileSystem,
  type HeldLock,
  LockError,
  openStudy,
  opfsFileSystem,
  Sitting,
  studyFile,
  type Tally,
  tallyVotes,
  type VotesFile,
} from '@zeroseg/core/zeroseg';
import type { GivenFile, Side, Standing, StudyFacts } from './messages.ts';

/** A page that was closed or loaded anew gives its lock back within this. */
const LOCK_MS = 3000;

export class StudyTool {
  readonly #files: FileSystem;
  #sitting: { readonly files: FileSystem; readonly lock: HeldLock; readonly current: Sitting } | undefined;

  private constructor(files: FileSystem) {
    this.#files = files;
  }

  static async open(): Promise<StudyTool> {
    return new StudyTool(await opfsFileSystem('studies'));
  }

  /** Studies that are kept here. */
  async kept(): Promise<StudyFacts[]> {
    const found: StudyFacts[] = [];
    for (const id of await this.#files.list()) {
      const facts = await this.facts(id).catch(() => undefined); // half copied, or damaged
      if (facts) found.push(facts);
    }
    return found;
  }

  async facts(id: string): Promise<StudyFacts> {
    const files = this.#files.folder(id);
    const study = await openStudy(files);
    const votes = await this.#votes(id);
    const voters = votes.map(({ content }) => ({ name: content.voter, votes: content.votes.length }));
    return { id, question: study.question, pictures: study.pictures.length, votes: study.votes, voters };
  }

  /** Copies a study out of a folder that the visitor gave. Its list of pictures comes last: where it is, the rest is. */
  async take(given: readonly GivenFile[]): Promise<StudyFacts> {
    const [index] = given
      .filter(({ path }) => path === studyFile || path.endsWith(`/${studyFile}`))
      .sort((a, b) => a.path.length - b.path.length);
    if (!index) throw new Error(`this folder holds no study: there is no ${studyFile} in it`);
    const text = await index.file.text();
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw new Error(`${index.path}: the file is damaged; make the study anew`);
    }
    const study = checkStudy(value, index.path);
    const way = index.path.slice(0, -studyFile.length);
    const byPath = new Map(given.map(({ path, file }) => [path, file]));
    const files = this.#files.folder(study.id);
    for (const { a, b, photo } of study.pictures) {
      for (const path of photo === null ? [a, b] : [a, b, photo]) {
        const file = byPath.get(way + path);
        if (!file) throw new Error(`${way}${path}: this picture of the study is missing; give the whole folder`);
        if ((await files.status(path))?.size === file.size) continue;
        await files.write(path, new Uint8Array(await file.arrayBuffer()));
      }
    }
    await files.write(studyFile, text);
    return this.facts(study.id);
  }

  /** Begins as a voter, or goes on where the voter was. */
  async sit(id: string, voter: string): Promise<Standing> {
    await this.leave();
    const files = this.#files.folder(id);
    const study = await openStudy(files);
    const lock = await this.#lock(files);
    try {
      this.#sitting = { files, lock, current: await Sitting.open(files, study, voter) };
    } catch (error) {
      await lock.release();
      throw error;
    }
    return this.#standing();
  }

  async vote(side: Side, seconds: number): Promise<Standing> {
    await this.#sitting?.current.vote(side, seconds);
    return this.#standing();
  }

  async undo(): Promise<Standing> {
    await this.#sitting?.current.undo();
    return this.#standing();
  }

  async leave(): Promise<void> {
    const sitting = this.#sitting;
    this.#sitting = undefined;
    await sitting?.lock.release();
  }

  /** Votes as files to take along. */
  async votesOf(id: string, voter: string): Promise<VotesFile | undefined> {
    return (await this.#votes(id)).find(({ content }) => content.voter === voter)?.content;
  }

  /** What all voters of this browser said. */
  async tally(id: string): Promise<Tally> {
    return tallyVotes(await this.#votes(id));
  }

  /** Removes a study, with its votes. */
  async forget(id: string): Promise<void> {
    await this.leave();
    await this.#files.remove(id);
  }

  async #votes(id: string): Promise<{ file: string; content: VotesFile }[]> {
    const files = this.#files.folder(id);
    const study = await openStudy(files);
    const found: { file: string; content: VotesFile }[] = [];
    for (const voter of await Sitting.voters(files)) {
      const { content } = await Sitting.open(files, study, voter);
      found.push({ file: voter, content });
    }
    return found;
  }

  async #standing(): Promise<Standing> {
    if (!this.#sitting) throw new Error('nobody is voting; open the study again');
    const { files, current } = this.#sitting;
    const { voter, votes } = current.content;
    const { next } = current;
    if (!next) return { voter, voted: votes.length, pair: undefined };
    const { picture, left } = next;
    const [shownLeft, shownRight] = left === 'a' ? [picture.a, picture.b] : [picture.b, picture.a];
    const blob = async (path: string) => new Blob([await files.read(path)]);
    return {
      voter,
      voted: votes.length,
      pair: {
        number: votes.length + 1,
        left: await blob(shownLeft),
        right: await blob(shownRight),
        photo: picture.photo === null ? undefined : await blob(picture.photo),
      },
    };
  }

  async #lock(files: FileSystem): Promise<HeldLock> {
    for (const began = performance.now(); ; ) {
      try {
        return await files.lock('study');
      } catch (error) {
        if (!(error instanceof LockError)) throw error;
        if (performance.now() - began > LOCK_MS) {
          throw new Error('this study is open in another tab; go on there, or close it', { cause: error });
        }
        await new Promise((later) => setTimeout(later, 100));
      }
    }
  }
}
