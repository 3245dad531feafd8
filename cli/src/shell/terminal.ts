import { SingleBar } from 'cli-progress';
import { writeError } from '../files/index.ts';

/** Where lines go. Tests give their own. */
export interface Streams {
  /** Standard output. */
  out(line: string): void;
  /** Standard error. */
  note(line: string): void;
  /** The stream for a progress bar, where there is a terminal that can show one. */
  readonly bar?: NodeJS.WritableStream | undefined;
}

/** Where a command writes, by what a line is for: `--quiet` leaves results and errors. */
export interface Terminal extends Streams {
  /** Results: what the command was run for, and where it lies. */
  out(line: string): void;
  /** What it does, how far it is, how long it took: standard output too. */
  log(line: string): void;
  /** What the user should know beside: standard error. */
  note(line: string): void;
  /** What went wrong: standard error too. */
  error(line: string): void;
}

// What makes a terminal do something, or a line look like other lines: control characters (all but the tab), the marks that
// turn the direction of writing, separators of lines, and halves of surrogate pairs.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is shown by their numbers
const commanding = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb]|\p{Cs}/gu;

/**
 * Text that a terminal shows and never obeys, whatever a file's name, a class or a message holds: what could command it becomes
 * its number. JSON stays the same value, since JSON writes such characters in the same way.
 *
 * ```ts
 * printable('a\x1b[31mb\nc'); // 'a\\u001b[31mb\\u000ac'
 * ```
 */
export function printable(line: string): string {
  return line.replace(commanding, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A terminal that gets {@link printable} lines only. Everything that a command says goes through one. */
export function printableTerminal(streams: Streams): Terminal {
  const out = (line: string): void => streams.out(printable(line));
  const note = (line: string): void => streams.note(printable(line));
  return { out, log: out, note, error: note, bar: streams.bar };
}

/** The terminal of this process. */
export const processTerminal: Terminal = printableTerminal({
  out: (line) => void process.stdout.write(`${line}\n`),
  note: (line) => writeError(`${line}\n`),
  bar: process.stdout.isTTY ? process.stdout : undefined,
});

/** Several lines that this program itself broke. Within one line, a break comes from elsewhere and is shown as a number. */
export function printLines(print: (line: string) => void, text: string): void {
  for (const line of text.split('\n')) print(line);
}

/** The terminal with standard output kept clean for what a program reads: what else a command says becomes a note. */
export function notesTerminal({ note, error }: Terminal): Terminal {
  return { out: note, log: note, note, error };
}

/** The terminal with results and errors only: `--quiet`. */
export function quietTerminal({ out, error }: Terminal): Terminal {
  const nothing = (): void => undefined;
  return { out, log: nothing, note: nothing, error };
}

/** Seconds between plain lines where there is no terminal. */
const LINE_SECONDS = 5;
/** The rate is that of the last so many seconds, without what came first: kernels are compiled there. */
const WINDOW_SECONDS = 30;

/**
 * How far a command is, with rate and time left: a bar on a terminal, else a plain line every few seconds.
 *
 * ```ts
 * const progress = new Progress(terminal, 'caching', photos.length, 'photos');
 * progress.at(done);
 * progress.stop();
 * ```
 */
export class Progress {
  readonly #terminal: Terminal;
  readonly #title: string;
  readonly #unit: string;
  readonly #total: number;
  readonly #bar: SingleBar | undefined;
  readonly #marks: { time: number; done: number }[] = [];
  #said = performance.now();
  #lastDone: number;

  constructor(terminal: Terminal, title: string, total: number, unit: string, done = 0) {
    this.#terminal = terminal;
    this.#title = title;
    this.#total = total;
    this.#unit = unit;
    this.#lastDone = done;
    if (terminal.bar && total > 0) {
      const format = `${title} {bar} {value}/${count(total, unit)}{extra}`;
      // The cursor stays: a second Ctrl-C ends the process where it is, and nobody would bring it back.
      this.#bar = new SingleBar({ format, stream: terminal.bar, barsize: 24, clearOnComplete: true });
      this.#bar.start(total, done, { extra: '' });
    }
  }

  /** So much is done. `extra` is what the command measures beside, such as a loss. */
  at(done: number, extra = ''): void {
    const now = performance.now();
    this.#lastDone = done;
    this.#marks.push({ time: now, done });
    while (this.#marks.length > 2 && now - (this.#marks[1]?.time ?? now) > WINDOW_SECONDS * 1000) this.#marks.shift();
    const words = printable([extra, this.#rate(now)].filter(Boolean).join(' · '));
    if (this.#bar) this.#bar.update(done, { extra: words ? ` · ${words}` : '' });
    else if (now - this.#said >= LINE_SECONDS * 1000) {
      this.#said = now;
      this.#terminal.log(`${this.#title}: ${done}/${count(this.#total, this.#unit)}${words ? ` · ${words}` : ''}`);
    }
  }

  /** A line that stays, above the bar. */
  say(line: string, to: 'out' | 'log' | 'note' | 'error' = 'log'): void {
    if (this.#bar) this.#terminal.bar?.write('\r\x1b[K');
    this.#terminal[to](line);
    this.#bar?.update(this.#lastDone);
  }

  stop(): void {
    this.#bar?.stop();
  }

  #rate(now: number): string {
    const first = this.#marks[0];
    const done = this.#lastDone - (first?.done ?? 0);
    const seconds = (now - (first?.time ?? now)) / 1000;
    if (done <= 0 || seconds < 0.2) return '';
    const rate = done / seconds;
    const left = (this.#total - this.#lastDone) / rate;
    return [formatRate(rate, this.#unit), left > 0 && `${formatDuration(left)} left`].filter(Boolean).join(' · ');
  }
}

/** `12.3 photos/s` or `0.71 photos/s`; `4.2 s per photo` only for what takes seconds, so that one bar keeps to one of them. */
export function formatRate(rate: number, unit: string): string {
  if (rate >= 0.4) return `${rate >= 100 ? Math.round(rate) : rate.toFixed(rate < 1 ? 2 : 1)} ${unit}/s`;
  return `${(1 / rate).toFixed(1)} s per ${singular(unit)}`;
}

/** `8 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

/** `41.5 %` of a fraction in 0..1; a dash where there is none. */
export function formatPercent(fraction: number | null | undefined, digits = 1): string {
  return fraction == null ? '–' : `${(100 * fraction).toFixed(digits)} %`;
}

/** A note as a sentence of a page. */
export function sentence(note: string): string {
  return `${note.charAt(0).toUpperCase()}${note.slice(1)}.`;
}

/** `1 photo`, `2 photos`. */
export function count(n: number, unit: string): string {
  return `${n} ${n === 1 ? singular(unit) : unit}`;
}

/** `photo` of `photos`, `class` of `classes`. */
export function singular(unit: string): string {
  return unit.replace(/(?<=ss|x|tch)es$|s$/, '');
}

/** `1 of 1 photo`, `1 of 2 photos`. */
export function countIn(n: number, all: number, unit: string): string {
  return `${n} of ${count(all, unit)}`;
}
