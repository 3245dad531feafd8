/** The score of one trained student, without baselines. */
import type { Device } from '../../gpu/index.ts';
import { chanceScores } from '../baselines/index.ts';
import type { Vocabulary } from '../clip/index.ts';
import { SegmentationScore } from '../evaluation/index.ts';
import { meanOf } from '../host/index.ts';
import type { ZeroSeg } from '../model/index.ts';
import type { SceneMaker } from '../scenes/index.ts';
import { sceneScore } from './score-scenes.ts';
import { SceneStudent, StatisticsCollector, type StudentStatistics, studentLabels } from './student-output.ts';

/** What a trained student scores on unseen scenes: fractions in 0..1, null where nothing occurs. */
export interface RunScore extends Pick<StudentStatistics, 'groupsUsed' | 'namesPresent'> {
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
