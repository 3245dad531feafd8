import { ZeroSegError } from '../../gpu/index.ts';
/** The label that is left out of every score: object borders and what annotators could not tell. */
export const ignoreLabel = 255;

/** What labels of 16 bits can tell apart. */
const MAX_CLASSES = 65_536;

/** Label maps do not fit together or hold classes that are not counted. */
export class ScoreError extends ZeroSegError {
  override readonly name = 'ScoreError';
  readonly code = 'score';
}

/**
 * Intersection over union, summed over a whole data set, as MMSegmentation counts it. For class c:
 *
 *     intersection = pixels predicted c and labelled c
 *     union        = predicted c + labelled c - intersection
 *
 * both only where the label is not 255. Counts are doubles and exact up to 2^53 pixels.
 *
 * ```ts
 * const score = new SegmentationScore(21);
 * for (const { prediction, labels } of results) score.add(prediction, labels);
 * score.meanIou();                       // all classes that occur, background included
 * score.meanIou({ background: false });  // without class 0
 * ```
 */
export class SegmentationScore {
  readonly classes: number;
  /** Label maps added so far. */
  images = 0;
  readonly intersection: Float64Array;
  readonly predicted: Float64Array;
  readonly labelled: Float64Array;
  readonly #ignore: number;

  constructor(classes: number, ignore: number = ignoreLabel) {
    checkClassCount('SegmentationScore', classes, MAX_CLASSES);
    this.classes = classes;
    this.#ignore = ignore;
    this.intersection = new Float64Array(classes);
    this.predicted = new Float64Array(classes);
    this.labelled = new Float64Array(classes);
  }

  /** Counts one image; both maps hold class numbers, in the same order of pixels. Throws before it counts anything. */
  add(prediction: ArrayLike<number>, labels: ArrayLike<number>): void {
    checkPixels('SegmentationScore.add', prediction, labels);
    for (let i = 0; i < labels.length; i++) {
      if (labels[i] === this.#ignore) continue;
      this.#check('label', labels[i]!, i);
      this.#check('predicted class', prediction[i]!, i);
    }
    for (let i = 0; i < labels.length; i++) {
      const label = labels[i]!;
      if (label === this.#ignore) continue;
      const guess = prediction[i]!;
      this.labelled[label]!++;
      this.predicted[guess]!++;
      if (guess === label) this.intersection[label]!++;
    }
    this.images++;
  }

  #check(what: string, value: number, pixel: number): void {
    if (Number.isInteger(value) && value >= 0 && value < this.classes) return;
    throw new ScoreError(
      `SegmentationScore.add: ${what} ${value} at pixel ${pixel} is not one of the ${this.classes} classes (ignored: ${this.#ignore})`,
    );
  }

  /** Adds the counts of another score of the same classes, so that parts of a data set can be counted apart. */
  merge(other: SegmentationScore): void {
    if (other.classes !== this.classes) {
      throw new ScoreError(
        `SegmentationScore.merge: both must count as many classes; got ${this.classes} and ${other.classes}`,
      );
    }
    this.images += other.images;
    for (let c = 0; c < this.classes; c++) {
      this.intersection[c]! += other.intersection[c]!;
      this.predicted[c]! += other.predicted[c]!;
      this.labelled[c]! += other.labelled[c]!;
    }
  }

  /** Union of each class, in pixels. */
  union(): Float64Array {
    return this.intersection.map((common, c) => this.predicted[c]! + this.labelled[c]! - common);
  }

  /** Intersection over union of each class; null for one that was neither predicted nor labelled. */
  iou(): (number | null)[] {
    const union = this.union();
    return Array.from(this.intersection, (common, c) => (union[c] === 0 ? null : common / union[c]!));
  }

  /**
   * Plain mean over the classes that occur. With `background: false`, class 0 is left out of the mean; its pixels still
   * count as misses of the others. Null when no class is left.
   */
  meanIou({ background = true }: { background?: boolean } = {}): number | null {
    const present = this.iou().filter((value, c) => value !== null && (background || c > 0)) as number[];
    return present.length === 0 ? null : present.reduce((sum, value) => sum + value, 0) / present.length;
  }

  /** Mean of the IoUs by how much of the pixels each class is labelled: `Σ labelled · IoU / Σ labelled`; null when none was counted. */
  frequencyWeightedIou(): number | null {
    const total = this.labelled.reduce((sum, value) => sum + value, 0);
    if (total === 0) return null;
    return this.iou().reduce<number>((sum, value, c) => sum + (value ?? 0) * this.labelled[c]!, 0) / total;
  }

  /** Fraction of the counted pixels whose class is right; null when none was counted. */
  pixelAccuracy(): number | null {
    const total = this.labelled.reduce((sum, value) => sum + value, 0);
    return total === 0 ? null : this.intersection.reduce((sum, value) => sum + value, 0) / total;
  }
}

/** @throws ScoreError when there cannot be so many classes. */
export function checkClassCount(op: string, classes: number, max: number): void {
  if (Number.isInteger(classes) && classes >= 1 && classes <= max) return;
  throw new ScoreError(`${op}: the number of classes must be a whole number from 1 to ${max}; got ${classes}`);
}

/** @throws ScoreError when two label maps are not of one size. */
export function checkPixels(op: string, prediction: ArrayLike<number>, labels: ArrayLike<number>): void {
  if (prediction.length === labels.length) return;
  throw new ScoreError(
    `${op}: prediction and labels must have as many pixels; got ${prediction.length} and ${labels.length}`,
  );
}
