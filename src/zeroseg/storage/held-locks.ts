import type { HeldLock } from './file-system.ts';

/** The locks that a folder's file system holds, and those of the folders around it: what is written is checked against all. */
export class HeldLocks {
  readonly #outer: HeldLocks | undefined;
  readonly #own = new Set<HeldLock>();

  constructor(outer?: HeldLocks) {
    this.#outer = outer;
  }

  /** Counts a lock until it is released. */
  hold(lock: HeldLock): HeldLock {
    const held: HeldLock = {
      check: () => lock.check(),
      release: async () => {
        this.#own.delete(held);
        await lock.release();
      },
    };
    this.#own.add(held);
    return held;
  }

  /** @throws {LockError} when one of them was taken away. */
  async check(): Promise<void> {
    await this.#outer?.check();
    for (const lock of this.#own) await lock.check();
  }
}
