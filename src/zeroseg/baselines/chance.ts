import type { Baseline } from './baseline.ts';

export const chance: Baseline = {
  name: 'chance',
  title: 'guessing',
  note: 'labels guessed as often as they occur',
  expected: chanceScores,
};

/**
 * What guessing scores. A guesser that says label c with probability p(c), the fraction of pixels that have it, whatever the picture
 * shows, is right on p(c)² of all pixels for c, and
 *
 *     IoU(c) = p² / (2p − p²) = p / (2 − p)        accuracy = Σ p²
 *
 * in expectation, whether it guesses for every pixel anew, once a segment, or once a picture: expected counts are the same.
 * `counts`: pixels of each label.
 *
 * ```ts
 * chanceScores([0, 50, 50]); // { iou: [null, 1 / 3, 1 / 3], accuracy: 0.5 }
 * ```
 */
export function chanceScores(counts: ArrayLike<number>): { iou: (number | null)[]; accuracy: number | null } {
  const all = Array.from(counts);
  const total = all.reduce((sum, value) => sum + value, 0);
  const iou = all.map((count) => (count === 0 ? null : count / (2 * total - count)));
  return { iou, accuracy: total === 0 ? null : all.reduce((sum, count) => sum + (count / total) ** 2, 0) };
}
