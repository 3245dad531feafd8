/// <reference lib="esnext.disposable" preserve="true" />
/** Students and what they are compared with, scored on made-up scenes whose every pixel is known. */
import type { Device } from '../gpu/device.ts';
import { readAll } from '../tensor/read.ts';
import { type Step, step } from '../tensor/step.ts';
import type { Tensor } from '../tensor/tensor.ts';
import {
  chanceScores,
  denseLabels,
  enlargeLabels,
  kMeans,
  majorityLabels,
  meanRows,
  nearestNames,
  type PatchGrid,
  unitRows,
} from './baselines.ts';
import type { ClipVision } from './clip.ts';
import { clipMean, clipStd, type Image, imagenetMean, imagenetStd, PixelError, toTensor } from './image.ts';
import { SegmentationScore } from './metric.ts';
import type { Trace, ZeroSeg } from './model.ts';
import type { Scene, SceneMaker } from './scenes/scene.ts';
import { classAffinity, indexOfMaximum, type ScoringOptions } from './scoring.ts';
import { pixelSegments, type Vocabulary } from './segmenter.ts';
import { Teacher } from './teacher.ts';
import { teacherViews } from './views.ts';

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

/** The mean of what is there; null where nothing is. */
export function meanOf(values: readonly (number | null)[]): number | null {
  const present = values.filter((value) => value !== null);
  return present.length === 0 ? null : present.reduce((sum, value) => sum + value, 0) / present.length;
}

/** What a student makes of one picture, read from the GPU. */
export interface StudentView {
  /** Segments g `[S, C]`, and the image embedding z `[C]`. */
  readonly segments: Float32Array;
  readonly global: Float32Array;
  /** Each patch's distribution over segments `[S, rows · cols]`. */
  readonly rollout: Float32Array;
  /** The two stages without noise: `[G, rows · cols]` and `[S, G]`; and G. */
  readonly softMaps: readonly [Float32Array, Float32Array];
  readonly groups: number;
  /** Features of the patches out of the encoder, `[rows · cols, dim]`. */
  readonly patches: Float32Array;
  readonly grid: PatchGrid;
}

type StudentTensors = Record<'segments' | 'global' | 'rollout' | 'first' | 'second' | 'latent', Tensor>;

/**
 * A student that looks at square pictures of one size, without masks and without noise.
 *
 * ```ts
 * using student = await SceneStudent.create(device, model, 128);
 * groupUse(await student.look(scene.image)).used; // 5
 * ```
 */
export class SceneStudent implements Disposable {
  readonly size: number;
  readonly #model: ZeroSeg;
  readonly #step: Step<'image', StudentTensors>;

  private constructor(model: ZeroSeg, size: number, run: Step<'image', StudentTensors>) {
    this.#model = model;
    this.size = size;
    this.#step = run;
  }

  /** `size`: side of the pictures, a multiple of the model's patch. Default: twice that of training, as section 11 says. */
  static async create(device: Device, model: ZeroSeg, size: number = 2 * model.config.image): Promise<SceneStudent> {
    const { patch, chans } = model.config;
    if (size % patch !== 0) {
      throw new PixelError(`SceneStudent: size must be a multiple of the student's patches of ${patch}; got ${size}`);
    }
    const run = await step(
      device,
      { image: [1, chans, size, size] },
      ({ image }) => {
        let latent: Tensor | undefined;
        const keep: Trace = (name, t) => {
          if (name === 'latent') latent = t;
        };
        const { segments, global, rollout, softMaps } = model.segment(image, keep);
        const [first, second] = softMaps as [Tensor, Tensor];
        return { segments, global, rollout, first, second, latent: latent as Tensor };
      },
      { name: 'student' },
    );
    return new SceneStudent(model, size, run);
  }

