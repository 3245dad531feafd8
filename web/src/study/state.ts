/** Which study is open, and who votes. */
import { batch, type Signal, signal } from '@preact/signals';
import type { Tally } from '@zeroseg/core/zeroseg';
import { save } from '../app/save.ts';
import { engine, held } from '../engine/client.ts';
import { sentenceOf } from '../engine/sentence.ts';
import type { GivenFile, Side, Standing, StudyFacts } from './messages.ts';

const tool = held(() => engine.study());

/** A pair as the page shows it. */
export interface OnScreen {
  readonly number: number;
  /** For `<img>`. */
  readonly left: string;
  readonly right: string;
  readonly photo: string | undefined;
  readonly since: number;
}

export const kept: Signal<readonly StudyFacts[] | undefined> = signal(undefined);
export const study: Signal<StudyFacts | undefined> = signal(undefined);
export const voter: Signal<string | undefined> = signal(undefined);
export const voted: Signal<number> = signal(0);
export const pair: Signal<OnScreen | undefined> = signal(undefined);
export const tally: Signal<Tally | undefined> = signal(undefined);
export const problem: Signal<string | undefined> = signal(undefined);
export const isBusy: Signal<boolean> = signal(false);

/** Who was voting when the page was left. */
const KEY = 'zeroseg-study';

/** One thing at a time: a vote that comes while another is kept is none. */
async function doOne(work: () => Promise<void>): Promise<void> {
  if (isBusy.peek()) return;
  isBusy.value = true;
  try {
    await work();
    problem.value = undefined;
  } catch (error) {
    problem.value = sentenceOf(error);
  } finally {
    isBusy.value = false;
  }
}

/** What is kept here; who was voting goes on. */
export function start(): Promise<void> {
  return doOne(async () => {
    const worker = await tool();
    kept.value = await worker.kept();
    const before = JSON.parse(localStorage.getItem(KEY) ?? 'null') as { id: string; voter: string } | null;
    const found = before && kept.value.find(({ id }) => id === before.id);
    if (!before || !found || study.peek()) return;
    study.value = found;
    await sitDown(before.voter);
  });
}

/** Opens a study out of a folder's files, or out of those that are still being fetched. */
export function openFolder(files: readonly GivenFile[] | Promise<readonly GivenFile[]>): Promise<void> {
  return doOne(async () => {
    // Asked for, so that the browser does not clear votes when space is short; refused, they are kept all the same.
    void navigator.storage?.persist?.();
    const facts = await (await tool()).take(await files);
    batch(() => {
      study.value = facts;
      voter.value = undefined;
      tally.value = undefined;
    });
  });
}

export function choose(facts: StudyFacts): void {
  batch(() => {
    study.value = facts;
    voter.value = undefined;
    tally.value = undefined;
    problem.value = undefined;
  });
}

export function sit(name: string): Promise<void> {
  return doOne(() => sitDown(name));
}

async function sitDown(name: string): Promise<void> {
  const { id } = study.peek() as StudyFacts;
  const standing = await (await tool()).sit(id, name);
  localStorage.setItem(KEY, JSON.stringify({ id, voter: standing.voter }));
  show(standing);
}

export function vote(side: Side): Promise<void> {
  const shown = pair.peek();
  if (!shown) return Promise.resolve();
  return doOne(async () => show(await (await tool()).vote(side, (performance.now() - shown.since) / 1000)));
}

export function undo(): Promise<void> {
  if (voted.peek() === 0) return Promise.resolve();
  return doOne(async () => show(await (await tool()).undo()));
}

function show(standing: Standing): void {
  const before = pair.peek();
  const { pair: next } = standing;
  batch(() => {
    voter.value = standing.voter;
    voted.value = standing.voted;
    tally.value = undefined;
    pair.value = next && {
      number: next.number,
      left: URL.createObjectURL(next.left),
      right: URL.createObjectURL(next.right),
      photo: next.photo && URL.createObjectURL(next.photo),
      since: performance.now(),
    };
  });
  for (const url of before ? [before.left, before.right, before.photo] : []) if (url) URL.revokeObjectURL(url);
}

/** Back to the study: another voter, or the count. */
export function leave(): Promise<void> {
  return doOne(async () => {
    const worker = await tool();
    await worker.leave();
    localStorage.removeItem(KEY);
    const facts = await worker.facts((study.peek() as StudyFacts).id);
    batch(() => {
      study.value = facts;
      voter.value = undefined;
      pair.value = undefined;
    });
  });
}

/** Back to all studies. */
export function close(): Promise<void> {
  return doOne(async () => {
    kept.value = await (await tool()).kept();
    batch(() => {
      study.value = undefined;
      tally.value = undefined;
    });
  });
}

export function count(): Promise<void> {
  return doOne(async () => {
    tally.value = await (await tool()).tally((study.peek() as StudyFacts).id);
  });
}

export function forget(id: string): Promise<void> {
  return doOne(async () => {
    const worker = await tool();
    await worker.forget(id);
    kept.value = await worker.kept();
  });
}

export function download(name: string): Promise<void> {
  return doOne(async () => {
    const { id } = study.peek() as StudyFacts;
    const votes = await (await tool()).votesOf(id, name);
    if (!votes) return;
    const json = new Blob([`${JSON.stringify(votes, undefined, 1)}\n`], { type: 'application/json' });
    save(json, `votes-${name.replace(/[^\p{L}\p{N}]+/gu, '-')}.json`);
  });
}
