/** Students and what they are compared with, scored on made-up scenes whose every pixel is known. */
import { ArgumentError, type Device } from '../../gpu/index.ts';
import { type ProcessGroup, stopTogether } from '../../nn/distributed/index.ts';
import {
  type Baseline,
  type BaselineContext,
  baselines,
  cellLabels,
  DenseTeacher,
  type GridFeatures,
  type PatchGrid,
} from '../baselines/index.ts';
import { type ClipVision, Teacher, type Vocabulary } from '../clip/index.ts';
import type { SegmentationScore } from '../evaluation/index.ts';
import { meanOf, type Progress, type WorkOptions } from '../host/index.ts';
import { teacherViews } from '../image/index.ts';
import {
  centredWords,
  checkRules,
  type ScoringOptions,
  Segmenter,
  type SegmentOptions,
  teacherLook,
} from '../inference/index.ts';
import type { ZeroSeg } from '../model/index.ts';
import type { Scene, SceneMaker } from '../scenes/index.ts';
import { refinedBaseline } from './refine-baseline.ts';
import { addCounts, type Counted, gatherCounts, noCounts, type SceneCounts } from './scene-counts.ts';
import { nearestGrids, SceneStudent, type StudentStatistics, studentLabels } from './student-output.ts';

/** How segments are named. `cosine` names them as `softmax` does: without a threshold only these differ. */
const ways: readonly Way[] = ['groupvit', 'softmax'];
type Way = Exclude<ScoringOptions['scoring'], 'cosine'>;

/** Mean IoU over objects and over ground, and the fraction of pixels that are right, each in 0..1; null where nothing occurs. */
export interface SceneScore {
  readonly objects: number | null;
  readonly ground: number | null;
  readonly accuracy: number | null;
}

/** Scores of labels 0 (ground without a name), 1 to `objects`, and ground after that. */
export function sceneScore(score: SegmentationScore, objects: number): SceneScore {
  return { ...meanIous(score.iou(), objects), accuracy: score.pixelAccuracy() };
}

function meanIous(iou: readonly (number | null)[], objects: number): Omit<SceneScore, 'accuracy'> {
  return { objects: meanOf(iou.slice(1, objects + 1)), ground: meanOf(iou.slice(objects + 1)) };
}

/** A student's scores on scenes, and how it uses its segments. Means over scenes. */
export interface StudentScore extends SceneScore, StudentStatistics {
  /** How segments were named, and what the other ways score on the same segments. */
  readonly scoring: Way;
  readonly others: Readonly<Partial<Record<Way, SceneScore>>>;
  /** Fraction of each grid among the nearest views of segments: see {@link nearestGrids}. */
  readonly nearestGrids: Readonly<Record<string, number>>;
}

