import { ArgumentError } from '../../gpu/index.ts';
import type { LabelMap } from '../image/index.ts';
import { checkClassCount, checkPixels, ignoreLabel, ScoreError } from './iou.ts';

/** What `BoundaryScore` takes beside the classes. */
export interface BoundaryOptions {
  /** The label that does not count. Default 255. */
  readonly ignore?: number | undefined;
  /** How far apart boundaries may be, as a fraction of the image's diagonal. Default 0.0075. */
  readonly tolerance?: number | undefined;
}

/**
 * The boundary F-score of Csurka et al. (BMVC 2013): how well outlines agree, which IoU, being about areas, hardly sees. Of a class in an
 * image,
 *
 *     precision = fraction of the predicted boundary that is within the tolerance of a true one
 *     recall    = fraction of the true boundary that is within the tolerance of a predicted one
 *     F         = 2 · precision · recall / (precision + recall)
 *
 * averaged over the images in which the class has a boundary in either map, then over classes. The boundary of a class is its pixels that
 * have one of another class above, below, left or right; the edge of the image is none. Distances are from pixel to pixel; the tolerance is
 * 0.75 % of the diagonal, as in the paper.
 *
 * Pixels that do not count would hide the true boundary where annotators left borders out, as PASCAL VOC's do. So the labels around grow into
 * them, a pixel at a time, and the boundary is where they meet; what is farther than the tolerance from every label stays out.
 *
 * ```ts
 * const score = new BoundaryScore(21);
 * for (const { prediction, labels } of results) score.add(prediction, labels);
 * score.mean(); // 0..1, or null
 * ```
 */
export class BoundaryScore {
  readonly classes: number;
  /** Sums of F-scores, and the images that they are of, by class. */
  readonly sum: Float64Array;
  readonly images: Float64Array;
  readonly #ignore: number;
  readonly #tolerance: number;

  constructor(classes: number, { ignore = ignoreLabel, tolerance = 0.0075 }: BoundaryOptions = {}) {
    checkClassCount('BoundaryScore', classes, 65_536);
    if (!(tolerance >= 0 && tolerance <= 0.1)) {
      throw new ArgumentError(`BoundaryScore: tolerance must be from 0 to 0.1 of the diagonal; got ${tolerance}`);
    }
    this.classes = classes;
    this.sum = new Float64Array(classes);
    this.images = new Float64Array(classes);
    this.#ignore = ignore;
    this.#tolerance = tolerance;
  }

  /** Counts one image. Throws before it counts anything. */
  add(prediction: LabelMap, labels: LabelMap): void {
    const { width, height } = labels;
    checkPixels('BoundaryScore.add', prediction.data, labels.data);
    if (prediction.width !== width) {
      throw new ScoreError(`BoundaryScore.add: widths must be equal; got ${prediction.width} and ${width}`);
    }
    const reach = this.#tolerance * Math.hypot(width, height);
    const truth = grown(labels, this.#ignore, reach);
    const found = boundaries(prediction.data, truth, width, height);
    const wanted = boundaries(truth, truth, width, height);
    const disk = diskOf(reach);
    for (const c of new Set([...found.keys(), ...wanted.keys()])) {
      if (c >= this.classes) {
        throw new ScoreError(`BoundaryScore.add: class ${c} is none of the ${this.classes}`);
      }
    }
    for (const c of new Set([...found.keys(), ...wanted.keys()])) {
      const [predicted, true_] = [found.get(c) ?? [], wanted.get(c) ?? []];
      const precision = fractionNear(predicted, true_, disk, width, height);
      const recall = fractionNear(true_, predicted, disk, width, height);
      this.sum[c]! += precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall);
      this.images[c]!++;
    }
  }

  /** The F-score of each class; null for one without a boundary. */
  scores(): (number | null)[] {
    return Array.from(this.sum, (sum, c) => (this.images[c] === 0 ? null : sum / this.images[c]!));
  }

  /** Plain mean over the classes that have boundaries. Null where there are none. */
  mean(): number | null {
    const present = this.scores().filter((score) => score !== null);
    return present.length === 0 ? null : present.reduce((sum, score) => sum + score, 0) / present.length;
  }
}

/** Nothing counts here. */
const NONE = -1;

/** The labels, grown into the pixels that do not count: from above, the left, the right, below, in this order, up to `reach` steps. */
function grown({ width, height, data }: LabelMap, ignore: number, reach: number): Int32Array {
  const truth = Int32Array.from(data, (label) => (label === ignore ? NONE : label));
  const neighbours = (at: number): number[] => {
    const x = at % width;
    return [
      at >= width ? at - width : NONE,
      x > 0 ? at - 1 : NONE,
      x < width - 1 ? at + 1 : NONE,
      at < truth.length - width ? at + width : NONE,
    ];
  };
  let open: number[] = [];
  for (let at = 0; at < truth.length; at++) if (truth[at] === NONE) open.push(at);
  for (let step = 0; step < reach && open.length > 0 && height > 0; step++) {
    const filled: [at: number, label: number][] = [];
    for (const at of open) {
      const from = neighbours(at).find((other) => other !== NONE && truth[other] !== NONE);
      if (from !== undefined) filled.push([at, truth[from]!]);
    }
    if (filled.length === 0) break;
    for (const [at, label] of filled) truth[at] = label;
    open = open.filter((at) => truth[at] === NONE);
  }
  return truth;
}

/** Pixels of each class beside another class, where both count. */
function boundaries(map: ArrayLike<number>, truth: Int32Array, width: number, height: number): Map<number, number[]> {
  const found = new Map<number, number[]>();
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      if (truth[at] === NONE) continue;
      const label = map[at]!;
      const differs = (other: number): boolean => truth[other] !== NONE && map[other] !== label;
      if (
        (y > 0 && differs(at - width)) ||
        (x > 0 && differs(at - 1)) ||
        (x < width - 1 && differs(at + 1)) ||
        (y < height - 1 && differs(at + width))
      ) {
        const others = found.get(label);
        if (others) others.push(at);
        else found.set(label, [at]);
      }
    }
  }
  return found;
}

/** Steps to the pixels of a disk. */
function diskOf(radius: number): readonly (readonly [dx: number, dy: number])[] {
  const whole = Math.floor(radius);
  const steps: [number, number][] = [];
  for (let dy = -whole; dy <= whole; dy++) {
    for (let dx = -whole; dx <= whole; dx++) if (dx * dx + dy * dy <= radius * radius) steps.push([dx, dy]);
  }
  return steps.sort(([ax, ay], [bx, by]) => ax * ax + ay * ay - bx * bx - by * by);
}

/** Which of the pixels have one of the others in the disk around them; 0 where there are none. */
function fractionNear(
  pixels: readonly number[],
  others: readonly number[],
  disk: readonly (readonly [dx: number, dy: number])[],
  width: number,
  height: number,
): number {
  if (pixels.length === 0 || others.length === 0) return 0;
  const is = new Set(others);
  let near = 0;
  for (const at of pixels) {
    const [x, y] = [at % width, Math.floor(at / width)];
    const isNear = disk.some(([dx, dy]) => {
      const [u, v] = [x + dx, y + dy];
      return u >= 0 && u < width && v >= 0 && v < height && is.has(v * width + u);
    });
    if (isNear) near++;
  }
  return near / pixels.length;
}
