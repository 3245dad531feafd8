import { ArgumentError } from '../../gpu/index.ts';
import type { Assignment } from '../model/index.ts';
import type { NamingRules } from './division.ts';
import type { WindowResult } from './mixtures.ts';

/** What is added to areas, so that no name is left out altogether. */
const LEAST = 0.01;

/**
 * Factors on the columns of scores, background first: ((a_c + 0.01) / (a_max + 0.01))^prior, a_c being the mean of name c's score over
 * all pixels of all windows. That of the background is 1.
 */
export function areaFactors(
  windows: readonly Omit<WindowResult, 'scores'>[],
  names: number,
  { prior, assignment = 'hard', scoring }: Pick<NamingRules, 'assignment' | 'scoring'> & { readonly prior: number },
): Float32Array {
  if (!(prior >= 0 && prior <= 100)) {
    throw new ArgumentError(`Segmenter.name: prior must be a number from 0 to 100; got ${prior}`);
  }
  if (scoring === 'cosine') {
    throw new ArgumentError(
      'Segmenter.name: prior is for scores that are probabilities; with scoring: cosine take prior: 0',
    );
  }
  const areas = new Float64Array(names);
  let pixels = 0;
  for (const window of windows) {
    const weights = pixelsOfSegments(window, names, assignment);
    for (const [s, weight] of weights.entries()) {
      for (let c = 0; c < names; c++) areas[c]! += weight * window.affinity[s * names + c]!;
    }
    pixels += window.segmentOf.length;
  }
  const largest = Math.max(...areas) / pixels + LEAST;
  return Float32Array.from({ length: 1 + names }, (_, at) =>
    at === 0 ? 1 : ((areas[at - 1]! / pixels + LEAST) / largest) ** prior,
  );
}

/** How many pixels of a window each segment has; softly, by its shares. */
function pixelsOfSegments(
  { segmentOf, affinity, assignment }: Omit<WindowResult, 'scores'>,
  names: number,
  how: Assignment,
): Float64Array {
  const counts = new Float64Array(affinity.length / names);
  if (how === 'hard' || !assignment) {
    for (const segment of segmentOf) counts[segment]!++;
    return counts;
  }
  const { shares, rows, cols } = assignment;
  const each = segmentOf.length / (rows * cols);
  for (const [at, share] of shares.entries()) counts[Math.floor(at / (rows * cols))]! += share * each;
  return counts;
}
