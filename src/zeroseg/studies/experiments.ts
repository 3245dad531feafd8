/** The paper's ablations in miniature: what is trained, what is expected, and what came out. */
import { ArgumentError, type Device } from '../../gpu/index.ts';
import { chanceScores } from '../baselines/index.ts';
import type { Vocabulary } from '../clip/index.ts';
import { SegmentationScore } from '../evaluation/index.ts';
import { viewCount } from '../image/index.ts';
import type { ZeroSeg, ZeroSegConfig } from '../model/index.ts';
import type { SceneMaker } from '../scenes/index.ts';
import type { TrainingData } from '../training/index.ts';
import { meanOf, sceneScore } from './score-scenes.ts';
import { HabitCounter, type Habits, SceneStudent, studentLabels } from './student-output.ts';

/** One row of a table: what differs from the base run, and the paper's number. */
export interface Setting {
  readonly key: string;
  /** For people, as in the paper. */
  readonly name: string;
  readonly config: Partial<ZeroSegConfig>;
  /** Begins with new weights, whatever the others begin with. */
  readonly isNew?: boolean;
  /** Mean IoU on PASCAL VOC, in percent; none where the paper has no such row. */
  readonly paper?: number;
  /** Share of the time of a step that the paper saves, relative to no masking, in percent. */
  readonly paperSaved?: number;
}

/** An ordering of the paper, from the lowest to the highest. */
export interface Claim {
  readonly words: string;
  /** Keys of settings; of each pair the first must be lower than the second. */
  readonly pairs: readonly (readonly [lower: string, higher: string])[];
  /** Mean IoU over objects, as PASCAL VOC has no other names; or seconds a step. */
  readonly of: 'objects' | 'seconds';
  /** Whether equal counts too. Default: no. */
  readonly mayBeEqual?: boolean;
}

/** A table of the paper, or one of what this package adds to it. */
export interface Experiment {
  readonly title: string;
  readonly question: string;
  readonly settings: readonly Setting[];
  readonly claims: readonly Claim[];
}

export type ExperimentName = 'table3' | 'table4' | 'table5' | 'beyond';

/** Options that `scenes` leaves off, whatever the configuration that is given. */
const plainOptions = { compose_by: 'area', assign_start: 'queries' } as const satisfies Partial<ZeroSegConfig>;
/** What `scenes` changes beside sizes, as in the paper; and two steps on the way to it. */
const paperOptions: Partial<ZeroSegConfig> = {
  seg_init: 'normal',
  assign_scale: 1,
  assign_centre: false,
  assign_rounds: 0,
  mask_ratio: 0.6,
  segment_reduce: 'sum',
  w_rec: 1,
  w_compose: 0,
  ...plainOptions,
};
const betterLogits: Partial<ZeroSegConfig> = { seg_init: 'xavier', assign_scale: 8, assign_centre: true };
const movedQueries: Partial<ZeroSegConfig> = { ...betterLogits, assign_scale: 16, assign_rounds: 3 };

const grids = (key: string, name: string, sides: readonly number[], paper: number): Setting => ({
  key,
  name,
  // Of the whole picture alone there are no local views to match.
  config: { grids: sides, ...(sides.length === 1 ? { w_match: 0 } : {}) },
  paper,
});

const ratio = (mask_ratio: number, paper: number, paperSaved: number): Setting => ({
  key: String(mask_ratio),
  name: String(mask_ratio),
  config: { mask_ratio },
  paper,
  paperSaved,
});

const ratios = [
  ratio(0, 35.6, 0),
  ratio(0.2, 37.6, 15),
  ratio(0.3, 38.7, 19),
  ratio(0.4, 40.4, 26),
  ratio(0.5, 39.8, 32),
  ratio(0.6, 40.8, 36),
  ratio(0.7, 33.3, 39),
  ratio(0.8, 32.8, 43),
];

