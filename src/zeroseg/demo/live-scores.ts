/// <reference lib="esnext.disposable" preserve="true" />
/** Scores of students on unseen scenes, each with the interval that so few scenes leave open. */
import type { Device } from '../../gpu/index.ts';
import { random } from '../../nn/layers/index.ts';
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

/** A share in 0..1, and where it lies in 95 of 100 draws of as many scenes (bootstrap over scenes). */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** Null where nothing of the kind occurs. */
export interface LiveScore {
  /** Mean IoU over objects, and over stuff; share of pixels named right. */
  readonly objects: Estimate | null;
  readonly stuff: Estimate | null;
  readonly accuracy: Estimate | null;
  /** Share of the objects that were found, and how many those are. */
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
const RESAMPLES = 400;

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

const measures = ['objects', 'stuff', 'accuracy', 'found'] as const;
type Measured = Readonly<Record<(typeof measures)[number], number | null>>;

function estimate(scenes: readonly Counted[], maker: SceneMaker): Omit<LiveScore, 'statistics'> {
  const all = measured(scenes, maker);
  const draw = random(1, 'bootstrap of scenes');
  const drawn = Array.from({ length: RESAMPLES }, () =>
    measured(
      scenes.map(() => scenes[Math.floor(draw() * scenes.length)] as Counted),
      maker,
    ),
  );
  const of = (measure: (typeof measures)[number]): Estimate | null => {
    const value = all[measure];
    const values = drawn.flatMap((one) => one[measure] ?? []).sort((a, b) => a - b);
    const at = (share: number): number => values[Math.round(share * (values.length - 1))] as number;
    return value === null ? null : { value, low: at(0.025), high: at(0.975) };
  };
  const sum = (key: 'found' | 'there'): number => scenes.reduce((total, scene) => total + scene[key], 0);
  return {
    objects: of('objects'),
    stuff: of('stuff'),
    accuracy: of('accuracy'),
    found: of('found'),
    objectsFound: sum('found'),
    objectsThere: sum('there'),
  };
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
