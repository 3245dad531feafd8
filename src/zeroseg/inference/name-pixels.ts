/** Naming pixel by pixel, on the GPU: of a CLIP that names patches, and wherever scores are refined. */
import { ArgumentError, type Device } from '../../gpu/index.ts';
import { reshape } from '../../kernels/layout/index.ts';
import { matmul } from '../../kernels/matmul/index.ts';
import { l2Normalize } from '../../kernels/row-ops/index.ts';
import { type Tensor, tensor } from '../../tensor/graph/index.ts';
import { readAll } from '../../tensor/run/index.ts';
import { denoisePrompts, smoothByKeys, type Vocabulary } from '../clip/index.ts';
import { softmax } from '../host/index.ts';
import type { LabelMap } from '../image/index.ts';
import {
  bestColumns,
  type PixelClasses,
  patchMaps,
  queryClasses,
  refinedMaps,
  type ScoreMaps,
  type Size,
  stretchedWindows,
} from '../pixels/index.ts';
import { scoreRows } from './assemble.ts';
import type { DividedWindow, Division, NamingRules, SegmentResult } from './division.ts';
import { narrow, sharedWindows, summedScores } from './mixed-scores.ts';
import type { WindowResult } from './mixtures.ts';
import { mixes, namedWindows, nameSegments } from './name-segments.ts';
import { checkRefine, checkRules } from './rule-checks.ts';
import { type SharedWindow, softLabels } from './soft-labels.ts';

/** Pixels whose classes are found one by one; of larger photos fewer are, and stretched: their scores are hundreds of times coarser. */
const MAX_PIXELS = 2 ** 22;
/** Scores of the resized photo's pixels that are mixed on the host: 64 MB. More are mixed on the GPU, block by block. */
const HOST_SCORES = 2 ** 24;

/** As {@link nameSegments}, by whatever rules. */
export async function namePixels(
  device: Device,
  division: Division,
  vocabulary: Vocabulary,
  rules: NamingRules,
  signal?: AbortSignal,
): Promise<SegmentResult> {
  checkRules(rules);
  if (division.patches) return namePatches(device, division, vocabulary, rules, signal);
  const { refine, assignment, size = division } = rules;
  if (!refine && !mixes(rules)) return nameSegments(division, vocabulary, { ...rules, refine: undefined });
  const windows = namedWindows(division, vocabulary, rules);
  const isBackground = rules.threshold !== undefined;
  const labels = await refinedLabels(device, division, windows, vocabulary.names.length, isBackground, {
    refine,
    assignment,
    size,
    signal,
  });
  return { labels, windows, resized: division.resized };
}

/** The class of each pixel by the windows' scores, mixed by its shares or drawn to the photo's edges before the largest is taken. */
export async function refinedLabels(
  device: Device,
  division: Division,
  found: readonly WindowResult[],
  names: number,
  isBackground: boolean,
  {
    refine,
    assignment,
    size,
    signal,
  }: Pick<NamingRules, 'refine' | 'size' | 'assignment'> & { readonly signal?: AbortSignal | undefined },
): Promise<LabelMap> {
  checkRefine(refine);
  const isMixed = mixes({ assignment });
  const { windows, columns } = summedScores(found, names, isBackground, assignment);
  const output = bounded(size ?? division);
  const plane = output.width * output.height;
  const labelled = (best: Uint16Array): LabelMap => ({
    ...sizeOf(size ?? division),
    data: narrow(stretched(best, output, size ?? division), names),
  });
  const { resized } = division;
  if (isMixed && !refine && columns.length * resized.width * resized.height <= HOST_SCORES) {
    return labelled(softLabels(sharedWindows(windows, assignment), resized, output, names, columns));
  }
  const hard: ScoreMaps = (columns) => {
    const planes = new Float32Array(columns.length * plane);
    let y = 0;
    for (const row of scoreRows(windows, division.resized, output, names, columns)) {
      for (let x = 0; x < output.width; x++) {
        for (let c = 0; c < columns.length; c++) {
          planes[c * plane + y * output.width + x] = row[x * columns.length + c]!;
        }
      }
      y++;
    }
    return tensor(device, planes, [1, columns.length, output.height, output.width]);
  };
  const maps = isMixed ? softMaps(device, resized, sharedWindows(windows, assignment), names, output) : hard;
  const { best } = await bestColumns(refined(device, division, maps, output, refine), columns, plane, 0, { signal });
  return labelled(best);
}