export interface SceneScores {
  /** Scenes that were scored. */
  readonly scenes: number;
  readonly students: Readonly<Record<string, StudentScore>>;
  /** By the names of {@link baselines}. */
  readonly baselines: Readonly<Record<string, SceneScore>>;
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

/** See the options of `Segmenter.segment`. */
export type ScoringRules = Pick<
  SegmentOptions,
  'groups' | 'flip' | 'assignment' | 'assignmentTemperature' | 'centre' | 'prior' | 'teacherPrior' | 'refine'
>;

export interface ScoreScenesOptions extends WorkOptions<ScoreProgress> {
  /** Makes the scenes: those of index 0 to `count − 1` of `seed`. Its names are the vocabulary's. */
  readonly scenes: SceneMaker;
  readonly seed: number;
  readonly count: number;
  readonly vocabulary: Vocabulary;
  readonly teacher: ClipVision;
  /** The teacher's own factor on cosines, for `rules.teacherPrior`. Default: that of the vocabulary. */
  readonly teacherScale?: number | undefined;
  readonly students: Readonly<Record<string, ZeroSeg>>;
  /** Of which student patches are clustered. Default: the first. */
  readonly clustered?: string;
  /** Default: `softmax`. `cosine` would name segments as `softmax` does. */
  readonly scoring?: Way;
  readonly top?: number;
  /** How pictures are divided and named beyond that. What refines the students' labels refines those of all baselines too. Default: not at all. */
  readonly rules?: ScoringRules | undefined;
  /** Scores fewer than `count` scenes where time runs out, by the clock of the first process. Default: none. */
  readonly limit?: TimeLimit | undefined;
  /**
   * Processes that share the scenes, this one among them, all of which call this with the same options. Everything is counted in the first, in the
   * order of the scenes: its scores are those of one process, the scores of the others count nothing.
   */
  readonly group?: ProcessGroup | undefined;
}

/** Cells of the crops along a side: the finest grid, and so the last views. */
const CROPS = 4;
const GRIDS: readonly number[] = [2, 3, CROPS];

/**
 * Scores students, and all {@link baselines} beside them, on the same scenes. Stopped by its signal it throws the signal's reason: a
 * score of a part would be another score.
 */
export async function scoreScenes(device: Device, options: ScoreScenesOptions): Promise<SceneScores> {
  const { scenes, vocabulary, teacher: vision, scoring = 'softmax', top = 5, rules = {}, group, limit } = options;
  const { embeddings, scale } = vocabulary;
  const { teacherScale = scale } = options;
  const names = scenes.names.length;
  checkRules(rules);
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
  const counted: Counted = {
    methods: [
      ...entries.flatMap(([name]) => ways.map((way) => `${name} ${way}`)),
      ...baselines.filter(({ expected }) => !expected).map(({ name }) => name),
    ],
    students: entries.map(([name]) => name),
    ...{ vocabulary, objects: scenes.objectCount, grids: GRIDS.length },
  };
  // What names the student's segments names those of the baselines too.
  const words = centredWords(embeddings, embeddings.length / names, rules.centre ?? 0);
  const size = scenes.options.size ?? 64;
  const width = vision.config.projection;
  const cropGrid: PatchGrid = { rows: CROPS, cols: CROPS, height: size, width: size };
  using dense = await DenseTeacher.create(device, vision, size);
  using teacher = await Teacher.create(device, vision, { batch: GRIDS.reduce((sum, k) => sum + k * k, 0) });
  const students = await Promise.all(
    entries.map(async ([name, model]) => [name, await SceneStudent.create(device, model, size)] as const),
  );
  const isPlain = Object.values(rules).every((rule) => rule === undefined || rule === false);
  const segmenters = isPlain
    ? undefined
    : new Map(
        entries.map(([name, model]) => [
          name,
          new Segmenter(device, model, (photo) => teacherLook(teacher, photo, teacherScale)),
        ]),
      );
  /** All that is counted on one scene. */
  const countScene = async (index: number): Promise<SceneCounts> => {
    const counts = noCounts(counted);
    const scene = scenes.scene(options.seed, index);
    const count = (method: string, labels: ArrayLike<number>) =>
      counts.scores.get(method)!.add(labels, scene.labels.data);
    const views = await teacher.features(teacherViews(scene.image, { grids: GRIDS, ...teacher.pixels }));
    let patches: GridFeatures | undefined;
    for (const [name, student] of students) {
      const view = await student.predict(scene.image);
      const division =
        segmenters && (await segmenters.get(name)?.divide(scene.image, { mode: 'whole', short: size, ...rules }));
      for (const way of ways) {
        const labels = division
          ? (await segmenters.get(name)!.name(division, vocabulary, { scoring: way, top, ...rules })).labels.data
          : studentLabels(view, vocabulary, { scoring: way, top });
        count(`${name} ${way}`, labels);
      }
      const { statistics, nearest } = counts.students.get(name)!;
      const { segmentOf } = statistics.add(scene, view);
      nearest.set(nearestGrids(view.segments, views, width, GRIDS, segmentOf));
      if (name === clustered) patches = { features: view.patches, grid: view.grid };
    }
    const context = {
      text: words,
      width,
      crops: { features: views.subarray(-CROPS * CROPS * width), grid: cropGrid },
      dense: await dense.features(scene.image),
      student: patches,
      seed: index,
    };
    for (const baseline of baselines) {
      const labels = await baselineLabels(device, baseline, scene, context, vocabulary.scale, rules.refine);
      if (labels) count(baseline.name, labels);
    }
    return counts;
  };

  const { rank, size: processes } = group ?? { rank: 0, size: 1 };
  const all = noCounts(counted);
  const began = performance.now();
  let done = 0;
  try {
    for (let next = 0; next < options.count; next += processes) {
      await stopTogether(group, options.signal);
      const own = next + rank < options.count ? await countScene(next + rank) : noCounts(counted);
      const round = group ? await gatherCounts(group, own, counted) : [own];
      for (const counts of rank === 0 ? round.slice(0, options.count - next) : []) {
        addCounts(all, counts);
        done++;
        options.onProgress?.({ done, total: options.count, scores: all.scores });
      }
      const isLate = limit && next + processes >= limit.min && performance.now() - began > limit.seconds * 1000;
      if (limit && (await saidByFirst(group, isLate === true))) break;
    }
  } finally {
    for (const [, student] of students) student.dispose();
    for (const segmenter of segmenters?.values() ?? []) segmenter.dispose();
  }
  const result = (method: string): SceneScore => sceneScore(all.scores.get(method)!, scenes.objectCount);
  const baselineResult = ({ name, expected }: Baseline): SceneScore => {
    if (!expected) return result(name);
    // Labels of scenes are counted with every method alike.
    const { iou, accuracy } = expected([...all.scores.values()][0]?.labelled ?? []);
    return { ...meanIous(iou, scenes.objectCount), accuracy };
  };
  return {
    scenes: done,
    students: Object.fromEntries(
      [...all.students].map(([name, { statistics, nearest }]): [string, StudentScore] => [
        name,
        {
          ...result(`${name} ${scoring}`),
          scoring,
          others: Object.fromEntries(
            ways.filter((way) => way !== scoring).map((way) => [way, result(`${name} ${way}`)]),
          ),
          ...statistics.means(),
          nearestGrids: Object.fromEntries(GRIDS.map((k, g) => [`${k}x${k}`, done === 0 ? 0 : nearest[g]! / done])),
        },
      ]),
    ),
    baselines: Object.fromEntries(baselines.map((baseline) => [baseline.name, baselineResult(baseline)])),
  };
}

/** What the first process finds, in all of them. */
async function saidByFirst(group: ProcessGroup | undefined, own: boolean): Promise<boolean> {
  const said = Uint8Array.of(Number(own));
  await group?.broadcast(said);
  return said[0] === 1;
}

async function baselineLabels(
  device: Device,
  baseline: Baseline,
  scene: Scene,
  context: BaselineContext,
  scale: number,
  refine: ScoringRules['refine'],
): Promise<ArrayLike<number> | undefined> {
  const found = baseline.cells?.(context) ?? baseline.labels?.(scene, context);
  if (found && refine) return refinedBaseline(device, scene.image, found, scale, refine);
  return found && ('grid' in found ? cellLabels(found) : found);
}
