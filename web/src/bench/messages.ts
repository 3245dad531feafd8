/** What the page and its worker tell each other about measuring. */
import type { Tuned } from '@zeroseg/core';
import type { BenchResult, Clock, Limits, Row } from 'zeroseg/bench';

export interface BenchChoice {
  /** Small shapes. */
  readonly quick: boolean;
  /** Only work with one of these words in its name or group; all of it where there is none. */
  readonly filter: readonly string[];
}

/** What is being done, and how much of it is done. */
export interface BenchDoing {
  readonly name: string;
  readonly done: number;
  readonly total: number;
}

export type BenchEvent =
  | { readonly kind: 'doing'; readonly doing: BenchDoing }
  | { readonly kind: 'row'; readonly row: Row; readonly limits: Limits };

/** What was measured, and on what. */
export interface BenchReport extends BenchResult {
  /** ISO 8601, UTC. */
  readonly date: string;
  readonly version: string;
  readonly browser: string;
  readonly adapter: string;
  readonly vendor: string;
  readonly architecture: string;
  readonly software: boolean;
  readonly features: readonly string[];
  readonly clock: Clock;
  readonly runs: number;
  readonly quick: boolean;
  /** Whether it was stopped before all was measured. */
  readonly stopped: boolean;
}

export interface TuneEvent {
  readonly found: Tuned;
  readonly done: number;
  readonly of: number;
}
