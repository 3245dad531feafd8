/** Results of an ablation: means over seeds, and whether the paper's orderings hold among them. */
import { type Spread, spread } from '../host/index.ts';
import type { Experiment, Ordering, Setting } from './ablations.ts';
import type { RunScore } from './score-run.ts';

/** A run that ended, by what it was. */
export interface EndedRun {
  readonly setting: string;
  readonly seed: number;
  readonly score: RunScore;
}

const measures = ['all', 'objects', 'ground', 'accuracy', 'groupsUsed', 'namesPresent', 'chance'] as const;

/** A row of a table, over its seeds. */
export interface Row extends Readonly<Record<(typeof measures)[number], Spread | null>> {
  readonly setting: Setting;
  readonly seeds: readonly number[];
  /** Seconds a step, where they were measured. */
  readonly seconds: number | null;
}

/** The rows of an experiment out of the runs that ended; `seconds` by the settings' keys. */
export function summarise(
  { settings }: Experiment,
  runs: readonly EndedRun[],
  seconds: Readonly<Record<string, number>> = {},
): Row[] {
  return settings.map((setting) => {
    const own = runs.filter((run) => run.setting === setting.key).sort((a, b) => a.seed - b.seed);
    const spreads = measures.map((measure) => [measure, spread(own.map(({ score }) => score[measure]))] as const);
    return {
      setting,
      seeds: own.map(({ seed }) => seed),
      seconds: seconds[setting.key] ?? null,
      ...(Object.fromEntries(spreads) as Record<(typeof measures)[number], Spread | null>),
    };
  });
}

/** Whether an expected ordering holds among the results. */
export interface OrderingCheck {
  readonly statement: string;
  readonly measure: Ordering['measure'];
  /** Undefined where a run is missing. */
  readonly holds: boolean | undefined;
  /** Whether in every pair the means differ by more than the deviations of both together; undefined without them. */
  readonly isClear: boolean | undefined;
  /** In how many of the seeds that all rows have it holds, and how many these are. */
  readonly seeds: readonly [holding: number, shared: number];
  /** The pairs that are the wrong way round. */
  readonly violations: readonly (readonly [lower: string, higher: string])[];
  /** What was compared, by the settings' names, in the order of the table. */
  readonly values: readonly (readonly [name: string, value: number])[];
}

/** Checks every expected ordering by means over seeds (or by seconds), and in how many single seeds it holds too. */
export function checkOrderings({ orderings }: Experiment, rows: readonly Row[]): OrderingCheck[] {
  const rowOf = new Map(rows.map((row) => [row.setting.key, row]));
  const find = (key: string): Row => {
    const row = rowOf.get(key);
    if (!row) throw new Error(`internal: there is no setting '${key}'`);
    return row;
  };
  return orderings.map(({ statement, pairs, measure, mayBeEqual = false }) => {
    const isLower = (a: number, b: number): boolean => (mayBeEqual ? a <= b : a < b);
    const mean = (key: string): number | null =>
      measure === 'seconds' ? find(key).seconds : (find(key)[measure]?.mean ?? null);
    const keys = [...new Set(pairs.flat())];
    const values = rows
      .filter(({ setting }) => keys.includes(setting.key))
      .flatMap(({ setting }) => {
        const value = mean(setting.key);
        return value === null ? [] : [[setting.name, value] as const];
      });
    const isWhole = values.length === keys.length;
    const violations = pairs
      .filter(([lower, higher]) => isWhole && !isLower(mean(lower) as number, mean(higher) as number))
      .map(([lower, higher]) => [find(lower).setting.name, find(higher).setting.name] as const);
    if (measure === 'seconds') {
      return {
        statement,
        measure,
        holds: isWhole ? violations.length === 0 : undefined,
        isClear: undefined,
        seeds: [0, 0],
        violations,
        values,
      };
    }
    const shared = find(keys[0] as string).seeds.filter((seed) => keys.every((key) => find(key).seeds.includes(seed)));
    const ofSeed = (key: string, seed: number): number | undefined => {
      const { [measure]: measured, seeds } = find(key);
      // Without a null in between, values and seeds are in the same order.
      return measured?.values.length === seeds.length ? measured.values[seeds.indexOf(seed)] : undefined;
    };
    const holding = shared.filter((seed) =>
      pairs.every(([a, b]) => isLower(ofSeed(a, seed) ?? Number.NaN, ofSeed(b, seed) ?? Number.NaN)),
    );
    const isApart = ([a, b]: readonly [string, string]): boolean => {
      const [low, high] = [find(a)[measure] as Spread, find(b)[measure] as Spread];
      return Math.abs(high.mean - low.mean) > Math.hypot(low.deviation as number, high.deviation as number);
    };
    const hasDeviations = isWhole && keys.every((key) => find(key)[measure]?.deviation != null);
    return {
      statement,
      measure,
      holds: isWhole ? violations.length === 0 : undefined,
      isClear: hasDeviations ? pairs.every(isApart) : undefined,
      seeds: [holding.length, shared.length],
      violations,
      values,
    };
  });
}
