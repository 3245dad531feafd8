/// <reference lib="esnext.disposable" preserve="true" />
import { ArgumentError, type Device } from '../../gpu/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { readAll, type Step, step } from '../../tensor/run/index.ts';
import {
  chanceScores,
  denseLabels,
  enlargeLabels,
  kMeans,
  majorityLabels,
  meanRows,
  nearestNames,
  type PatchGrid,
} from '../baselines/index.ts';
import { type ClipVision, clipPixels, Teacher, type Vocabulary } from '../clip/index.ts';
import { SegmentationScore } from '../evaluation/index.ts';
import { meanOf, type Progress, unitRows, type WorkOptions } from '../host/index.ts';
import { type Image, PixelError, teacherViews, toTensor } from '../image/index.ts';
import type { ScoringOptions } from '../inference/index.ts';
import type { ZeroSeg } from '../model/index.ts';
import type { SceneMaker } from '../scenes/index.ts';
/** Students and what they are compared with, scored on made-up scenes whose every pixel is known. */

import {
  nearestGrids,
  SceneStudent,
  StatisticsCollector,
  type StudentOutput,
  type StudentStatistics,
  studentLabels,
} from './student-output.ts';

/** How segments are named. `cosine` names them as `softmax` does: without a threshold only these differ. */
const ways: readonly Way[] = ['groupvit', 'softmax'];
type Way = Exclude<ScoringOptions['scoring'], 'cosine'>;

/** Mean IoU over objects and over stuff, and the share of pixels that are right, each in 0..1; null where nothing occurs. */
export interface SceneScore {
  readonly objects: number | null;
  readonly stuff: number | null;
  readonly accuracy: number | null;
}

/** Scores of labels 0 (ground without a name), 1 to `objects`, and stuff after that. */
export function sceneScore(score: SegmentationScore, objects: number): SceneScore {
  return { ...meanIous(score.iou(), objects), accuracy: score.pixelAccuracy() };
}

function meanIous(iou: readonly (number | null)[], objects: number): Omit<SceneScore, 'accuracy'> {
  return { objects: meanOf(iou.slice(1, objects + 1)), stuff: meanOf(iou.slice(objects + 1)) };
}

/** A student's scores on scenes, and how it uses its segments. Means over scenes. */
export interface StudentScore extends SceneScore, StudentStatistics {
  /** How segments were named, and what the other ways score on the same segments. */
  readonly scoring: Way;
  readonly others: Readonly<Partial<Record<Way, SceneScore>>>;
  /** Share of each grid among the nearest views of segments: see {@link nearestGrids}. */
  readonly nearestGrids: Readonly<Record<string, number>>;
}

/** What students are compared with: see {@link scoreScenes}. */
export type Baseline = 'crops' | 'plain' | 'value' | 'kmeans' | 'ceiling' | 'chance';

export interface SceneScores {
  /** Scenes that were scored. */
  readonly scenes: number;
  readonly students: Readonly<Record<string, StudentScore>>;
  readonly baselines: Readonly<Record<Baseline, SceneScore>>;
}

export interface ScoreProgress extends Progress {
  /** So far, by student and way of naming, such as `fresh softmax`, and by baseline. */
  readonly scores: ReadonlyMap<string, SegmentationScore>;
}

/** When to end before all is done. */
export interface TimeLimit {
  readonly seconds: number;
  /** So many are done in any case. */
  readonly min: number;
}

export interface ScoreScenesOptions extends WorkOptions<ScoreProgress> {
  /** Makes the scenes: those of index 0 to `count − 1` of `seed`. Its names are the vocabulary's. */
  readonly scenes: SceneMaker;
  readonly seed: number;
  readonly count: number;
  readonly vocabulary: Vocabulary;
  readonly teacher: ClipVision;
  readonly students: Readonly<Record<string, ZeroSeg>>;
  /** Of which student patches are clustered. Default: the first. */
  readonly clustered?: string;
  /** Default: `softmax`. `cosine` would name segments as `softmax` does. */
  readonly scoring?: Way;
  readonly top?: number;
  /** Scores fewer than `count` scenes where time runs out. Default: none. */
  readonly limit?: TimeLimit | undefined;
}

/** Cells of the crops along a side: the finest grid, and so the last views. */
const CROPS = 4;
const GRIDS: readonly number[] = [2, 3, CROPS];
const CLUSTERS = 8;

