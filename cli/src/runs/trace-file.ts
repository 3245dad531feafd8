import type { ChromeTrace } from '@zeroseg/core/zeroseg';
import { writeNamedFile } from '../files/index.ts';

/** A trace that is written as soon as it is complete, or at the end of what is traced. */
export class TraceFile {
  readonly #trace: ChromeTrace;
  readonly #path: string;
  #written: Promise<void> | undefined;

  constructor(trace: ChromeTrace, path: string) {
    this.#trace = trace;
    this.#path = path;
  }

  /** After every step. `say` is told where it is. */
  step(step: number, say: (words: string) => void): void {
    if (this.#trace.isComplete(step)) this.#write(say);
  }

  /** @throws FileError when it could not be written. */
  async end(say: (words: string) => void): Promise<void> {
    this.#write(say);
    await this.#written;
  }

  #write(say: (words: string) => void): void {
    if (this.#written) return;
    const idle = `${(100 * this.#trace.idle).toFixed(1)} %`;
    this.#written = writeNamedFile(this.#path, this.#trace.json()).then(() =>
      say(`trace: ${this.#path}, for ui.perfetto.dev; the device waited ${idle} of the time`),
    );
    // Thrown where it is awaited.
    this.#written.catch(() => undefined);
  }
}
