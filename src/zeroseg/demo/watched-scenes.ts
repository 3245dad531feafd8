/// <reference lib="esnext.disposable" preserve="true" />
/** How well a student that is being trained names scenes that it does not learn from. */
import type { Device } from '../../gpu/index.ts';
import type { Vocabulary } from '../clip/index.ts';
import { SegmentationScore } from '../evaluation/index.ts';
import type { LabelMap } from '../image/index.ts';
import type { ScoringOptions } from '../inference/index.ts';
import type { ZeroSeg } from '../model/index.ts';
import type { Scene } from '../scenes/index.ts';
import { SceneStudent, StatisticsCollector, type StudentOutput, studentLabels } from '../studies/index.ts';

/** The student after some step, on scenes that it never learns from. */
export interface Measurement {
  readonly step: number;
  /** Means over the scenes: segments in use, and things there are; share of pixels named right. */
  readonly used: number;
  readonly things: number;
  readonly accuracy: number;
  /** Its output for the first of them. */
  readonly output: StudentOutput;
  /** What pixels of each scene are named: c + 1 for the c-th name. */
  readonly labels: readonly LabelMap[];
}

export interface WatchedScenesOptions {
  /** All of one size, a multiple of the student's patch. */
  readonly scenes: readonly Scene[];
  /** Of the scenes' names. */
  readonly vocabulary: Vocabulary;
  readonly scoring: Omit<ScoringOptions, 'scale'>;
}

/**
 * Measures a student on a few scenes, again and again while it is trained.
 *
 * ```ts
 * using watched = await WatchedScenes.create(device, model, { scenes, vocabulary, scoring });
 * const { accuracy } = await watched.measure(trainer.done); // 0.31
 * ```
 */
export class WatchedScenes implements Disposable {
  readonly #student: SceneStudent;
  readonly #options: WatchedScenesOptions;

  private constructor(student: SceneStudent, options: WatchedScenesOptions) {
    this.#student = student;
    this.#options = options;
  }

  static async create(device: Device, model: ZeroSeg, options: WatchedScenesOptions): Promise<WatchedScenes> {
    return new WatchedScenes(await SceneStudent.create(device, model, options.scenes[0]?.image.width), options);
  }

  async measure(step: number): Promise<Measurement> {
    const { scenes, vocabulary, scoring } = this.#options;
    const score = new SegmentationScore(vocabulary.names.length + 1, 0);
    const statistics = new StatisticsCollector(vocabulary, 0);
    let output: StudentOutput | undefined;
    const labels: LabelMap[] = [];
    for (const scene of scenes) {
      const predicted = await this.#student.predict(scene.image);
      statistics.add(scene, predicted);
      const data = studentLabels(predicted, vocabulary, scoring);
      score.add(data, scene.labels.data);
      const { width, height } = scene.labels;
      labels.push({ width, height, data });
      output ??= predicted;
    }
    const { groupsUsed: used, things } = statistics.means();
    return { step, used, things, accuracy: score.pixelAccuracy() ?? 0, output: output as StudentOutput, labels };
  }

  dispose(): void {
    this.#student.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
