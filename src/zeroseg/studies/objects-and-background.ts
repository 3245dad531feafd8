/** Scores over objects and background, as the paper scores PASCAL VOC: see docs/fair-test.md. */
import type { Device } from '../../gpu/index.ts';
import { SegmentationScore } from '../evaluation/index.ts';
import { meanOf } from '../host/index.ts';
import type { ZeroSeg } from '../model/index.ts';
import type { RunScoreOptions } from './score-run.ts';
import { SceneStudent, studentNames } from './student-output.ts';

/** A segment whose best name scores less is background. */
export const backgroundThresholds: readonly number[] = Array.from({ length: 20 }, (_, i) => i / 20);

/** What a student scores on scenes whose grounds have no name. */
export interface BackgroundScore {
  /** Mean IoU over background and objects at each of {@link backgroundThresholds}; null where there is none of them. */
  readonly meanIou: readonly (number | null)[];
  /** Mean IoU over objects on their pixels alone, every segment being an object's. */
  readonly objects: number | null;
}

/** Scores a student at all thresholds, each scene looked at once. Ground, the label 0, is background. */
export async function scoreBackground(
  device: Device,
  model: ZeroSeg,
  { scenes, seed, count, vocabulary }: RunScoreOptions,
): Promise<BackgroundScore> {
  const classes = scenes.names.length + 1;
  const scores = backgroundThresholds.map(() => new SegmentationScore(classes, -1));
  const objects = new SegmentationScore(classes, 0);
  using student = await SceneStudent.create(device, model, scenes.options.size);
  for (let index = 0; index < count; index++) {
    const { image, labels } = scenes.scene(seed, index);
    const { labelOf, scoreOf, segmentOf } = studentNames(await student.predict(image), vocabulary, {
      scoring: 'softmax',
      top: 5,
    });
    const labelled = (of: readonly number[]) => Uint16Array.from(segmentOf, (segment) => of[segment]!);
    objects.add(labelled(labelOf), labels.data);
    for (const [i, threshold] of backgroundThresholds.entries()) {
      scores[i]?.add(labelled(labelOf.map((label, s) => (scoreOf[s]! < threshold ? 0 : label))), labels.data);
    }
  }
  return {
    meanIou: scores.map((score) => meanOf(score.iou())),
    objects: meanOf(objects.iou().slice(1)),
  };
}

/** The index of the threshold with the best mean over runs; of equal ones the first. */
export function bestThreshold(runs: readonly Pick<BackgroundScore, 'meanIou'>[]): number {
  const means = backgroundThresholds.map((_, i) => meanOf(runs.map(({ meanIou }) => meanIou[i] ?? null)) ?? 0);
  return means.indexOf(Math.max(...means));
}
