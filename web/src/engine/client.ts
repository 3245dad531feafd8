import { type Remote, wrap } from 'comlink';
import type { Engine } from './worker.ts';

/** The worker that computes; started with the page, so that it is ready when it is needed. */
export const engine: Remote<Engine> = wrap<Engine>(
  new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'engine' }),
);

/** An error of the worker in words for people: without the call that found it. */
export function sentenceOf(error: unknown): string {
  const { message, name } = error as Error;
  // These begin with the name of a file.
  return name === 'CheckpointError' ? message : message.replace(/^\w+(\.\w+)?: /, '');
}