/**
 * Scores students and baselines on the same scenes. Beside each student there are
 *
 * - `crops`: the teacher on each cell of a 4 × 4 grid, cosines with the names, enlarged bilinearly, the largest;
 * - `plain`, `value`: the teacher's features of patches at the scene's size (`ClipVision.dense`), likewise;
 * - `kmeans`: the patches of a student's encoder in eight clusters, each named by the teacher: by the mean of its `value`
 *   features, as unit vectors, over the cluster's patches;
 * - `ceiling`: every patch of the student's grid has the label that most of its pixels have; what no student can pass;
 * - `chance`: guessing, see {@link chanceScores}.
 *
 * Students and `ceiling` are drawn alike: bilinear maps and the largest. Stopped by its signal it throws the signal's reason: a
 * score of a part would be another score.
 */
export async function scoreScenes(device: Device, options: ScoreScenesOptions): Promise<SceneScores> {
  const { scenes, vocabulary, teacher: vision, scoring = 'softmax', top = 5 } = options;
  const { embeddings } = vocabulary;
  const names = scenes.names.length;
  if (vocabulary.names.length !== names) {
    throw new ArgumentError(
      `scoreScenes: the vocabulary must hold the scenes' ${names} names; it holds ${vocabulary.names.length}`,
    );
  }
  const entries = Object.entries(options.students);
  const clustered = options.clustered ?? entries[0]?.[0];
  if (options.clustered !== undefined && !Object.hasOwn(options.students, options.clustered)) {
    throw new ArgumentError(
      `scoreScenes: clustered must name one of the students ${Object.keys(options.students).join(', ')}; got ${options.clustered}`,
    );
  }
  const scores = new Map<string, SegmentationScore>();
  const scoreOf = (method: string): SegmentationScore => {
    let score = scores.get(method);
    // Ground without a name does not count.
    if (!score) scores.set(method, (score = new SegmentationScore(names + 1, 0)));
    return score;
  };
  const size = scenes.options.size ?? 64;
  const width = vision.config.projection;
  const statistics = new Map(entries.map(([name]) => [name, new StatisticsCollector(vocabulary, scenes.objectCount)]));
  const nearest = new Map(entries.map(([name]) => [name, GRIDS.map(() => 0)]));
  using dense = await DenseTeacher.create(device, vision, size);
  using teacher = await Teacher.create(device, vision, { batch: GRIDS.reduce((sum, k) => sum + k * k, 0) });
  const students = await Promise.all(
    entries.map(async ([name, model]) => [name, await SceneStudent.create(device, model, size)] as const),
  );
  const began = performance.now();
  let done = 0;
  try {
    for (let index = 0; index < options.count; index++) {
      options.signal?.throwIfAborted();
      const scene = scenes.scene(options.seed, index);
      const count = (method: string, labels: ArrayLike<number>) => scoreOf(method).add(labels, scene.labels.data);
      const views = await teacher.features(teacherViews(scene.image, { grids: GRIDS, ...teacher.pixels }));
      const cropped = views.subarray(-CROPS * CROPS * width);
      count('crops', denseLabels(cropped, embeddings, width, { rows: CROPS, cols: CROPS, height: size, width: size }));
      const seen = await dense.features(scene.image);
      count('plain', denseLabels(seen.plain, embeddings, width, seen.grid));
      count('value', denseLabels(seen.value, embeddings, width, seen.grid));
      for (const [name, student] of students) {
        const view = await student.predict(scene.image);
        for (const way of ways) count(`${name} ${way}`, studentLabels(view, vocabulary, { scoring: way, top }));
        const { segmentOf } = (statistics.get(name) as StatisticsCollector).add(scene, view);
        nearestGrids(view.segments, views, width, GRIDS, segmentOf).forEach((share, g) => {
          nearest.get(name)![g]! += share;
        });
        if (name !== clustered) continue;
        count('kmeans', clusterLabels(view, seen, embeddings, width, index));
        const majority = majorityLabels(scene.labels, size / view.grid.rows);
        count('ceiling', enlargeLabels(majority, view.grid));
      }
      done++;
      options.onProgress?.({ done, total: options.count, scores });
      const { limit } = options;
      if (limit && done >= limit.min && performance.now() - began > limit.seconds * 1000) break;
    }
  } finally {
    for (const [, student] of students) student.dispose();
  }
  const result = (method: string): SceneScore => sceneScore(scoreOf(method), scenes.objectCount);
  const chance = chanceScores(scoreOf('crops').labelled);
  return {
    scenes: done,
    students: Object.fromEntries(
      entries.map(([name]): [string, StudentScore] => [
        name,
        {
          ...result(`${name} ${scoring}`),
          scoring,
          others: Object.fromEntries(
            ways.filter((way) => way !== scoring).map((way) => [way, result(`${name} ${way}`)]),
          ),
          ...(statistics.get(name) as StatisticsCollector).means(),
          nearestGrids: Object.fromEntries(
            GRIDS.map((k, g) => [`${k}x${k}`, done === 0 ? 0 : nearest.get(name)![g]! / done]),
          ),
        },
      ]),
    ),
    baselines: {
      crops: result('crops'),
      plain: result('plain'),
      value: result('value'),
      kmeans: result('kmeans'),
      ceiling: result('ceiling'),
      chance: { ...meanIous(chance.iou, scenes.objectCount), accuracy: chance.accuracy },
    },
  };
}

