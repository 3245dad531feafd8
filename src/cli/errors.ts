import { systemWords } from '../node/files.ts';
import type { StopSignal } from './interruption.ts';

/** The arguments of a command do not make sense. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The command was stopped by a signal, has saved, and said how to go on. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly signal: StopSignal;

  constructor(signal: StopSignal) {
    super(signal);
    this.signal = signal;
  }
}

/**
 * What a command says when it fails: one sentence for errors that are about the user's files and arguments (they have a
 * class of their own), and for the others that they are a mistake of this program. The stack with `DEBUG=zeroseg`.
 */
export function errorWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (/\bzeroseg\b/.test(process.env['DEBUG'] ?? '')) return stack(error);
  const system = systemWords(error);
  if (system !== undefined) return system;
  // Errors of JavaScript itself and bare ones are not meant for users.
  const known = !['Error', 'TypeError', 'ReferenceError', 'SyntaxError', 'AssertionError'].includes(error.name);
  const message = error.message.trim();
  return known
    ? message
    : `unexpected error: ${message}; run with DEBUG=zeroseg to see where it comes from, and report it`;
}

function stack(error: Error): string {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? `${own}\ncaused by ${stack(error.cause)}` : own;
}
