import { heard } from '../../gpu/index.ts';

/**
 * Makes values in order, some of them ahead of who takes them: what one step needs is made while the GPU works on another. One is
 * made at a time, and at most `ahead` wait.
 *
 * ```ts
 * const batches = new Prefetch(0, 100, (number) => data.batch(number), 2);
 * const first = await batches.take();
 * batches.fill(); // makes numbers 1 and 2 meanwhile
 * ```
 */
export class Prefetch<T> {
  readonly #to: number;
  readonly #make: (number: number) => Promise<T> | T;
  readonly #ahead: number;
  readonly #waiting: Promise<T>[] = [];
  #next: number;
  /** The one that is being made. */
  #last: Promise<unknown> = Promise.resolve();

  /** Makes numbers `from` to `to`, exclusive. */
  constructor(from: number, to: number, make: (number: number) => Promise<T> | T, ahead: number) {
    this.#next = from;
    this.#to = to;
    this.#make = make;
    this.#ahead = ahead;
  }

  /** The next value. What went wrong in making it is thrown here. */
  take(): Promise<T> {
    if (this.#waiting.length === 0) this.#begin();
    return this.#waiting.shift() as Promise<T>;
  }

  /** Begins to make what is to wait. Called once the GPU has its work: making may keep this thread busy. */
  fill(): void {
    while (this.#waiting.length < this.#ahead && this.#next < this.#to) this.#begin();
  }

  #begin(): void {
    const number = this.#next++;
    const made = this.#last.then(() => this.#make(number));
    this.#last = heard(made);
    this.#waiting.push(made);
  }
}
