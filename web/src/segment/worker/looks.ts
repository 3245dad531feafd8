import type { Division } from '@zeroseg/core/zeroseg';

/** Divisions that are kept: new words, or the other side of a comparison, do not look at the picture again. */
const MAX_KEPT = 6;

/** A look at the picture, which goes on as long as somebody waits for it. */
class Look {
  readonly division: Promise<Division>;
  readonly #stopping = new AbortController();
  #waiting = 0;

  constructor(work: (signal: AbortSignal) => Promise<Division>) {
    this.division = work(this.#stopping.signal);
  }

  get isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  async wait(signal: AbortSignal): Promise<Division> {
    const leave = (): void => {
      if (--this.#waiting === 0) this.#stopping.abort(signal.reason);
    };
    this.#waiting++;
    signal.addEventListener('abort', leave);
    try {
      const division = await this.division;
      signal.throwIfAborted();
      return division;
    } finally {
      signal.removeEventListener('abort', leave);
      if (!signal.aborted) this.#waiting--;
    }
  }
}

/** What models made of the picture, by model. */
export class Looks {
  /** The one that was used last at the end. */
  readonly #looks = new Map<string, Look>();

  has(model: string): boolean {
    return this.#looks.get(model)?.isStopped === false;
  }

  /** The division by a model: the one that there is, or a new one by `work`. */
  async get(model: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<Division>): Promise<Division> {
    signal.throwIfAborted();
    const known = this.#looks.get(model);
    const look = known && !known.isStopped ? known : new Look(work);
    this.#looks.delete(model);
    this.#looks.set(model, look);
    look.division.catch(() => {
      if (this.#looks.get(model) === look) this.#looks.delete(model);
    });
    for (const old of this.#looks.keys()) {
      if (this.#looks.size <= MAX_KEPT) break;
      this.#looks.delete(old);
    }
    return look.wait(signal);
  }
}
