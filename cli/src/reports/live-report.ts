/** Seconds between two versions of a report, at least. */
const SECONDS = 10;
/** Of the time, as much as writing reports may take. */
const FRACTION = 0.05;

/**
 * Rewrites a report while its training goes on, never twice at once, and never for more than a twentieth of the time. That it cannot be
 * written, such as on a full disk, is no reason to stop.
 */
export class LiveReport {
  readonly #write: () => Promise<void>;
  #next: number = performance.now() + SECONDS * 1000;
  #writing: Promise<void> | undefined;

  constructor(write: () => Promise<void>) {
    this.#write = write;
  }

  /** A step was made: writes, if it is time. */
  step(): void {
    const began = performance.now();
    if (this.#writing || began < this.#next) return;
    this.#writing = this.#write()
      .catch(() => undefined)
      .then(() => {
        const took = performance.now() - began;
        this.#next = performance.now() + Math.max(SECONDS * 1000, took / FRACTION);
        this.#writing = undefined;
      });
  }

  /** Waits until nothing is being written. */
  async stop(): Promise<void> {
    this.#next = Number.POSITIVE_INFINITY;
    await this.#writing;
  }
}
