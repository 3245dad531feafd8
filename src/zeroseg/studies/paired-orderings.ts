/** Whether the paper's orderings hold over objects and background, by paired differences: see docs/fair-test.md. */
import { type PairedDifference, pairedDifference, type Spread, spread } from '../host/index.ts';
import type { Experiment } from './ablations.ts';
import { backgroundThresholds, bestThreshold } from './objects-and-background.ts';
import type { BackgroundRun } from './run-study.ts';

/** Kinds of scenes: to choose thresholds on, as in training, and crowded. */
export type FairScenes = 'choosing' | 'first' | 'crowded';

/** A row over its seeds, at the threshold that scenes of their own chose. */
export interface FairRow {
  readonly key: string;
  readonly name: string;
  readonly paper: number | undefined;
  readonly seeds: readonly number[];
  readonly threshold: number | null;
  /** Over objects and background, on scenes as in training and on crowded ones. */
  readonly first: Spread | null;
  readonly crowded: Spread | null;
  /** Over objects alone, without a threshold. */
  readonly objects: Spread | null;
}

export type Verdict = 'came out' | 'came out the other way' | 'not decided';

/** An ordering of the paper: what its pairs differ by, run by run with equal seeds. */
export interface FairOrdering {
  readonly statement: string;
  readonly verdict: Verdict | undefined;
  readonly pairs: readonly { readonly lower: string; readonly higher: string; readonly by: PairedDifference | null }[];
}

type FairRun = BackgroundRun<FairScenes>;

export function fairRows({ settings }: Experiment, runs: readonly FairRun[]): FairRow[] {
  return settings.map(({ key, name, paper }) => {
    const own = ofRow(runs, key);
    const at = own.length === 0 ? null : bestThreshold(own.map(({ scores }) => scores.choosing));
    const spreadOf = (kind: FairScenes) =>
      at === null ? null : spread(own.map(({ scores }) => scores[kind].meanIou[at] ?? null));
    return {
      key,
      name,
      paper,
      seeds: own.map(({ seed }) => seed),
      threshold: at === null ? null : (backgroundThresholds[at] as number),
      first: spreadOf('first'),
      crowded: spreadOf('crowded'),
      objects: spread(own.map(({ scores }) => scores.first.objects)),
    };
  });
}

/** By the first score alone. An ordering of several pairs comes out only if each does; the other way if one does so. */
export function fairOrderings({ orderings }: Experiment, rows: readonly FairRow[]): FairOrdering[] {
  return orderings
    .filter(({ measure }) => measure === 'objects')
    .map(({ statement, pairs }) => {
      const compared = pairs.map(([lower, higher]) => {
        const [a, b] = [lower, higher].map((key) => rows.find((row) => row.key === key) as FairRow) as [
          FairRow,
          FairRow,
        ];
        const seeds = a.seeds.filter((seed) => b.seeds.includes(seed));
        const values = ({ seeds: own, first }: FairRow) =>
          seeds.map((seed) => first?.values[own.indexOf(seed)] as number);
        return { lower: a.name, higher: b.name, by: pairedDifference(values(a), values(b)) };
      });
      return { statement, verdict: verdictOf(compared.map(({ by }) => by)), pairs: compared };
    });
}

function verdictOf(differences: readonly (PairedDifference | null)[]): Verdict | undefined {
  const intervals = differences.map((one) => one?.interval ?? null);
  if (intervals.some((one) => one === null)) return undefined;
  const known = intervals as (readonly [number, number])[];
  if (known.every(([low]) => low > 0)) return 'came out';
  return known.some(([, high]) => high < 0) ? 'came out the other way' : 'not decided';
}

function ofRow(runs: readonly FairRun[], key: string): FairRun[] {
  return runs.filter(({ setting }) => setting === key).sort((a, b) => a.seed - b.seed);
}
