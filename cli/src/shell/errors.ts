import { KernelError, ZeroSegError } from '@zeroseg/core';
import { CheckpointError } from '@zeroseg/core/nn';
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
 * class of their own), and for the others that they are a mistake of this program. `options` are those of the command, such as
 * `--classes`: what the library calls `classes` is named as it was given. The stack with `DEBUG=zeroseg`.
 */
export function errorWords(error: unknown, options: readonly (string | undefined)[] = []): string {
  if (!(error instanceof Error)) return String(error);
  if (/\bzeroseg\b/.test(process.env['DEBUG'] ?? '')) return stack(error);
  // A compiler's words of a kernel are several lines.
  if (error instanceof KernelError) return error.message.trim();
  // What a file said is none of this program's lines.
  if (error instanceof ZeroSegError) return printable(withOptions(withoutFunction(error), options));
  if (isSystemError(error)) return printable(systemWords(error));
  return `unexpected error: ${printable(error.message.trim())}; run with DEBUG=zeroseg to see where it comes from, and report it`;
}

/**
 * The message without the name of the function that found what is wrong, which is for programs: `openModel: run: …` and
 * `SceneMaker: size …` begin with what the user gave. A variable of the environment, such as `ZEROSEG_MPI: …`, is what the user gave.
 */
function withoutFunction(error: ZeroSegError): string {
  const message = error.message.trim();
  const { op } = error as { readonly op?: unknown };
  if (typeof op === 'string') {
    return !op.startsWith('--') && message.startsWith(`${op}: `) ? message.slice(op.length + 2) : message;
  }
  // These begin with a file, which may be called like a function.
  if (error instanceof CheckpointError || error instanceof UsageError) return message;
  return message
    .replace(/^(?:[A-Z][A-Za-z0-9]*(?:\.\w+)?|[a-z]+[A-Z]\w*): /, '')
    .replaceAll(/adapter: '(\w+)'/g, '--adapter $1');
}

/** `classes must be …` as `--classes must be …`, where that is an option. */
function withOptions(message: string, options: readonly (string | undefined)[]): string {
  return message.replace(/^[a-z]+(?= must )/, (word) => (options.includes(`--${word}`) ? `--${word}` : word));
}

function stack(error: Error): string {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? `${own}\ncaused by ${stack(error.cause)}` : own;
}
