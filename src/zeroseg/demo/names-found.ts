/** What a student found in a scene whose every pixel is known, name by name. */
import { SegmentationScore } from '../evaluation/index.ts';

/** A name that is in a scene, and how well it was found. */
export interface NameFound {
  readonly label: number;
  /** Fraction of the pixels that truly have it. */
  readonly fraction: number;
  /** Intersection over union of the pixels that have it and those that got it, in this scene. */
  readonly iou: number;
  /** Whether `iou` is {@link FOUND_IOU} or more. */
  readonly isFound: boolean;
}

export interface NamesFound {
  /** Names that are there, largest first. */
  readonly there: readonly NameFound[];
  /** Names that pixels got and that are not there, most pixels first, from a hundredth of the picture on. */
  readonly extra: readonly { readonly label: number; readonly fraction: number }[];
}

/** A name is found where half of the area that is true or found is both: the usual threshold for objects. */
export const FOUND_IOU = 0.5;
/** A smaller fraction of a picture is not worth a word. */
const MIN_FRACTION = 0.01;

/**
 * Compares the labels of one scene with the true ones; label 0 of the truth is ground without a name and does not count.
 *
 * ```ts
 * const { there } = namesFound(labels, scene.labels.data);
 * there.filter(({ label, isFound }) => label <= scenes.objectCount && isFound).length; // objects that were found
 * ```
 */
export function namesFound(labels: ArrayLike<number>, truth: ArrayLike<number>): NamesFound {
  let max = 0;
  for (let i = 0; i < truth.length; i++) max = Math.max(max, truth[i]!, labels[i]!);
  const score = new SegmentationScore(max + 1, 0);
  score.add(labels, truth);
  const { labelled, predicted } = score;
  const total = truth.length;
  const iou = score.iou();
  const those = Array.from({ length: max }, (_, i) => i + 1);
  return {
    there: those
      .filter((label) => labelled[label]! > 0)
      .map((label) => {
        const own = iou[label] ?? 0;
        return { label, fraction: labelled[label]! / total, iou: own, isFound: own >= FOUND_IOU };
      })
      .sort((a, b) => b.fraction - a.fraction),
    extra: those
      .filter((label) => labelled[label] === 0 && predicted[label]! >= MIN_FRACTION * total)
      .map((label) => ({ label, fraction: predicted[label]! / total }))
      .sort((a, b) => b.fraction - a.fraction),
  };
}
