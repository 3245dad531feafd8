import { ArgumentError } from '../../gpu/index.ts';
import type { Vocabulary } from '../clip/index.ts';
import { argmax } from '../host/index.ts';
import { PixelError } from '../image/index.ts';
import { assignments } from '../model/index.ts';
import { areaFactors } from './area-prior.ts';
import { assemble } from './assemble.ts';
import { centredWords, classAffinity, pixelScores } from './class-scores.ts';
import type { Division, NamingRules, SegmentResult } from './division.ts';
import { mixedLabels } from './mixed-scores.ts';
import type { WindowResult } from './mixtures.ts';
import { checkOneOf, checkRules } from './rule-checks.ts';
import { temperedShares } from './soft-labels.ts';
import { teacherFactors } from './teacher-prior.ts';

/**
 * Names the segments of a photo that {@link Segmenter.divide} divided (spec §11.3), on the host, by all rules but `refine`. What patches are, only
 * {@link Segmenter.name} names.
 *
 * ```ts
 * const division = await segmenter.divide(photo); // once
 * const { labels } = nameSegments(division, vocabulary); // again for every list of words
 * ```
 *
 * @throws ArgumentError for rules that make no sense, and for `refine`, which takes a GPU.
 */
export function nameSegments(division: Division, vocabulary: Vocabulary, rules: NamingRules = {}): SegmentResult {
  checkRules(rules);
  if (rules.refine) {
    throw new ArgumentError('nameSegments: refine takes a GPU; leave it out, or name the photo by Segmenter.name');
  }
  const { names } = vocabulary;
  const { assignment = 'hard', size = division } = rules;
  const isBackground = rules.threshold !== undefined;
  const windows = namedWindows(division, vocabulary, rules);
  const { resized } = division;
  const labels = mixes(rules)
    ? mixedLabels(windows, resized, size, names.length, isBackground, assignment)
    : assemble(windows, resized, size, names.length, isBackground);
  return { labels, windows, resized };
}

/** The windows of a photo with what their segments, and so their pixels, score by a vocabulary. */
export function namedWindows(division: Division, vocabulary: Vocabulary, rules: NamingRules): WindowResult[] {
  const { embeddings, scale, names } = vocabulary;
  const { scoring = 'groupvit', top = 5, centre = 0 } = rules;
  const words = centredWords(embeddings, embeddings.length / names.length, centre);
  const isMixed = mixes(rules);
  return scoredWindows(
    division.windows.map((window) => {
      const { segments, global, assignment } = window;
      return {
        ...window,
        affinity: classAffinity(segments, global, words, { scale, top, scoring }),
        assignment: isMixed && assignment ? temperedShares(assignment, rules.assignmentTemperature) : assignment,
      };
    }),
    names.length,
    rules,
    lookFactors(division, vocabulary, rules),
  );
}

/** Whether pixels have scores of their own, mixed by their shares in segments. @throws ArgumentError for scores that cannot be mixed so. */
export function mixes({ assignment = 'hard', scoring }: Pick<NamingRules, 'assignment' | 'scoring'>): boolean {
  checkOneOf('Segmenter.name: assignment', assignment, assignments);
  if (assignment === 'geometric' && scoring === 'cosine') {
    throw new ArgumentError(
      'Segmenter.name: assignment: geometric is for scores that are probabilities; with scoring: cosine take assignment: hard or soft',
    );
  }
  return assignment !== 'hard';
}

/** The factors of the teacher's prior, where that is asked for. */
export function lookFactors(
  { look }: Pick<Division, 'look'>,
  vocabulary: Vocabulary,
  { teacherPrior = false }: Pick<NamingRules, 'teacherPrior'>,
): Float32Array | undefined {
  if (!teacherPrior) return undefined;
  if (look) return teacherFactors(look, vocabulary);
  throw new ArgumentError(
    'Segmenter.name: teacherPrior needs what the teacher sees; divide the photo with teacherPrior: true',
  );
}

