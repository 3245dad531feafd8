import type { LabelMap } from '../image/index.ts';
import { scoreRows } from './assemble.ts';
import type { SegmentResult } from './division.ts';

/**
 * For each row of the photo, what each pixel scores for the class that it has: `[width]`, the windows averaged as for the label map.
 * Background (0) scores the fraction of windows that found it background. The array is reused for the next row.
 *
 * ```ts
 * const result = await model.segment(photo, ['dog', 'grass']);
 * classRegions(result.labels, { scores: labelScores(result) })[0].score; // mean over the pixels of the largest class
 * ```
 */
export function* labelScores({ labels, windows, resized }: SegmentResult): Generator<Float32Array, void, undefined> {
  const { width, data } = labels;
  const [first] = windows;
  if (!first) return;
  // Scores are [S, 1 + K] and the affinity [S, K]: they differ by S.
  const names = first.affinity.length / (first.scores.length - first.affinity.length);
  const columns = labelsOf(labels);
  const columnOf = new Uint16Array(names + 1);
  for (const [column, label] of columns.entries()) columnOf[label] = column;
  const out = new Float32Array(width);
  let at = 0;
  for (const row of scoreRows(windows, resized, labels, names, columns)) {
    for (let x = 0; x < width; x++, at++) out[x] = row[x * columns.length + columnOf[data[at]!]!]!;
    yield out;
  }
}

function labelsOf({ data }: LabelMap): number[] {
  const isThere = new Uint8Array(65_536);
  for (const label of data) isThere[label] = 1;
  return [...isThere.keys()].filter((label) => isThere[label]);
}
