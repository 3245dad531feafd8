/** The score of one trained student, without baselines. */
import type { Device } from '../../gpu/index.ts';
import { chanceScores } from '../baselines/index.ts';
import type { Vocabulary } from '../clip/index.ts';
import { SegmentationScore } from '../evaluation/index.ts';
import { meanOf } from '../host/index.ts';
import type { ZeroSeg } from '../model/index.ts';
import type { SceneMaker } from '../scenes/index.ts';
import { VALIDATION_IOU, type Validator } from '../training/index.ts';
import { sceneScore } from './score-scenes.ts';
import { SceneStudent, StatisticsCollector, type StudentStatistics, studentLabels } from './student-output.ts';

/** What a trained student scores on unseen scenes: fractions in 0..1, null where nothing occurs. */
export interface RunScore extends Pick<StudentStatistics, 'groupsUsed' | 'namesPresent'> {
  /** Mean IoU over all names, objects and ground. */
  readonly all: number | null;
  readonly objects: number | null;
  readonly ground: number | null;
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
export async function scoreRun(device: Device, model: ZeroSeg, options: RunScoreOptions): Promise<RunScore> {
  using student = await SceneStudent.create(device, model, options.scenes.options.size);
  return await scoreStudent(student, options);
}

/** The score of a student that is there. */
async function scoreStudent(
  student: SceneStudent,
  { scenes, seed, count, vocabulary }: RunScoreOptions,
): Promise<RunScore> {
  const { objectCount, names } = scenes;
  // Ground without a name does not count.
  const score = new SegmentationScore(names.length + 1, 0);
  const statistics = new StatisticsCollector(vocabulary, objectCount);
  for (let index = 0; index < count; index++) {
    const scene = scenes.scene(seed, index);
    const view = await student.predict(scene.image);
    score.add(studentLabels(view, vocabulary, { scoring: 'softmax', top: 5 }), scene.labels.data);
    statistics.add(scene, view);
  }
  const { groupsUsed, namesPresent } = statistics.means();
  return {
    all: meanOf(score.iou().slice(1)),
    ...sceneScore(score, objectCount),
    groupsUsed,
    namesPresent,
    chance: meanOf(chanceScores(score.labelled).iou.slice(1)),
  };
}

/** What each number of a validation is called. */
const validationNames = {
  all: VALIDATION_IOU,
  objects: 'validation objects',
  ground: 'validation ground',
  accuracy: 'validation pixels right',
} as const;

export const sceneMeasures: readonly string[] = Object.values(validationNames);

/**
 * Scores a model on the same scenes again and again while it trains, as {@link scoreRun} does once.
 *
 * ```ts
 * using validation = await SceneValidation.create(device, model, { scenes, seed: VALIDATION_SEED, count: 50, vocabulary });
 * await validation.measure(); // { 'validation mean IoU': 0.31, 'validation objects': 0.22, … }
 * ```
 */
export class SceneValidation implements Validator {
  readonly #student: SceneStudent;
  readonly #options: RunScoreOptions;

  private constructor(student: SceneStudent, options: RunScoreOptions) {
    this.#student = student;
    this.#options = options;
  }

  static async create(device: Device, model: ZeroSeg, options: RunScoreOptions): Promise<SceneValidation> {
    return new SceneValidation(await SceneStudent.create(device, model, options.scenes.options.size), options);
  }

  async measure(): Promise<Readonly<Record<string, number>>> {
    const score = await scoreStudent(this.#student, this.#options);
    const names = Object.keys(validationNames) as (keyof typeof validationNames)[];
    // What no scene shows has no score.
    return Object.fromEntries(
      names.flatMap((name) => (score[name] === null ? [] : [[validationNames[name], score[name]]])),
    );
  }

  [Symbol.dispose](): void {
    this.#student.dispose();
  }
}
