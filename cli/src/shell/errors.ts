import { KernelError, ZeroSegError } from '@zeroseg/core';
import { isSystemError, systemWords } from '../files/index.ts';
import { printable } from './terminal.ts';

/** Signals that ask a command to stop: Ctrl-C, `kill`, and a terminal that is closed. */
export type StopSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

/** The arguments of a command do not make sense. */
export class UsageError extends ZeroSegError {
  override readonly name = 'UsageError';
  readonly code = 'usage';
}

/** The command was stopped by a signal, has saved, and said how to go on. */
export class Interrupted extends ZeroSegError {
  override readonly name = 'Interrupted';
  readonly code = 'interrupted';
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
  // A compiler's words of a kernel are several lines; what a file said is none of this program's lines.
  const message = error instanceof KernelError ? error.message.trim() : printable(error.message.trim());
  if (error instanceof ZeroSegError) return message;
  if (isSystemError(error)) return printable(systemWords(error));
  return `unexpected error: ${message}; run with DEBUG=zeroseg to see where it comes from, and report it`;
}

function stack(error: Error): string {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? `${own}\ncaused by ${stack(error.cause)}` : own;
}
