/** Ctrl-C: a command asks whether to stop, saves, and says how to go on. */
export interface Interruption {
  /** The signal that came, if one did. */
  readonly signal: 'SIGINT' | 'SIGTERM' | undefined;
  /** Called at once when a signal comes. */
  onStop(action: () => void): void;
  /** Gives the signals back to Node. */
  release(): void;
}

/** What a shell reports for a program that a signal ended. */
export const signalExitCodes = { SIGINT: 130, SIGPIPE: 141, SIGTERM: 143 } as const;

/**
 * Takes SIGINT (Ctrl-C) and SIGTERM until released. The first only asks to stop; a second SIGINT ends the process as it is,
 * which loses what was not saved and damages nothing.
 */
export function catchInterruption(): Interruption {
  let signal: Interruption['signal'];
  const actions: (() => void)[] = [];
  const handle = (name: 'SIGINT' | 'SIGTERM') => {
    if (signal && name === 'SIGINT') process.exit(signalExitCodes.SIGINT);
    signal ??= name;
    for (const action of actions) action();
  };
  const onInt = () => handle('SIGINT');
  const onTerm = () => handle('SIGTERM');
  process.on('SIGINT', onInt);
  process.on('SIGTERM', onTerm);
  return {
    get signal() {
      return signal;
    },
    onStop(action) {
      actions.push(action);
      if (signal) action();
    },
    release() {
      process.off('SIGINT', onInt);
      process.off('SIGTERM', onTerm);
    },
  };
}