/** Maps of segments' scores, mixed by the shares of each patch in the segments. */
function softMaps(
  device: Device,
  resized: Size,
  windows: readonly SharedWindow[],
  names: number,
  size: Size,
): ScoreMaps {
  const { rows, cols, shares } = windows[0]!.assignment;
  const [top, left, bottom, right] = windows[0]!.box;
  const window = { width: right - left, height: bottom - top };
  const patches = {
    resized,
    window,
    corners: windows.map(({ box: [y, x] }) => [y, x] as const),
    grid: { rows, cols, ...window, top: 0, left: 0 },
  };
  const segments = shares.length / (rows * cols);
  const joined = new Float32Array(windows.length * shares.length);
  for (const [w, { assignment }] of windows.entries()) joined.set(assignment.shares, w * shares.length);
  return (columns) => {
    const scores = new Float32Array(windows.length * columns.length * segments);
    let at = 0;
    for (const { scores: all } of windows) {
      for (const column of columns) {
        for (let s = 0; s < segments; s++) scores[at++] = all[s * (names + 1) + column]!;
      }
    }
    const mixed = matmul(
      tensor(device, scores, [windows.length, columns.length, segments]),
      tensor(device, joined, [windows.length, segments, rows * cols]),
    );
    return stretchedWindows(reshape(mixed, [windows.length, columns.length, rows, cols]), patches, size);
  };
}

/** SCLIP's classifier: patches against every word, bilinear, averaged over windows, and the best word of each pixel. */
async function namePatches(
  device: Device,
  division: Division,
  vocabulary: Vocabulary,
  rules: NamingRules,
  signal: AbortSignal | undefined,
): Promise<SegmentResult> {
  const { windows, resized } = division;
  const { threshold, area, size = division } = rules;
  const { names, scale } = vocabulary;
  const words = wordsOf(vocabulary);
  const output = bounded(size);
  const { maps, scores } = await patchScoreMaps(device, division, words.embeddings, { ...rules, size: output });
  const found = await queryClasses(maps, output.width * output.height, {
    labels: words.labels,
    scale,
    area,
    signal,
  });
  const pixels: PixelClasses = {
    labels: stretched(found.labels, output, size),
    scores: stretched(found.scores, output, size),
    leftOut: found.leftOut,
  };
  const count = scores.length / windows.length;
  return {
    labels: { ...sizeOf(size), data: narrow(pixelLabels(pixels, threshold), names.length) },
    windows: windows.map(({ box, segmentOf }, w) => ({
      box,
      segmentOf,
      ...patchProbabilities(scores.subarray(w * count, (w + 1) * count), words.labels, names.length, scale, threshold),
    })),
    resized,
    pixels,
  };
}

/** Every word by itself, with the label that it stands for. */
function wordsOf({ words, names, embeddings }: Vocabulary): NonNullable<Vocabulary['words']> {
  return words ?? { embeddings, labels: names.map((_, c) => c + 1) };
}

/** Maps of what every word `[Q, C]` scores at the pixels of a photo, refined where that is asked for, and the patches' scores below them. */
export async function patchScoreMaps(
  device: Device,
  division: Division,
  words: Float32Array,
  rules: NamingRules,
): Promise<{ readonly maps: ScoreMaps; readonly scores: Float32Array }> {
  const { windows, resized, patches } = division;
  const scores = await patchCosines(device, windows, words, rules);
  const corners = windows.map(({ box: [top, left] }) => [top, left] as const);
  const { size = division, refine } = rules;
  const of = { resized, corners, scores, ...(patches as NonNullable<Division['patches']>) };
  return { maps: refined(device, division, patchMaps(device, of, size), size, refine), scores };
}

