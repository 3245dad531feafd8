import type { Expected, Workload } from './workloads.mjs';

export interface Run {
  readonly wall: number;
  readonly processor: number;
}

export interface Counts {
  readonly dispatches: number;
  readonly submits: number;
  readonly buffers: number;
  readonly bindGroups: number;
  readonly peakBytes: number;
}

export interface Prepared {
  readonly unsupported?: boolean;
  readonly first: Run;
  readonly error: number;
  readonly wrong: string[];
}

export interface Library {
  readonly label: string;
  readonly adapter?: string;
  readonly software?: boolean;
}

export class Peer {
  constructor(
    library: Library,
    clocks?: { processorTime?: () => number; awaited?: <T>(promise: Promise<T>) => Promise<T> },
  );
  prepare(workload: Workload, expected: readonly Expected[]): Promise<Prepared>;
  turn(turn: { span: number; max: number }): Promise<{ samples: Run[]; counts: Counts }>;
}
