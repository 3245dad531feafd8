/// <reference lib="esnext.disposable" preserve="true" />
/** Scores of students on unseen scenes, each with the interval that so few scenes leave open. */
import type { Device } from '../../gpu/index.ts';
import type { Vocabulary } from '../clip/index.ts';
import { SegmentationScore } from '../evaluation/index.ts';
import type { Progress, WorkOptions } from '../host/index.ts';
import type { ScoringOptions } from '../inference/index.ts';
import type { ZeroSeg } from '../model/index.ts';
import type { SceneMaker } from '../scenes/index.ts';
import {
  SceneStudent,
  StatisticsCollector,
  type StudentStatistics,
  sceneScore,
  studentLabels,
} from '../studies/index.ts';
import { namesFound } from './names-found.ts';

/** A fraction in 0..1 with its 95 % interval: ± 1.96 standard errors, by the jackknife over scenes. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** Null where nothing of the kind occurs. */
export interface LiveScore {
  /** Mean IoU over objects, and over ground; fraction of pixels named right. */
  readonly objects: Estimate | null;
  readonly ground: Estimate | null;
  readonly accuracy: Estimate | null;
  /** Fraction of the objects that were found, and how many those are. */
  readonly found: Estimate | null;
  readonly objectsFound: number;
  readonly objectsThere: number;
  readonly statistics: StudentStatistics;
}

export interface LiveScores {
  readonly scenes: number;
  readonly students: Readonly<Record<string, LiveScore>>;
}

export interface LiveScoresOptions extends WorkOptions<Progress> {
  readonly scenes: SceneMaker;
  readonly seed: number;
  /** At most so many scenes. */
  readonly count: number;
  /** As many as fit into `seconds`, but at least `min`. Default: `count`. */
  readonly limit?: { readonly seconds: number; readonly min: number } | undefined;
  /** Of the scenes' names. */
  readonly vocabulary: Vocabulary;
  readonly students: Readonly<Record<string, ZeroSeg>>;
  readonly scoring: Omit<ScoringOptions, 'scale'>;
}

/** Scenes by which the time of one is measured: the first compiles. */
const MEASURED = [1, 4] as const;
/** Standard errors to either side that hold 95 % of a normal distribution. */
const NORMAL_95 = 1.96;

/** One scene, as one student sees it. */
interface Counted {
  readonly score: SegmentationScore;
  readonly found: number;
  readonly there: number;
}

/** Scores students on the same scenes. `onProgress` is first called when it is known how many scenes there will be. */
export async function scoreLive(device: Device, options: LiveScoresOptions): Promise<LiveScores> {
  const { scenes: maker, vocabulary, limit, signal } = options;
  const entries = Object.entries(options.students);
  const counted = new Map<string, Counted[]>(entries.map(([name]) => [name, []]));
  const statistics = new Map(entries.map(([name]) => [name, new StatisticsCollector(vocabulary, maker.objectCount)]));
  const students = new Map<string, SceneStudent>();
  let total = options.count;
  let marked = 0;
  const began = performance.now();
  try {
    for (const [name, model] of entries) {
      students.set(name, await SceneStudent.create(device, model, maker.options.size));
    }
    for (let index = 0; index < total; index++) {
      signal?.throwIfAborted();
      const scene = maker.scene(options.seed, index);
      const truth = scene.labels.data;
      for (const [name, student] of students) {
        const output = await student.predict(scene.image);
        const labels = studentLabels(output, vocabulary, options.scoring);
        statistics.get(name)?.add(scene, output);
        const score = new SegmentationScore(maker.names.length + 1, 0);
        score.add(labels, truth);
        const objects = namesFound(labels, truth).there.filter(({ label }) => label <= maker.objectCount);
        counted
          .get(name)
          ?.push({ score, found: objects.filter(({ isFound }) => isFound).length, there: objects.length });
      }
      const done = index + 1;
      const now = performance.now();
      if (limit && done === MEASURED[0]) marked = now;
      if (limit && done === MEASURED[1]) {
        const each = (now - marked) / 1000 / (MEASURED[1] - MEASURED[0]);
        const fitting = done + Math.floor((limit.seconds - (now - began) / 1000) / each);
        total = Math.min(options.count, Math.max(limit.min, fitting));
      }
      if (!limit || done >= MEASURED[1] || done === total) options.onProgress?.({ done, total });
    }
  } finally {
    for (const student of students.values()) student.dispose();
  }
  return {
    scenes: total,
    students: Object.fromEntries(
      entries.map(([name]): [string, LiveScore] => {
        const own = counted.get(name) as Counted[];
        const means = (statistics.get(name) as StatisticsCollector).means();
        return [name, { ...estimate(own, maker), statistics: means }];
      }),
    ),
  };
}

const measures = ['objects', 'ground', 'accuracy', 'found'] as const;
type Measured = Readonly<Record<(typeof measures)[number], number | null>>;

function estimate(scenes: readonly Counted[], maker: SceneMaker): Omit<LiveScore, 'statistics'> {
  const all = measured(scenes, maker);
  const without = scenes.map((_, left) =>
    measured(
      scenes.filter((_, i) => i !== left),
      maker,
    ),
  );
  const of = (measure: (typeof measures)[number]): Estimate | null => {
    const value = all[measure];
    if (value === null) return null;
    const reach = NORMAL_95 * jackknifeError(without.flatMap((one) => one[measure] ?? []));
    return { value, low: Math.max(0, value - reach), high: Math.min(1, value + reach) };
  };
  const sum = (key: 'found' | 'there'): number => scenes.reduce((total, scene) => total + scene[key], 0);
  return {
    objects: of('objects'),
    ground: of('ground'),
    accuracy: of('accuracy'),
    found: of('found'),
    objectsFound: sum('found'),
    objectsThere: sum('there'),
  };
}

/** The standard error of a statistic, out of what it is when each sample is left out in turn. */
export function jackknifeError(values: readonly number[]): number {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  return n < 2 ? 0 : Math.sqrt(((n - 1) / n) * values.reduce((sum, value) => sum + (value - mean) ** 2, 0));
}

function measured(scenes: readonly Counted[], maker: SceneMaker): Measured {
  const score = new SegmentationScore(maker.names.length + 1, 0);
  let [found, there] = [0, 0];
  for (const scene of scenes) {
    score.merge(scene.score);
    found += scene.found;
    there += scene.there;
  }
  return { ...sceneScore(score, maker.objectCount), found: there === 0 ? null : found / there };
}