  async look(image: Image): Promise<StudentView> {
    const { size } = this;
    if (image.width !== size || image.height !== size) {
      throw new PixelError(
        `SceneStudent.look: the picture must be ${size} x ${size}; got ${image.width} x ${image.height}`,
      );
    }
    const found = this.#step({ image: toTensor(image, imagenetMean, imagenetStd) });
    const [segments, global, rollout, first, second, latent] = (await readAll([
      found.segments,
      found.global,
      found.rollout,
      found.first,
      found.second,
      found.latent,
    ])) as [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];
    const { patch, dim, seg_use_cls, output_groups } = this.#model.config;
    const side = size / patch;
    const withoutCls = seg_use_cls ? dropFirst(first, side * side + 1) : first;
    return {
      segments,
      global,
      rollout,
      softMaps: [withoutCls, second],
      groups: output_groups[0] as number,
      // The class token is the first row.
      patches: latent.subarray(dim),
      grid: { rows: side, cols: side, height: size, width: size },
    };
  }

  dispose(): void {
    this.#step.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Rows of `length` without their first value. */
function dropFirst(rows: Float32Array, length: number): Float32Array {
  return rows.filter((_, at) => at % length !== 0);
}

/** How a student divides a picture. */
export interface GroupUse {
  /** The final segment of each patch, by the largest of either stage (hard, without noise). */
  readonly segmentOf: Uint32Array;
  /** How many segments have a patch. */
  readonly used: number;
  /** Mean entropy, in nats, of a patch's distribution over segments; and of each stage's assignment. 0 is certain. */
  readonly entropy: number;
  readonly stages: readonly [number, number];
}

/** Reads the two assignments of a {@link StudentView}. */
export function groupUse({
  rollout,
  softMaps,
  groups,
}: Pick<StudentView, 'rollout' | 'softMaps' | 'groups'>): GroupUse {
  const [first, second] = softMaps;
  const patches = first.length / groups;
  const finals = second.length / groups;
  const column = (map: Float32Array, rows: number, at: number): number[] =>
    Array.from({ length: rows }, (_, row) => map[(row * map.length) / rows + at]!);
  const segmentOf = Uint32Array.from({ length: patches }, (_, p) =>
    indexOfMaximum(column(second, finals, indexOfMaximum(column(first, groups, p)))),
  );
  const entropyOf = (map: Float32Array, rows: number): number => {
    const columns = map.length / rows;
    let sum = 0;
    for (const share of map) if (share > 0) sum -= share * Math.log(share);
    return sum / columns;
  };
  return {
    segmentOf,
    used: new Set(segmentOf).size,
    entropy: entropyOf(rollout, finals),
    stages: [entropyOf(first, groups), entropyOf(second, finals)],
  };
}

/** The nearest view of each segment by mean absolute difference, as in the matching loss: `segments` `[S, C]`, `views` `[V, C]`. */
export function nearestViews(segments: Float32Array, views: Float32Array, width: number): number[] {
  return Array.from({ length: segments.length / width }, (_, s) => {
    const near = Float64Array.from({ length: views.length / width }, (_, v) => {
      let sum = 0;
      for (let i = 0; i < width; i++) sum -= Math.abs(segments[s * width + i]! - views[v * width + i]!);
      return sum;
    });
    return indexOfMaximum(near);
  });
}

/**
 * For each grid the share of segments whose nearest view is of it. Only segments that have patches, the `used` ones, count.
 * `views` are those of `grids`, in their order.
 */
export function nearestGrids(
  segments: Float32Array,
  views: Float32Array,
  width: number,
  grids: readonly number[],
  used: Iterable<number>,
): number[] {
  const gridOf = grids.flatMap((k, g) => new Array<number>(k * k).fill(g));
  const nearest = nearestViews(segments, views, width);
  const counts = grids.map(() => 0);
  const those = [...new Set(used)];
  for (const s of those) counts[gridOf[nearest[s]!]!]!++;
  return counts.map((count) => (those.length === 0 ? 0 : count / those.length));
}

/** The label of each pixel as a student says: that of its segment (section 11.3), 1 + the index of a name. */
export function studentLabels(
  { segments, global, rollout, grid }: StudentView,
  { names, embeddings, scale }: Vocabulary,
  { scoring, top }: Omit<ScoringOptions, 'scale'>,
): Uint16Array {
  const affinity = classAffinity(segments, global, embeddings, { scale, top, scoring });
  const labelOf = Array.from({ length: segments.length / global.length }, (_, s) => {
    return 1 + indexOfMaximum(affinity.subarray(s * names.length, (s + 1) * names.length));
  });
  const { rows, cols, height, width } = grid;
  return Uint16Array.from(pixelSegments(rollout, rows, cols, height, width), (segment) => labelOf[segment]!);
}

/** A student's scores on scenes, and how it divides them. Means over scenes. */
export interface StudentScore extends SceneScore {
  /** How segments were named, and what the other ways score on the same segments. */
  readonly scoring: ScoringOptions['scoring'];
  readonly others: Readonly<Partial<Record<ScoringOptions['scoring'], SceneScore>>>;
  /** Segments in use, and things there are to be told apart: labels in the picture. */
  readonly groupsUsed: number;
  readonly things: number;
  /** See {@link GroupUse}. */
  readonly entropy: { readonly rollout: number; readonly first: number; readonly second: number };
  /** Share of scenes with objects in which the object that z is nearest to is there. */
  readonly namesPresent: number | null;
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

export interface ScoreScenesOptions {
  /** Makes the scenes: those of index 0 to `count − 1` of `seed`. Its names are the vocabulary's. */
  readonly scenes: SceneMaker;
  readonly seed: number;
  readonly count: number;
  readonly vocabulary: Vocabulary;
  readonly teacher: ClipVision;
  readonly students: Readonly<Record<string, ZeroSeg>>;
  /** Of which student patches are clustered. Default: the first. */
  readonly clustered?: string;
  readonly scoring?: ScoringOptions['scoring'];
  readonly top?: number;
  /** Told after every scene; ends the scoring by returning false. */
  readonly progress?:
    | ((done: number, scores: ReadonlyMap<string, SegmentationScore>) => boolean | undefined)
    | undefined;
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
 * Students and `ceiling` are drawn alike: bilinear maps and the largest.
 */
export async function scoreScenes(device: Device, options: ScoreScenesOptions): Promise<SceneScores> {
  const { scenes, vocabulary, teacher: vision, scoring = 'softmax', top = 5 } = options;
  const { embeddings } = vocabulary;
  const names = scenes.names.length;
  if (vocabulary.names.length !== names) {
    throw new RangeError(
      `scoreScenes: the vocabulary must hold the scenes' ${names} names; it holds ${vocabulary.names.length}`,
    );
  }
  const entries = Object.entries(options.students);
  const clustered = options.clustered ?? entries[0]?.[0];
  const scores = new Map<string, SegmentationScore>();
  const scoreOf = (method: string): SegmentationScore => {
    let score = scores.get(method);
    // Ground without a name does not count.
    if (!score) scores.set(method, (score = new SegmentationScore(names + 1, 0)));
    return score;
  };
  const size = scenes.options.size ?? 64;
  const width = vision.config.projection;
  const habits = new Map(entries.map(([name]) => [name, new Habits()]));
  const students = await Promise.all(
    entries.map(async ([name, model]) => [name, await SceneStudent.create(device, model, size)] as const),
  );
  using dense = await DenseTeacher.create(device, vision, size);
  using teacher = await Teacher.create(device, vision, { batch: GRIDS.reduce((sum, k) => sum + k * k, 0) });
  let done = 0;
  try {
    for (let index = 0; index < options.count; index++) {
      const scene = scenes.scene(options.seed, index);
      const count = (method: string, labels: ArrayLike<number>) => scoreOf(method).add(labels, scene.labels.data);
      const views = await teacher.features(teacherViews(scene.image, { grids: GRIDS, size: teacher.size }));
      const cropped = views.subarray(-CROPS * CROPS * width);
      count('crops', denseLabels(cropped, embeddings, width, { rows: CROPS, cols: CROPS, height: size, width: size }));
      const seen = await dense.look(scene.image);
      count('plain', denseLabels(seen.plain, embeddings, width, seen.grid));
      count('value', denseLabels(seen.value, embeddings, width, seen.grid));
      for (const [name, student] of students) {
        const view = await student.look(scene.image);
        for (const way of ways) count(`${name} ${way}`, studentLabels(view, vocabulary, { scoring: way, top }));
        habits.get(name)?.add(scene, view, vocabulary, scenes.objectCount, views);
        if (name !== clustered) continue;
        count('kmeans', clusterLabels(view, seen, embeddings, width, index));
        const majority = majorityLabels(scene.labels, size / view.grid.rows);
        count('ceiling', enlargeLabels(majority, view.grid));
      }
      done++;
      if (options.progress?.(done, scores) === false) break;
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
          ...(habits.get(name) as Habits).means(),
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

/** `cosine` names a segment as `softmax` does; without a threshold only these differ. */
const ways: readonly ScoringOptions['scoring'][] = ['groupvit', 'softmax'];

/** Patches in clusters, each named by the teacher's features at its patches. */
function clusterLabels(
  { patches, grid }: StudentView,
  seen: DenseView,
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

interface DenseView {
  /** `[rows · cols, C]` */
  readonly plain: Float32Array;
  readonly value: Float32Array;
  readonly grid: PatchGrid;
}

/** The teacher's features of every patch, of pictures of one size. */
class DenseTeacher implements Disposable {
  readonly #step: Step<'image', { plain: Tensor; value: Tensor }>;
  readonly #grid: PatchGrid;

  private constructor(run: Step<'image', { plain: Tensor; value: Tensor }>, grid: PatchGrid) {
    this.#step = run;
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
    return new DenseTeacher(run, { rows: size / patch, cols: size / patch, height: size, width: size });
  }

  async look(image: Image): Promise<DenseView> {
    const { plain, value } = this.#step({ image: toTensor(image, clipMean, clipStd) });
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

/** Sums of what a student does beside its labels. */
class Habits {
  #scenes = 0;
  #used = 0;
  #things = 0;
  #entropy = 0;
  #stages: [number, number] = [0, 0];
  #withObjects = 0;
  #present = 0;
  #grids: number[] = GRIDS.map(() => 0);

  add(scene: Scene, view: StudentView, { embeddings }: Vocabulary, objects: number, views: Float32Array): void {
    const width = view.global.length;
    const use = groupUse(view);
    this.#scenes++;
    this.#used += use.used;
    this.#entropy += use.entropy;
    use.stages.forEach((entropy, i) => {
      this.#stages[i as 0 | 1] += entropy;
    });
    const labels = new Set(Array.from(scene.labels.data));
    this.#things += labels.size;
    if (Array.from({ length: objects }, (_, i) => i + 1).some((label) => labels.has(label))) {
      this.#withObjects++;
      const [nearest = 0] = nearestNames(view.global, embeddings.subarray(0, objects * width), width);
      if (labels.has(nearest + 1)) this.#present++;
    }
    nearestGrids(view.segments, views, width, GRIDS, use.segmentOf).forEach((share, g) => {
      this.#grids[g]! += share;
    });
  }

  means(): Omit<StudentScore, keyof SceneScore | 'scoring' | 'others'> {
    const mean = (sum: number): number => (this.#scenes === 0 ? 0 : sum / this.#scenes);
    return {
      groupsUsed: mean(this.#used),
      things: mean(this.#things),
      entropy: { rollout: mean(this.#entropy), first: mean(this.#stages[0]), second: mean(this.#stages[1]) },
      namesPresent: this.#withObjects === 0 ? null : this.#present / this.#withObjects,
      nearestGrids: Object.fromEntries(GRIDS.map((k, g) => [`${k}x${k}`, mean(this.#grids[g]!)])),
    };
  }
}
