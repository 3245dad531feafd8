import { checkClassCount, checkPixels, ignoreLabel, ScoreError } from './iou.ts';

/** 134 MB of counts. */
const MAX_CLASSES = 4096;

/** Pixels of one class that were taken for another. */
export interface Confusion {
  readonly truth: number;
  readonly predicted: number;
  readonly pixels: number;
  /** Of the pixels that are labelled `truth`, 0..1. */
  readonly fraction: number;
}

/**
 * What each class was taken for: `counts[truth * classes + predicted]` pixels, summed over a data set. Its diagonal, rows and columns are
 * intersection, labelled and predicted of a `SegmentationScore`.
 *
 * ```ts
 * const confusion = new ConfusionMatrix(3);
 * confusion.add(Uint8Array.of(0, 2, 2), Uint8Array.of(0, 1, 2));
 * confusion.worst(1); // [{ truth: 1, predicted: 2, pixels: 1, fraction: 1 }]
 * ```
 */
export class ConfusionMatrix {
  readonly classes: number;
  readonly counts: Float64Array;
  readonly #ignore: number;

  constructor(classes: number, ignore: number = ignoreLabel) {
    checkClassCount('ConfusionMatrix', classes, MAX_CLASSES);
    this.classes = classes;
    this.#ignore = ignore;
    this.counts = new Float64Array(classes * classes);
  }

  /** Counts one image; both maps hold class numbers, in the same order of pixels. Throws before it counts anything. */
  add(prediction: ArrayLike<number>, labels: ArrayLike<number>): void {
    const { classes, counts } = this;
    checkPixels('ConfusionMatrix.add', prediction, labels);
    const isClass = (value: number): boolean => Number.isInteger(value) && value >= 0 && value < classes;
    for (let i = 0; i < labels.length; i++) {
      const [label, guess] = [labels[i]!, prediction[i]!];
      if (label === this.#ignore || (isClass(label) && isClass(guess))) continue;
      throw new ScoreError(
        `ConfusionMatrix.add: label ${label} or predicted class ${guess} at pixel ${i} is not one of the ${classes} classes (ignored: ${this.#ignore})`,
      );
    }
    for (let i = 0; i < labels.length; i++) {
      if (labels[i] !== this.#ignore) counts[labels[i]! * classes + prediction[i]!]!++;
    }
  }

  /** Pixels labelled with each class. */
  labelled(): Float64Array {
    return Float64Array.from({ length: this.classes }, (_, c) =>
      this.counts.subarray(c * this.classes, (c + 1) * this.classes).reduce((sum, value) => sum + value, 0),
    );
  }

  /** What takes the most pixels away, the largest first. */
  worst(max: number): Confusion[] {
    const labelled = this.labelled();
    const found: Confusion[] = [];
    for (let truth = 0; truth < this.classes; truth++) {
      for (let predicted = 0; predicted < this.classes; predicted++) {
        const pixels = this.counts[truth * this.classes + predicted]!;
        if (truth !== predicted && pixels > 0)
          found.push({ truth, predicted, pixels, fraction: pixels / labelled[truth]! });
      }
    }
    return found.sort((a, b) => b.pixels - a.pixels || a.truth - b.truth || a.predicted - b.predicted).slice(0, max);
  }
}
