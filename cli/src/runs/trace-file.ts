import type { ChromeTrace } from '@zeroseg/core/zeroseg';
import { FileError, writeNamedFile } from '../files/index.ts';

/** Is told where a trace is, and why it could not be written. */
interface Told {
  log(words: string): void;
  note(words: string): void;
}

/** A trace that is written as soon as it is complete, or at the end of what is traced. That it could not be written is a note: what was traced goes on. */
export class TraceFile {
  readonly #trace: ChromeTrace;
  readonly #path: string;
  #written: Promise<void> | undefined;

  constructor(trace: ChromeTrace, path: string) {
    this.#trace = trace;
    this.#path = path;
  }

  /** After every step. */
  step(step: number, told: Told): void {
    if (this.#trace.isComplete(step)) this.#write(told);
  }

  async end(told: Told): Promise<void> {
    this.#write(told);
    await this.#written;
  }

  #write(told: Told): void {
    this.#written ??= this.#save(told);
  }

  async #save({ log, note }: Told): Promise<void> {
    if (this.#trace.isEmpty) return note(`trace: ${this.#path} is not written: no step was made`);
    const idle = `${(100 * this.#trace.idle).toFixed(1)} %`;
    try {
      await writeNamedFile(this.#path, this.#trace.json());
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      return note(`trace: ${this.#path} is not written: ${error.reason}`);
    }
    log(`trace: ${this.#path}, for ui.perfetto.dev; the device waited ${idle} of the time`);
  }
}
