import { Interrupted, type StopSignal } from './errors.ts';

/** A command asks whether to stop, saves, and says how to go on. */
export interface Interruption {
  /** The signal that came, if one did. */
  readonly signal: StopSignal | undefined;
  /** Aborted by that signal, with an {@link Interrupted} as its reason: what the library's long work takes. */
  readonly abortSignal: AbortSignal;
  /** Called at once when a signal comes. */
  onStop(action: () => void): void;
  /** Gives the signals back to Node. */
  release(): void;
}

/** What a shell reports for a program that a signal ended. */
export const signalExitCodes = { SIGHUP: 129, SIGINT: 130, SIGPIPE: 141, SIGTERM: 143 } as const;

const stopSignals: readonly StopSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** One Ctrl-C comes twice under `npm run`: from the terminal, and passed on by npm a few milliseconds later. */
const ECHO_MILLISECONDS = 100;

/**
 * Takes the signals that ask to stop until released. The first only asks; a second ends the process as it is, which loses
 * what was not saved and damages nothing. For that the signals are given back to the system, which ends a process also where
 * it computes and listens to nobody.
 */
export function catchInterruption(): Interruption {
  let signal: Interruption['signal'];
  let echo: NodeJS.Timeout | undefined;
  const abort = new AbortController();
  const actions: (() => void)[] = [];
  const handlers = stopSignals.map((name) => [name, () => handle(name)] as const);
  const release = () => {
    clearTimeout(echo);
    for (const [name, handler] of handlers) process.off(name, handler);
  };
  const handle = (name: StopSignal) => {
    if (signal) return;
    signal = name;
    echo = setTimeout(release, ECHO_MILLISECONDS);
    abort.abort(new Interrupted(name));
    for (const action of actions) action();
  };
  for (const [name, handler] of handlers) process.on(name, handler);
  return {
    get signal() {
      return signal;
    },
    abortSignal: abort.signal,
    onStop(action) {
      actions.push(action);
      if (signal) action();
    },
    release,
  };
}

/** That a training was stopped, and whether there is a checkpoint to go on from. */
export function stoppedWords({ done, steps }: { readonly done: number; readonly steps: number }): string {
  return done === 0
    ? 'stopped before the first step, with nothing to save'
    : `stopped after step ${done} of ${steps}, saved`;
}