/** The classes of pixels with those below a threshold as background. */
export function pixelLabels({ labels, scores }: PixelClasses, threshold: number | undefined): Uint16Array {
  return threshold === undefined ? labels : labels.map((label, i) => (scores[i]! < threshold ? 0 : label));
}

/** Cosines `[W, N, Q]` of all patches with all words, by MaskCLIP's refinements where these are asked for. */
async function patchCosines(
  device: Device,
  windows: readonly DividedWindow[],
  words: Float32Array,
  { denoise, smooth }: NamingRules,
): Promise<Float32Array> {
  const width = windows[0]!.global.length;
  const queries = l2Normalize(tensor(device, words, [words.length / width, width]));
  const rows = (values: Float32Array, count: number) => tensor(device, values, [1, count, values.length / count]);
  const found = await readAll(
    windows.map(({ segments, keys }) => {
      const count = segments.length / width;
      let scores: Tensor = matmul(l2Normalize(rows(segments, count)), queries, { transposeB: true });
      if (denoise !== undefined) scores = denoisePrompts(scores, denoise);
      if (smooth === undefined) return scores;
      if (!keys) {
        throw new ArgumentError(
          'Segmenter.name: smooth needs the keys of the patches; divide the photo with keys: true',
        );
      }
      return smoothByKeys(scores, rows(keys, count), smooth);
    }),
  );
  const all = new Float32Array(found.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const one of found) {
    all.set(one, at);
    at += one.length;
  }
  return all;
}

/** What the patches of a window score by themselves, as the segments of other models do. */
function patchProbabilities(
  scores: Float32Array,
  labels: ArrayLike<number>,
  names: number,
  scale: number,
  threshold: number | undefined,
): Pick<WindowResult, 'affinity' | 'scores'> {
  const queries = labels.length;
  const patches = scores.length / queries;
  const affinity = new Float32Array(patches * names);
  const all = new Float32Array(patches * (names + 1));
  for (let n = 0; n < patches; n++) {
    const p = softmax(Float64Array.from(scores.subarray(n * queries, (n + 1) * queries)), scale);
    const row = affinity.subarray(n * names, (n + 1) * names);
    let [best, background] = [0, 0];
    for (let q = 0; q < queries; q++) {
      const label = labels[q]!;
      if (label === 0) background = Math.max(background, p[q]!);
      else {
        row[label - 1] = Math.max(row[label - 1]!, p[q]!);
        best = Math.max(best, p[q]!);
      }
    }
    const isBackground = background > best || (threshold !== undefined && best < threshold);
    all[n * (names + 1)] = isBackground ? 1 : 0;
    all.set(row, n * (names + 1) + 1);
  }
  return { affinity, scores: all };
}

function refined(
  device: Device,
  { planes }: Division,
  maps: ScoreMaps,
  size: Size,
  refine: NamingRules['refine'],
): ScoreMaps {
  if (!refine) return maps;
  if (!planes)
    throw new ArgumentError('Segmenter.name: refine needs the photo; divide it again, its planes are missing');
  return refinedMaps(device, maps, planes, size, refine);
}

function bounded({ width, height }: Size): Size {
  const shrink = Math.min(1, Math.sqrt(MAX_PIXELS / (width * height)));
  const side = (length: number) => Math.max(1, Math.floor(length * shrink));
  return { width: side(width), height: side(height) };
}

/** Each pixel takes over the one below its centre. */
function stretched<T extends Uint16Array | Float32Array>(values: T, from: Size, to: Size): T {
  if (from.width === to.width && from.height === to.height) return values;
  const out = new (values.constructor as new (length: number) => T)(to.width * to.height);
  const place = (at: number, length: number, of: number) => Math.floor(((at + 0.5) * of) / length);
  for (let y = 0; y < to.height; y++) {
    const row = place(y, to.height, from.height) * from.width;
    for (let x = 0; x < to.width; x++) out[y * to.width + x] = values[row + place(x, to.width, from.width)]!;
  }
  return out;
}

function sizeOf({ width, height }: Size): Size {
  return { width, height };
}