/**
 * Windows with what the pixels of their segments score, out of the segments' affinities: by the background's rule, the prior, and other
 * `factors` on the columns.
 */
export function scoredWindows(
  windows: readonly Omit<WindowResult, 'scores'>[],
  names: number,
  rules: Pick<NamingRules, 'threshold' | 'prior' | 'assignment' | 'scoring'>,
  factors?: Float32Array,
): WindowResult[] {
  const { threshold, prior = 0 } = rules;
  const areas = prior === 0 ? undefined : areaFactors(windows, names, { ...rules, prior });
  const all = [areas, factors].filter((one) => one !== undefined);
  return windows.map(({ box, segmentOf, affinity, assignment }) => {
    const scores = pixelScores(affinity, affinity.length / names, threshold);
    const weighted = all.reduce((given, one) => given.map((score, at) => score * one[at % one.length]!), scores);
    return { box, segmentOf, affinity, scores: weighted, ...(assignment && { assignment }) };
  });
}

/** A name and what it scores at some place. */
export interface RankedName {
  /** c + 1 for the c-th name. */
  readonly label: number;
  readonly score: number;
}

/**
 * All names by what they score at a pixel of the label map, the best first: the mean over the windows that cover it.
 *
 * ```ts
 * const [best, second] = namesAt(result, 10, 20);
 * ```
 *
 * @throws PixelError when there is no such pixel.
 */
export function namesAt({ labels, windows, resized }: SegmentResult, x: number, y: number): RankedName[] {
  const { width, height } = labels;
  if (!Number.isInteger(x) || !Number.isInteger(y) || x < 0 || y < 0 || x >= width || y >= height) {
    throw new PixelError(`namesAt: the pixel must lie inside ${width} x ${height}; got (${x}, ${y})`);
  }
  const column = Math.floor(((x + 0.5) * resized.width) / width);
  const row = Math.floor(((y + 0.5) * resized.height) / height);
  const sums: number[] = [];
  let covering = 0;
  for (const { box, segmentOf, affinity, scores } of windows) {
    const [y1, x1, y2, x2] = box;
    if (row < y1 || row >= y2 || column < x1 || column >= x2) continue;
    covering++;
    const segment = segmentOf[(row - y1) * (x2 - x1) + column - x1]!;
    const names = affinity.length / (scores.length - affinity.length);
    for (let c = 0; c < names; c++) sums[c] = (sums[c] ?? 0) + affinity[segment * names + c]!;
  }
  return sums.map((sum, c) => ({ label: c + 1, score: sum / covering })).sort((a, b) => b.score - a.score);
}

/** One segment of one window. */
export interface NamedSegment {
  /** Index into `windows`, and of the segment in it. */
  readonly window: number;
  readonly segment: number;
  /** 0 is background, c + 1 the c-th name. */
  readonly label: number;
  readonly name: string;
  /** Of that name; of background the best that any name has. See {@link classAffinity}. */
  readonly score: number;
  /** Pixels of the window that belong to it; 0 for a segment that is nowhere the largest. */
  readonly pixels: number;
}

/** The segments of all windows with their names; `names` are the background, then those of the vocabulary. */
export function namedSegments(windows: readonly WindowResult[], names: readonly string[]): NamedSegment[] {
  return windows.flatMap(({ segmentOf, scores, affinity }, window) => {
    const count = scores.length / names.length;
    const pixels = new Uint32Array(count);
    for (const segment of segmentOf) pixels[segment]!++;
    return Array.from(pixels, (area, segment) => {
      const row = scores.subarray(segment * names.length, (segment + 1) * names.length);
      // Without a background rule the first column is 0 everywhere, and cosines may be below that.
      const best = 1 + argmax(row.subarray(1));
      const label = row[0] === 1 ? 0 : best;
      const score = affinity[segment * (names.length - 1) + best - 1]!;
      return { window, segment, label, name: names[label]!, score, pixels: area };
    });
  });
}
