/** Steps that are kept under a key; beyond so many, the one that was used longest ago is let go. */
export class KeptSteps<S extends { dispose(): void }> {
  readonly #max: number;
  /** The one that was used last at the end. */
  readonly #steps = new Map<string, { readonly made: Promise<S>; users: number }>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Calls `call` with the step of that key, which `make` makes when it is not there. */
  async use<R>(key: string, make: () => Promise<S>, call: (step: S) => Promise<R>): Promise<R> {
    const kept = this.#steps.get(key) ?? { made: this.#make(key, make), users: 0 };
    this.#steps.delete(key);
    this.#steps.set(key, kept);
    kept.users++;
    try {
      return await call(await kept.made);
    } finally {
      kept.users--;
      this.#dropOldest();
    }
  }

  /** One that fails is not kept: what was missing then, memory say, may be there the next time. */
  async #make(key: string, make: () => Promise<S>): Promise<S> {
    try {
      return await make();
    } catch (error) {
      this.#steps.delete(key);
      throw error;
    }
  }

  #dropOldest(): void {
    for (const [key, { made, users }] of this.#steps) {
      if (this.#steps.size <= this.#max) return;
      if (users > 0) continue;
      this.#steps.delete(key);
      disposeOf(made);
    }
  }

  /** Of those that are there, the one that was used last at the end. */
  keys(): string[] {
    return [...this.#steps.keys()];
  }

  dispose(): void {
    for (const { made } of this.#steps.values()) disposeOf(made);
    this.#steps.clear();
  }
}

/** Whoever waits for a step that fails is told; this is not the place. */
function disposeOf(made: Promise<{ dispose(): void }>): void {
  void made.then(
    (ready) => ready.dispose(),
    () => {},
  );
}