/** Tables 3, 4 and 5 (section 15), with the orderings to look for; and the options that are not in the paper, one after the other. */
export const experiments: Readonly<Record<ExperimentName, Experiment>> = {
  table3: {
    title: 'Table 3: grids of views',
    question: 'Which views of the teacher does the student need?',
    settings: [
      grids('1', '1×1', [1], 21.1),
      grids('1,2', '1×1, 2×2', [1, 2], 23.7),
      grids('1,3', '1×1, 3×3', [1, 3], 40.2),
      grids('1,4', '1×1, 4×4', [1, 4], 32.4),
      grids('1,2,3,4', 'all four', [1, 2, 3, 4], 40.8),
    ],
    claims: [
      {
        words: '1×1 alone is the worst',
        pairs: ['1,2', '1,3', '1,4', '1,2,3,4'].map((other) => ['1', other] as const),
        of: 'objects',
      },
      {
        words: '3×3 is the best single grid beside 1×1',
        pairs: [
          ['1,2', '1,3'],
          ['1,4', '1,3'],
        ],
        of: 'objects',
      },
      {
        words: 'all four are the best',
        pairs: ['1', '1,2', '1,3', '1,4'].map((other) => [other, '1,2,3,4'] as const),
        of: 'objects',
      },
    ],
  },
  table4: {
    title: 'Table 4: losses',
    question: 'What do multi-scale distillation and segment matching add?',
    settings: [
      { key: 'base', name: 'Base', config: { distill_views: 'first', w_match: 0 }, paper: 21.1 },
      { key: 'multi-scale', name: '+ multi-scale', config: { w_match: 0 }, paper: 28.5 },
      { key: 'matching', name: '+ matching', config: { distill_views: 'first' }, paper: 38.6 },
      { key: 'both', name: 'both', config: {}, paper: 40.8 },
    ],
    claims: [
      { words: 'Base < + multi-scale', pairs: [['base', 'multi-scale']], of: 'objects' },
      { words: '+ multi-scale < + matching', pairs: [['multi-scale', 'matching']], of: 'objects' },
      { words: '+ matching ≤ both', pairs: [['matching', 'both']], of: 'objects', mayBeEqual: true },
    ],
  },
  table5: {
    title: 'Table 5: mask ratio',
    question: 'How much may be hidden from the encoder, and what does that save?',
    settings: ratios,
    claims: [
      {
        words: 'time per step falls with the mask ratio',
        pairs: ratios.slice(1).map(({ key }, i) => [key, (ratios[i] as Setting).key] as const),
        of: 'seconds',
      },
      {
        words: '0.6 is the best ratio',
        pairs: ratios.filter(({ key }) => key !== '0.6').map(({ key }) => [key, '0.6'] as const),
        of: 'objects',
      },
      {
        words: '0.7 and 0.8 are worse than no masking',
        pairs: [
          ['0.7', '0'],
          ['0.8', '0'],
        ],
        of: 'objects',
      },
    ],
  },
  beyond: {
    title: 'Beyond the paper',
    question: 'What does each option add to those above it?',
    settings: [
      { key: 'paper', name: 'paper', config: { ...paperOptions, stem: 'patch' }, isNew: true },
      { key: 'stem', name: '+ conv stem', config: paperOptions, isNew: true },
      { key: 'tower', name: '+ tower', config: paperOptions },
      { key: 'init', name: '+ head init', config: { ...paperOptions, seg_init: 'xavier' } },
      { key: 'logits', name: '+ logits', config: { ...paperOptions, ...betterLogits } },
      { key: 'rounds', name: '+ rounds', config: { ...paperOptions, ...movedQueries } },
      { key: 'weights', name: '+ weights', config: { ...plainOptions, w_compose: 0 } },
      { key: 'compose', name: '+ composition', config: { ...plainOptions, w_compose: 8 } },
      { key: 'root', name: '+ root of areas', config: { ...plainOptions, w_compose: 8, compose_by: 'root' } },
      { key: 'medoids', name: '+ medoids', config: { w_compose: 8, compose_by: 'root', assign_start: 'medoids' } },
    ],
    claims: [],
  },
};

