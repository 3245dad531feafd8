/** The part of this tool that runs in the worker, as the page asks it; and what went wrong with that. */
import { type Signal, signal } from '@preact/signals';
import { engine, held } from '../../engine/client.ts';
import { sentenceOf } from '../../engine/sentence.ts';

/** What is wrong, beside what is wrong with the run that is open. */
export const problem: Signal<string | undefined> = signal(undefined);

export const tool = held(() => engine.train());

/** What work gives; where it fails, `problem` says why. */
export async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    problem.value = sentenceOf(error);
    return undefined;
  }
}
