import type { Counts, Library, Prepared, Run } from './peer.mjs';
import type { Workload } from './workloads.mjs';

export interface Times {
  readonly best: number;
  readonly median: number;
}

export interface Cell {
  readonly state: 'right' | 'wrong' | 'none';
  readonly failure?: string;
  readonly wrong?: readonly string[];
  readonly error?: number;
  readonly first?: Run;
  readonly counts?: Counts;
  readonly wall?: Times;
  readonly processor?: Times;
  readonly samples: number;
}

export interface ComparedRow {
  readonly name: string;
  readonly clock: 'wall' | 'processor';
  /** The fastest of the others that is right, and how many times as fast as it ours is. */
  readonly fastest?: string;
  readonly ratios?: {
    readonly median: number;
    readonly best: number;
    readonly first: number;
    readonly peakBytes: number;
  };
  readonly cells: Readonly<Record<string, Cell>>;
}

export interface Comparison {
  readonly adapter: string;
  readonly software: boolean;
  readonly runs: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly rows: readonly ComparedRow[];
}

export interface PlacedPeer {
  open(): Promise<Library>;
  prepare(workload: Workload): Promise<Prepared>;
  turn(turn: { span: number; max: number }): Promise<{ samples: Run[]; counts: Counts }>;
  stop(): void | Promise<void>;
}

export function measureInTurns(
  workloads: readonly Workload[],
  libraries: readonly string[],
  options: {
    readonly runs: number;
    readonly openPeer: (library: string) => PlacedPeer | Promise<PlacedPeer>;
    readonly clockOf: (software: boolean) => 'wall' | 'processor';
    readonly progress: (doing: { workload: string; library: string; found?: Cell }) => void;
    readonly onRow?: (comparison: Comparison) => void;
    readonly signal?: AbortSignal;
  },
): Promise<Comparison>;