/** What a trained student scores on unseen scenes: shares in 0..1, null where nothing occurs. */
export interface RunScore extends Pick<Habits, 'groupsUsed' | 'namesPresent'> {
  /** Mean IoU over all names, objects and stuff. */
  readonly all: number | null;
  readonly objects: number | null;
  readonly stuff: number | null;
  readonly accuracy: number | null;
  /** Mean IoU over all names of guessing on the same scenes. */
  readonly chance: number | null;
}

export interface RunScoreOptions {
  readonly scenes: SceneMaker;
  readonly seed: number;
  readonly count: number;
  readonly vocabulary: Vocabulary;
}

/**
 * Scores a student alone, as `scoreScenes` does beside its baselines: named by `softmax` scoring, without a threshold.
 *
 * ```ts
 * const { all } = await scoreRun(device, model, { scenes, seed: 7, count: 200, vocabulary });
 * ```
 */
export async function scoreRun(
  device: Device,
  model: ZeroSeg,
  { scenes, seed, count, vocabulary }: RunScoreOptions,
): Promise<RunScore> {
  using student = await SceneStudent.create(device, model, scenes.options.size);
  const { objectCount, names } = scenes;
  // Ground without a name does not count.
  const score = new SegmentationScore(names.length + 1, 0);
  const habits = new HabitCounter(vocabulary, objectCount);
  for (let index = 0; index < count; index++) {
    const scene = scenes.scene(seed, index);
    const view = await student.look(scene.image);
    score.add(studentLabels(view, vocabulary, { scoring: 'softmax', top: 5 }), scene.labels.data);
    habits.add(scene, view);
  }
  const { groupsUsed, namesPresent } = habits.means();
  return {
    all: meanOf(score.iou().slice(1)),
    ...sceneScore(score, objectCount),
    groupsUsed,
    namesPresent,
    chance: meanOf(chanceScores(score.labelled).iou.slice(1)),
  };
}

/**
 * Data whose features are of some grids only: rows of what was computed once for all of them.
 *
 * ```ts
 * chooseGrids(data, [1, 2, 3, 4], [1, 3]); // view 1, and views 6 to 14
 * ```
 */
export function chooseGrids(data: TrainingData, all: readonly number[], chosen: readonly number[]): TrainingData {
  const strange = chosen.find((k) => !all.includes(k));
  if (strange !== undefined) {
    throw new ArgumentError(`chooseGrids: there are no views of grid ${strange}; there are those of ${all.join(', ')}`);
  }
  if (chosen.join() === all.join()) return data;
  const starts = all.map((_, i) => all.slice(0, i).reduce((sum, k) => sum + k * k, 0));
  const rows = chosen.flatMap((k) => Array.from({ length: k * k }, (_, i) => (starts[all.indexOf(k)] as number) + i));
  const views = viewCount(all);
  return {
    length: data.length,
    async batch(numbers) {
      const { images, views: features } = await data.batch(numbers);
      const width = features.length / (numbers.length * views);
      const kept = new Float32Array(numbers.length * rows.length * width);
      for (let i = 0, at = 0; i < numbers.length; i++) {
        for (const row of rows) {
          const from = (i * views + row) * width;
          kept.set(features.subarray(from, from + width), at);
          at += width;
        }
      }
      return { images, views: kept };
    },
  };
}

/** A run that ended, by what it was. */
export interface EndedRun {
  readonly setting: string;
  readonly seed: number;
  readonly score: RunScore;
}

/** Mean and standard deviation (of a sample: n − 1) over seeds; no deviation of one. */
export interface Spread {
  readonly mean: number;
  readonly deviation: number | null;
  readonly values: readonly number[];
}