/** Patches in clusters, each named by the teacher's features at its patches. */
function clusterLabels(
  { patches, grid }: StudentOutput,
  seen: DenseFeatures,
  text: Float32Array,
  width: number,
  seed: number,
): Uint16Array {
  const count = grid.rows * grid.cols;
  const { cluster, centres } = kMeans(patches, patches.length / count, CLUSTERS, seed);
  const features = unitRows(seen.value, width);
  // The teacher's patch at the middle of each of the student's; their grids may differ.
  const under = Uint32Array.from({ length: count }, (_, at) => {
    const row = Math.floor(((Math.floor(at / grid.cols) + 0.5) * seen.grid.rows) / grid.rows);
    const col = Math.floor((((at % grid.cols) + 0.5) * seen.grid.cols) / grid.cols);
    return row * seen.grid.cols + col;
  });
  const rows = new Float32Array(count * width);
  under.forEach((from, at) => {
    rows.set(features.subarray(from * width, (from + 1) * width), at * width);
  });
  const clusters = (centres.length * count) / patches.length;
  const named = nearestNames(meanRows(rows, width, cluster, clusters), text, width);
  const labels = Array.from(cluster, (c) => 1 + named[c]!);
  return enlargeLabels(labels, grid);
}

interface DenseFeatures {
  /** `[rows · cols, C]` */
  readonly plain: Float32Array;
  readonly value: Float32Array;
  readonly grid: PatchGrid;
}

/** The teacher's features of every patch, of pictures of one size. */
class DenseTeacher implements Disposable {
  readonly #step: Step<'image', { plain: Tensor; value: Tensor }>;
  readonly #pixels: ReturnType<typeof clipPixels>;
  readonly #grid: PatchGrid;

  private constructor(
    run: Step<'image', { plain: Tensor; value: Tensor }>,
    pixels: ReturnType<typeof clipPixels>,
    grid: PatchGrid,
  ) {
    this.#step = run;
    this.#pixels = pixels;
    this.#grid = grid;
  }

  static async create(device: Device, vision: ClipVision, size: number): Promise<DenseTeacher> {
    const { patch } = vision.config.vision;
    if (size % patch !== 0) {
      throw new PixelError(`scoreScenes: size must be a multiple of the teacher's patches of ${patch}; got ${size}`);
    }
    const run = await step(
      device,
      { image: [1, 3, size, size] },
      ({ image }) => ({ plain: vision.dense(image, 'plain'), value: vision.dense(image, 'value') }),
      { name: 'dense teacher' },
    );
    const grid = { rows: size / patch, cols: size / patch, height: size, width: size };
    return new DenseTeacher(run, clipPixels(vision.config), grid);
  }

  async features(image: Image): Promise<DenseFeatures> {
    const { plain, value } = this.#step({ image: toTensor(image, this.#pixels.mean, this.#pixels.std) });
    const [p, v] = (await readAll([plain, value])) as [Float32Array, Float32Array];
    return { plain: p, value: v, grid: this.#grid };
  }

  dispose(): void {
    this.#step.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
