import type { PamrOptions } from '../../kernels/zeroseg/index.ts';
import type { Vocabulary } from '../clip/index.ts';
import { argmax } from '../host/index.ts';
import { type LabelMap, PixelError, type WindowBox } from '../image/index.ts';
import type { PatchScores, PixelClasses, Planes } from '../pixels/index.ts';
import { assemble } from './assemble.ts';
import { classAffinity, pixelScores, type ScoringOptions } from './class-scores.ts';
import type { WindowResult } from './mixtures.ts';

/** One window of a photo, divided into S segments. */
export interface DividedWindow {
  readonly box: WindowBox;
  /** Segment of each pixel of the window. */
  readonly segmentOf: Uint8Array | Uint16Array;
  /** Embeddings of the segments `[S, C]`, and of the window's whole image `[C]`. */
  readonly segments: Float32Array;
  readonly global: Float32Array;
  /** Of a CLIP that names patches, where asked for: `DenseFeatures.keys` `[S, D]`. */
  readonly keys?: Float32Array | undefined;
}

/**
 * A photo divided into segments that have no names yet. It holds nothing but numbers of the host: it may be kept, sent to another
 * thread, and named again by other words without the GPU.
 */
export interface Division {
  /** Size of the photo. */
  readonly width: number;
  readonly height: number;
  /** Size that it was looked at; boxes of windows are in its coordinates. */
  readonly resized: { readonly width: number; readonly height: number };
  readonly windows: readonly DividedWindow[];
  /** The photo as the model saw it, for {@link NamingRules.refine}. */
  readonly planes?: Planes | undefined;
  /** Of a CLIP that names patches: where they lie in the windows, whose segments they are. */
  readonly patches?: Pick<PatchScores, 'window' | 'grid' | 'direct'> | undefined;
}

/** How segments get their names. */
export interface NamingRules {
  /**
   * Scores below it are background (spec §11.3); left out, every pixel gets a class. Of a CLIP that names patches, a pixel whose largest
   * probability is below it.
   */
  readonly threshold?: number | undefined;
  /** Of models that group. Default `groupvit`. */
  readonly scoring?: ScoringOptions['scoring'] | undefined;
  /** Of models that group: classes that the image embedding lets through. Default 5. */
  readonly top?: number | undefined;
  /** Draws scores to the edges in the photo: see {@link pamr}. `false`: not even where the model's authors do it. */
  readonly refine?: PamrOptions | false | undefined;
  /** Of a CLIP that names patches: see `QueryRules.area`. */
  readonly area?: number | undefined;
  /** Of a CLIP that names patches: the threshold of {@link denoisePrompts}. */
  readonly denoise?: number | undefined;
  /** Of a CLIP that names patches: the threshold of {@link smoothByKeys}, by the keys that {@link DivideOptions.keys} asks for. */
  readonly smooth?: number | undefined;
  /** Size of the label map. Default: that of the photo. */
  readonly size?: { readonly width: number; readonly height: number } | undefined;
}

export interface SegmentResult {
  /** 0 is background, c + 1 the c-th name. */
  readonly labels: LabelMap;
  /** Windows, in the coordinates of the resized photo. */
  readonly windows: readonly WindowResult[];
  readonly resized: { readonly width: number; readonly height: number };
  /** Where pixels are named one by one, by patches that is: the class of each pixel of the label map, and its probability. */
  readonly pixels?: PixelClasses | undefined;
}

/**
 * Names the segments of a photo that {@link Segmenter.divide} divided (spec §11.3), on the host. What patches are, and what is to be
 * refined, only {@link Segmenter.name} names.
 *
 * ```ts
 * const division = await segmenter.divide(photo); // once
 * const { labels } = nameSegments(division, vocabulary); // again for every list of words
 * ```
 */
export function nameSegments(division: Division, vocabulary: Vocabulary, rules: NamingRules = {}): SegmentResult {
  const { embeddings, scale, names } = vocabulary;
  const { threshold, scoring = 'groupvit', top = 5, size = division } = rules;
  const windows = division.windows.map(({ box, segmentOf, segments, global }): WindowResult => {
    const affinity = classAffinity(segments, global, embeddings, { scale, top, scoring });
    return { box, segmentOf, affinity, scores: pixelScores(affinity, segments.length / global.length, threshold) };
  });
  const { resized } = division;
  return { labels: assemble(windows, resized, size, names.length, threshold !== undefined), windows, resized };
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