/** Mean and deviation of what is there; null where nothing is. */
export function spread(values: readonly (number | null)[]): Spread | null {
  const there = values.filter((value) => value !== null);
  if (there.length === 0) return null;
  const mean = there.reduce((a, b) => a + b, 0) / there.length;
  const squares = there.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: there.length > 1 ? Math.sqrt(squares / (there.length - 1)) : null, values: there };
}

const measures = ['all', 'objects', 'stuff', 'accuracy', 'groupsUsed', 'namesPresent', 'chance'] as const;

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

/** Whether an ordering of the paper came out. */
export interface Judgement {
  readonly words: string;
  readonly of: Claim['of'];
  /** Undefined where a run is missing. */
  readonly cameOut: boolean | undefined;
  /** Whether in every pair the means differ by more than the deviations of both together; undefined without them. */
  readonly isClear: boolean | undefined;
  /** In how many of the seeds that all have it came out, and how many these are. */
  readonly seeds: readonly [came: number, of: number];
  /** The pairs that are the wrong way round. */
  readonly against: readonly (readonly [lower: string, higher: string])[];
  /** What was compared, by the settings' names, in the order of the table. */
  readonly values: readonly (readonly [name: string, value: number])[];
}

/** Compares means over seeds (or seconds), and looks how many seeds alone say the same. */
export function judge({ claims }: Experiment, rows: readonly Row[]): Judgement[] {
  const rowOf = new Map(rows.map((row) => [row.setting.key, row]));
  const find = (key: string): Row => {
    const row = rowOf.get(key);
    if (!row) throw new Error(`internal: there is no setting '${key}'`);
    return row;
  };
  return claims.map(({ words, pairs, of, mayBeEqual = false }) => {
    const isLower = (a: number, b: number): boolean => (mayBeEqual ? a <= b : a < b);
    const mean = (key: string): number | null => (of === 'seconds' ? find(key).seconds : (find(key)[of]?.mean ?? null));
    const keys = [...new Set(pairs.flat())];
    const values = rows
      .filter(({ setting }) => keys.includes(setting.key))
      .flatMap(({ setting }) => {
        const value = mean(setting.key);
        return value === null ? [] : [[setting.name, value] as const];
      });
    const isWhole = values.length === keys.length;
    const against = pairs
      .filter(([lower, higher]) => isWhole && !isLower(mean(lower) as number, mean(higher) as number))
      .map(([lower, higher]) => [find(lower).setting.name, find(higher).setting.name] as const);
    if (of === 'seconds') {
      return {
        words,
        of,
        cameOut: isWhole ? against.length === 0 : undefined,
        isClear: undefined,
        seeds: [0, 0],
        against,
        values,
      };
    }
    const shared = find(keys[0] as string).seeds.filter((seed) => keys.every((key) => find(key).seeds.includes(seed)));
    const ofSeed = (key: string, seed: number): number | undefined => {
      const { [of]: measured, seeds } = find(key);
      // Without a null in between, values and seeds are in the same order.
      return measured?.values.length === seeds.length ? measured.values[seeds.indexOf(seed)] : undefined;
    };
    const came = shared.filter((seed) =>
      pairs.every(([a, b]) => isLower(ofSeed(a, seed) ?? Number.NaN, ofSeed(b, seed) ?? Number.NaN)),
    );
    const isApart = ([a, b]: readonly [string, string]): boolean => {
      const [low, high] = [find(a)[of] as Spread, find(b)[of] as Spread];
      return Math.abs(high.mean - low.mean) > Math.hypot(low.deviation as number, high.deviation as number);
    };
    const hasDeviations = isWhole && keys.every((key) => find(key)[of]?.deviation != null);
    return {
      words,
      of,
      cameOut: isWhole ? against.length === 0 : undefined,
      isClear: hasDeviations ? pairs.every(isApart) : undefined,
      seeds: [came.length, shared.length],
      against,
      values,
    };
  });
}
