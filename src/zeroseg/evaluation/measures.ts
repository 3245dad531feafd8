import { ArgumentError } from '../../gpu/index.ts';
import { random } from '../../nn/layers/index.ts';
import type { LabelMap } from '../image/index.ts';
import { BoundaryScore } from './boundary.ts';
import { SegmentationScore } from './iou.ts';

/** Where a measure is, and where 95 % of the resamples are. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** What a photo adds to a score: counts of the classes that are in it. */
interface PhotoCounts {
  readonly classes: Uint32Array;
  /** Intersection, predicted and labelled of each of them, in turn. */
  readonly counts: Float64Array;
}

/** Measures that have intervals. */
const intervalMeasures = {
  meanIou: (score: SegmentationScore) => score.meanIou(),
  meanIouWithoutBackground: (score: SegmentationScore) => score.meanIou({ background: false }),
  frequencyWeightedIou: (score: SegmentationScore) => score.frequencyWeightedIou(),
  pixelAccuracy: (score: SegmentationScore) => score.pixelAccuracy(),
} as const satisfies Record<IntervalMeasure, (score: SegmentationScore) => number | null>;

export type IntervalMeasure = 'meanIou' | 'meanIouWithoutBackground' | 'frequencyWeightedIou' | 'pixelAccuracy';

/** How {@link EvaluationMeasures.intervals} draws. */
export interface BootstrapOptions {
  /** How often a data set is drawn anew. Default 1000. */
  readonly resamples?: number | undefined;
  /** Default 1. */
  readonly seed?: number | undefined;
}

/**
 * All that is said of a segmentation of a data set: areas (IoU), outlines (boundary F-score), and how sure that is.
 *
 * ```ts
 * const measures = new EvaluationMeasures(21);
 * await evaluate(segmenter, photos, vocabulary, { thresholds: [0.95], onPhoto: (photo) => measures.add(photo.prediction, photo.labels) });
 * measures.score.meanIou(); // 0.41
 * measures.boundary.mean(); // 0.3
 * measures.intervals().meanIou; // { low: 0.39, high: 0.43 }
 * ```
 */
export class EvaluationMeasures {
  readonly score: SegmentationScore;
  readonly boundary: BoundaryScore;
  readonly #ignore: number | undefined;
  readonly #photos: PhotoCounts[] = [];

  constructor(classes: number, ignore?: number) {
    this.score = new SegmentationScore(classes, ignore);
    this.boundary = new BoundaryScore(classes, { ignore });
    this.#ignore = ignore;
  }

  /** Counts one photo. Throws before it counts anything. */
  add(prediction: LabelMap, labels: LabelMap): void {
    const own = new SegmentationScore(this.score.classes, this.#ignore);
    own.add(prediction.data, labels.data);
    this.boundary.add(prediction, labels);
    this.score.merge(own);
    const classes = Uint32Array.from([...own.union().keys()].filter((c) => own.predicted[c]! + own.labelled[c]! > 0));
    const counts = Float64Array.from(
      [...classes].flatMap((c) => [own.intersection[c]!, own.predicted[c]!, own.labelled[c]!]),
    );
    this.#photos.push({ classes, counts });
  }

  /**
   * 95 % intervals by the bootstrap: as many photos as there are, drawn from them with replacement, over and over; from the 2.5 to the 97.5
   * percentile of what the measures then are. Null where a measure is, or where there are fewer than two photos.
   *
   * They say how much of a score is the choice of the photos, and nothing about other trainings of the model.
   */
  intervals({ resamples = 1000, seed = 1 }: BootstrapOptions = {}): Readonly<Record<IntervalMeasure, Interval | null>> {
    if (!Number.isInteger(resamples) || resamples < 1 || resamples > 1e6) {
      throw new ArgumentError(`EvaluationMeasures.intervals: resamples must be from 1 to a million; got ${resamples}`);
    }
    const names = Object.keys(intervalMeasures) as IntervalMeasure[];
    const values = new Map(names.map((name) => [name, [] as number[]]));
    const photos = this.#photos;
    const uniform = random(seed, 'bootstrap');
    for (let i = 0; i < resamples && photos.length > 1; i++) {
      const drawn = new SegmentationScore(this.score.classes, this.#ignore);
      for (let n = 0; n < photos.length; n++) addCounts(drawn, photos[Math.floor(uniform() * photos.length)]!);
      for (const name of names) {
        const value = intervalMeasures[name](drawn);
        if (value !== null) values.get(name)!.push(value);
      }
    }
    return Object.fromEntries(names.map((name) => [name, percentiles(values.get(name)!)])) as Record<
      IntervalMeasure,
      Interval | null
    >;
  }
}

function addCounts(score: SegmentationScore, { classes, counts }: PhotoCounts): void {
  for (let i = 0; i < classes.length; i++) {
    const c = classes[i]!;
    score.intersection[c]! += counts[3 * i]!;
    score.predicted[c]! += counts[3 * i + 1]!;
    score.labelled[c]! += counts[3 * i + 2]!;
  }
}

function percentiles(values: number[]): Interval | null {
  if (values.length === 0) return null;
  values.sort((a, b) => a - b);
  // Between the two values beside, as numpy.percentile.
  const at = (fraction: number): number => {
    const place = fraction * (values.length - 1);
    const [low, high] = [values[Math.floor(place)]!, values[Math.ceil(place)]!];
    return low + (high - low) * (place - Math.floor(place));
  };
  return { low: at(0.025), high: at(0.975) };
}
