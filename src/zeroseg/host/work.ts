/** How a caller follows long work, and stops it. Everything in the library that takes long takes these. */
export interface WorkOptions<P> {
  /** Stops the work at the next safe point: what is done is kept, and the call throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called as the work goes on. */
  readonly onProgress?: ((progress: P) => void) | undefined;
}

/** How many of how many are done. */
export interface Progress {
  readonly done: number;
  readonly total: number;
}
