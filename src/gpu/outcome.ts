/** Who is told of work that failed and that nobody waits for. */
export interface Reports {
  report(error: Error): void;
  withdraw(error: Error): void;
}

/**
 * How work went that goes on after the call that began it. Whoever reads what it made demands it; if it fails and nobody has, the
 * device reports it at the next call. So no failure is silent, and none is a rejected promise that nobody handles.
 */
export class Outcome {
  /** Resolves when the work is done, well or not. */
  readonly settled: Promise<void>;
  readonly #reports: Reports;
  #isDemanded = false;
  #error: Error | undefined;

  constructor(reports: Reports, work: Promise<void>) {
    this.#reports = reports;
    this.settled = work.catch((error: Error) => {
      this.#error = error;
      if (!this.#isDemanded) reports.report(error);
    });
  }

  /** Waits for the work, and throws what went wrong. */
  async demand(): Promise<void> {
    this.#isDemanded = true;
    await this.settled;
    if (!this.#error) return;
    this.#reports.withdraw(this.#error);
    throw this.#error;
  }

  /** Waits for all work and for `after`, which came behind it, and throws the first that went wrong. */
  async demandAll(all: Iterable<Outcome>, after: Promise<unknown>): Promise<void> {
    const told = await Promise.allSettled([...[...all].map((one) => one.demand()), after]);
    for (const one of told) if (one.status === 'rejected') throw one.reason;
  }
}
