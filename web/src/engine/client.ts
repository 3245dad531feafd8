import { type Remote, wrap } from 'comlink';
import type { Engine } from './worker.ts';

/** The worker that computes; started with the page, so that it is ready when it is needed. */
export const engine: Remote<Engine> = wrap<Engine>(
  new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'engine' }),
);

/**
 * A part of the worker that is made when it is first asked for, such as `held(() => engine.scenes())`. The page holds on to it:
 * Comlink closes the way to what nobody holds, and a call that is under way then never comes back.
 */
export function held<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | undefined;
  return () => {
    asked ??= ask();
    asked.catch(() => {
      asked = undefined; // the next call tries again
    });
    return asked;
  };
}
