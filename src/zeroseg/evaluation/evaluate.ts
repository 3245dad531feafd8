import { ArgumentError } from '../../gpu/index.ts';
import { type ProcessGroup, stopTogether } from '../../nn/distributed/index.ts';
import type { Vocabulary } from '../clip/index.ts';
import type { WorkOptions } from '../host/index.ts';
import { type Image, ImageError, type LabelMap } from '../image/index.ts';
import {
  assemble,
  lookFactors,
  mixes,
  pixelLabels,
  type Segmenter,
  type SegmentOptions,
  scoredWindows,
} from '../inference/index.ts';
import { FileError } from '../storage/index.ts';
import { SegmentationScore } from './iou.ts';
import { gatherMaps } from './shared-photos.ts';

/** A photo with the class of every pixel; nothing is read before `load`. */
export interface Labelled {
  readonly id: string;
  load(): Promise<{ image: Image; labels: LabelMap }>;
}

export interface EvaluateProgress {
  /** Photos that are done, those that failed included. */
  readonly done: number;
  /** So far, one for each threshold. */
  readonly scores: readonly SegmentationScore[];
}

/** A photo with what it should be and what it was found to be at the first threshold. */
export interface EvaluatedPhoto {
  readonly id: string;
  readonly image: Image;
  readonly labels: LabelMap;
  readonly prediction: LabelMap;
}

export interface EvaluateOptions
  extends Omit<SegmentOptions, 'threshold' | 'onProgress' | 'signal'>,
    WorkOptions<EvaluateProgress> {
  /** Background thresholds to score, each with a score of its own. */
  readonly thresholds: readonly number[];
  /** The label that does not count. Default 255; null where all count. */
  readonly ignore?: number | null | undefined;
  /** Called with every photo that was counted; waited for. */
  readonly onPhoto?: ((photo: EvaluatedPhoto) => void | Promise<void>) | undefined;
  /** Called with a photo or label map that could not be used. */
  readonly failed?: ((id: string, reason: string) => void) | undefined;
  /**
   * Processes that share the photos, this one among them, all of which call this with the same photos. Everything is counted in the first, in the
   * order of the photos: its scores are those of one process, the scores of the others count nothing.
   */
  readonly group?: ProcessGroup | undefined;
}

/** A photo that was read, or why it cannot be used. */
type Loaded = { readonly image: Image; readonly labels: LabelMap } | { readonly problem: string };

/**
 * Segments labelled photos and counts (spec §13). Class 0 is background, class c + 1 the vocabulary's c-th name; so the
 * data set's classes must be in its order. Returns a score for each threshold, in their order.
 *
 * The network runs once a photo, however many thresholds there are. Stopped by its signal it throws the signal's reason: a score
 * of a part would be another score.
 */
export async function evaluate(
  segmenter: Segmenter,
  photos: Iterable<Labelled>,
  vocabulary: Vocabulary,
  { thresholds, ignore = 255, signal, onProgress, onPhoto, failed, group, ...options }: EvaluateOptions,
): Promise<SegmentationScore[]> {
  const classes = vocabulary.names.length + 1;
  // A label that cannot occur stands for "none is ignored".
  const scores = thresholds.map(() => new SegmentationScore(classes, ignore ?? -1));
  const { rank, size } = group ?? { rank: 0, size: 1 };
  const load = (photo: Labelled): Promise<Loaded> => loaded(photo, classes, ignore);
  let done = 0;
  for (const round of inRounds(photos, size)) {
    await stopTogether(group, signal);
    // The first process needs the labels of all of them; they are read while the GPU works on its own.
    const loading = round.map((photo, i) => (i === rank || rank === 0 ? load(photo) : undefined));
    const own = await loading[rank];
    const maps = own && 'image' in own ? await segmentAt(segmenter, own.image, vocabulary, thresholds, options) : [];
    const all = group ? await gatherMaps(group, maps) : [maps];
    if (rank > 0) continue;
    for (const [i, { id }] of round.entries()) {
      const photo = (await loading[i]) as Loaded;
      if ('problem' in photo) failed?.(id, photo.problem);
      else {
        all[i]?.forEach((map, at) => {
          scores[at]?.add(map.data, photo.labels.data);
        });
        const [prediction] = all[i] ?? [];
        if (prediction) await onPhoto?.({ id, ...photo, prediction });
      }
      onProgress?.({ done: ++done, scores });
    }
  }
  return scores;
}

/** Photos, so many at a time. */
function* inRounds(photos: Iterable<Labelled>, size: number): Generator<Labelled[]> {
  let round: Labelled[] = [];
  for (const photo of photos) {
    round.push(photo);
    if (round.length < size) continue;
    yield round;
    round = [];
  }
  if (round.length > 0) yield round;
}

async function loaded(photo: Labelled, classes: number, ignore: number | null): Promise<Loaded> {
  try {
    const { image, labels } = await photo.load();
    refuseStrangeLabels(labels, classes, ignore);
    return { image, labels };
  } catch (error) {
    return { problem: problemOf(error as Error) };
  }
}

/** Label maps of one photo at several thresholds. */
async function segmentAt(
  segmenter: Segmenter,
  image: Image,
  vocabulary: Vocabulary,
  thresholds: readonly number[],
  options: Omit<SegmentOptions, 'threshold' | 'onProgress' | 'signal'>,
): Promise<LabelMap[]> {
  const [first = 0] = thresholds;
  const { refine = false, assignment, smooth } = options;
  const isOnGpu = refine || mixes(options);
  const division = await segmenter.divide(image, { keys: smooth !== undefined, ...options });
  const result = await segmenter.name(division, vocabulary, { ...options, threshold: first });
  const { labels, windows, resized, pixels } = result;
  if (pixels) return thresholds.map((threshold) => ({ ...labels, data: pixelLabels(pixels, threshold) }));
  const names = vocabulary.names.length;
  const known = new Map<string, LabelMap>([[backgroundPattern(windows, names), labels]]);
  const maps: LabelMap[] = [];
  const factors = lookFactors(division, vocabulary, options);
  for (const threshold of thresholds) {
    const again = scoredWindows(windows, names, { ...options, threshold }, factors);
    // Most neighbouring thresholds make the same segments background, and so the same map.
    const pattern = backgroundPattern(again, names);
    let map = known.get(pattern);
    if (!map) {
      map = isOnGpu
        ? await segmenter.refine(division, again, names, true, { refine, assignment, size: image })
        : assemble(again, resized, image, names, true);
      known.set(pattern, map);
    }
    maps.push(map);
  }
  return maps;
}

function backgroundPattern(windows: readonly { readonly scores: Float32Array }[], names: number): string {
  return windows.map(({ scores }) => scores.filter((_, i) => i % (names + 1) === 0).join('')).join(' ');
}

function refuseStrangeLabels({ data }: LabelMap, classes: number, ignore: number | null): void {
  for (const label of data) {
    if (label >= classes && label !== ignore) {
      throw new ArgumentError(`its label map has label ${label}; classes are numbered 0 to ${classes - 1}`);
    }
  }
}

/** What is wrong with a photo: its file and why, without the function that found it. */
function problemOf(error: Error): string {
  if (error instanceof ImageError) return `${error.file}: ${error.reason}`;
  return error instanceof FileError ? `${error.path}: ${error.reason}` : error.message;
}
