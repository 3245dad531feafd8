/** Scores of pixels that are mixed of their segments', on the host. */
import { ArgumentError } from '../../gpu/index.ts';
import type { LabelMap } from '../image/index.ts';
import type { Assignment } from '../model/index.ts';
import type { Size } from '../pixels/index.ts';
import { columnsThatMayWin, usedColumns } from './assemble.ts';
import type { WindowResult } from './mixtures.ts';
import { type SharedWindow, softLabels } from './soft-labels.ts';

/** What lower scores count as in a geometric mean, so that a name is not out because one segment has none of it. */
const LEAST_SCORE = 1e-6;
/** What outweighs all logarithms of scores, and leaves them five digits in f32. */
const OUTWEIGHS = 1024;

/** Windows with the scores that are summed up over a pixel's shares, and the columns of them that may be the largest somewhere. */
export function summedScores(
  found: readonly WindowResult[],
  names: number,
  isBackground: boolean,
  assignment: Assignment | undefined,
): { readonly windows: readonly WindowResult[]; readonly columns: readonly number[] } {
  const windows = assignment === 'geometric' ? inLogs(found, names, isBackground) : found;
  const used = usedColumns(windows, names, isBackground);
  const isBelow0 = windows.some(({ affinity }) => affinity.some((score) => score < 0));
  return { windows, columns: isBelow0 ? used : columnsThatMayWin(windows, names, used) };
}

/** The class of each pixel by the scores of its segments, mixed by its shares in them ({@link softLabels}). */
export function mixedLabels(
  found: readonly WindowResult[],
  resized: Size,
  { width, height }: Size,
  names: number,
  isBackground: boolean,
  assignment: Assignment,
): LabelMap {
  const { windows, columns } = summedScores(found, names, isBackground, assignment);
  const labels = softLabels(sharedWindows(windows, assignment), resized, { width, height }, names, columns);
  return { width, height, data: narrow(labels, names) };
}

/** Labels in as few bytes as hold them. */
export function narrow(labels: Uint16Array, names: number): LabelMap['data'] {
  return names + 1 > 256 ? labels : new Uint8Array(labels);
}

/** Windows whose patches have shares. @throws ArgumentError for one without. */
export function sharedWindows(windows: readonly WindowResult[], how: Assignment | undefined): SharedWindow[] {
  return windows.map(({ box, scores, assignment }) => {
    if (assignment) return { box, scores, assignment };
    throw new ArgumentError(
      `Segmenter.name: assignment: ${how} is for models that group patches into segments; leave it out for this one`,
    );
  });
}

/**
 * Windows whose scores are logarithms, over that of the least one: all further sums, by shares, between patches, over windows and in PAMR, are then
 * logarithms of weighted geometric means. Background is no name that segments have more or less of: it wins where half of a pixel lies in
 * segments that are background (up to 0.507 of it, by the score of the best name).
 */
function inLogs(windows: readonly WindowResult[], names: number, isBackground: boolean): WindowResult[] {
  const raised = isBackground ? OUTWEIGHS : 0;
  return windows.map((window) => ({
    ...window,
    scores: window.scores.map((score, at) =>
      at % (names + 1) === 0 ? 2 * raised * score : raised + Math.log(Math.max(score, LEAST_SCORE) / LEAST_SCORE),
    ),
  }));
}
