/// <reference lib="esnext.disposable" preserve="true" />
import type { Device } from '../../gpu/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { readAll, type Step, step } from '../../tensor/run/index.ts';
import { StepError } from '../../tensor/values/index.ts';
import type { Vocabulary } from '../clip/index.ts';
import {
  between,
  type Image,
  imagenetMean,
  imagenetStd,
  keepRatioSize,
  type LabelMap,
  resizeBilinear,
  slidingWindows,
  type WindowBox,
} from '../image/index.ts';
import type { Inference } from '../model/index.ts';
import { classAffinity, indexOfMaximum, pixelScores, type ScoringOptions } from './class-scores.ts';

export interface SegmentOptions {
  /** Scores below it are background (section 11.3); left out, every pixel gets a class. */
  readonly threshold?: number | undefined;
  /** Shorter side of the resized photo, and side of the windows. Default: twice the side the model was trained at. */
  readonly short?: number | undefined;
  /** Step of the windows. Default: half a window. */
  readonly stride?: number | undefined;
  /** `whole`: a single window of the whole photo. Default `slide`. */
  readonly mode?: 'slide' | 'whole' | undefined;
  /** Default `groupvit`. */
  readonly scoring?: ScoringOptions['scoring'] | undefined;
  /** Classes that the image embedding lets through. Default 5. */
  readonly top?: number | undefined;
}

/** What was found in one window. */
export interface WindowResult {
  readonly box: WindowBox;
  /** Segment of each pixel of the window. */
  readonly segmentOf: Uint8Array;
  /** `[S, 1 + K]`, background first. */
  readonly scores: Float32Array;
  /** `[S, K]` */
  readonly affinity: Float32Array;
}

export interface SegmentResult {
  /** At the photo's size: 0 is background, c + 1 the c-th name. */
  readonly labels: LabelMap;
  /** Windows, in the coordinates of the resized photo. */
  readonly windows: readonly WindowResult[];
  readonly resized: { readonly width: number; readonly height: number };
}

/** A model that finds segments in an image of any size; `ZeroSeg` is one, GroupViT's image encoder another. */
export interface SegmentingModel {
  /** Side of the images it was trained with, side of a patch, channels. */
  readonly config: { readonly image: number; readonly patch: number; readonly chans: number };
  segment(image: Tensor): Pick<Inference, 'segments' | 'global' | 'rollout'>;
}

interface WindowValues {
  readonly segments: Float32Array;
  readonly global: Float32Array;
  readonly rollout: Float32Array;
}

type SegmentStep = Step<'image', { segments: Tensor; global: Tensor; rollout: Tensor }>;

/** Sizes of windows whose steps are kept; the photos of one data set need few. */
const KEPT_STEPS = 8;

/** The largest side that a photo is resized to, whatever its shape (MMSegmentation). */
const LONGEST = 2048;

/**
 * Segments photos by words with a trained model (section 11).
 *
 * ```ts
 * using segmenter = new Segmenter(device, model);
 * const { labels } = await segmenter.segment(photo, vocabulary);
 * ```
 */
export class Segmenter implements Disposable {
  readonly #device: Device;
  readonly #model: SegmentingModel;
  /** Steps by size of window, the one that was used last at the end. */
  readonly #steps = new Map<string, { readonly made: Promise<SegmentStep>; users: number }>();
  #disposed = false;

  constructor(device: Device, model: SegmentingModel) {
    this.#device = device;
    this.#model = model;
  }

  /** The label map of a photo, at its own size. */
  async segment(photo: Image, vocabulary: Vocabulary, options: SegmentOptions = {}): Promise<SegmentResult> {
    const { image, patch } = this.#model.config;
    const short = options.short ?? 2 * image;
    const [w, h] = keepRatioSize(photo.width, photo.height, short, Math.max(LONGEST, short));
    // A very thin photo is widened to one patch.
    const resized = { width: Math.max(w, patch), height: Math.max(h, patch) };
    const pixels = resizedPlanes(photo, resized.width, resized.height);
    return this.segmentPlanes(pixels, resized, photo, vocabulary, options);
  }

  /** As {@link segment}, from an already resized and normalised image `[3, height, width]`. */
  async segmentPlanes(
    pixels: Float32Array,
    resized: { readonly width: number; readonly height: number },
    output: { readonly width: number; readonly height: number },
    vocabulary: Vocabulary,
    options: SegmentOptions = {},
  ): Promise<SegmentResult> {
    const { width, height } = resized;
    const side = options.short ?? 2 * this.#model.config.image;
    const boxes: WindowBox[] =
      options.mode === 'whole'
        ? [[0, 0, height, width]]
        : slidingWindows(height, width, side, options.stride ?? Math.ceil(side / 2));
    const windows: WindowResult[] = [];
    for (const box of boxes) windows.push(await this.#window(pixels, width, height, box, vocabulary, options));
    const labels = assemble(windows, resized, output, vocabulary.names.length, options.threshold !== undefined);
    return { labels, windows, resized };
  }

  async #window(
    pixels: Float32Array,
    width: number,
    height: number,
    box: WindowBox,
    { embeddings, scale }: Vocabulary,
    { threshold, scoring = 'groupvit', top = 5 }: SegmentOptions,
  ): Promise<WindowResult> {
    const [y1, x1, y2, x2] = box;
    const values = await this.features(cropPlanes(pixels, width, height, box), y2 - y1, x2 - x1);
    const { patch } = this.#model.config;
    const [rows, cols] = [Math.floor((y2 - y1) / patch), Math.floor((x2 - x1) / patch)];
    const segmentOf = pixelSegments(values.rollout, rows, cols, y2 - y1, x2 - x1);
    const affinity = classAffinity(values.segments, values.global, embeddings, { scale, top, scoring });
    const segments = values.segments.length / values.global.length;
    return { box, segmentOf, affinity, scores: pixelScores(affinity, segments, threshold) };
  }

  /** Segments `[S, C]`, image embedding `[C]` and roll-out `[S, rows, cols]` of one normalised image `[3, H, W]`. */
  async features(image: Float32Array, height: number, width: number): Promise<WindowValues> {
    if (this.#disposed) throw new StepError('segmenter: it was disposed; make another');
    const key = `${height}×${width}`;
    const kept = this.#steps.get(key) ?? { made: this.#make(key, height, width), users: 0 };
    this.#steps.delete(key);
    this.#steps.set(key, kept);
    kept.users++;
    try {
      const made = await kept.made;
      const { segments, global, rollout } = made({ image });
      const [s, z, r] = await readAll([segments, global, rollout]);
      return { segments: s as Float32Array, global: z as Float32Array, rollout: r as Float32Array };
    } finally {
      kept.users--;
      this.#dropOldest();
    }
  }

  /** A step that could not be made is not kept: what was missing then, memory say, may be there the next time. */
  async #make(key: string, height: number, width: number): Promise<SegmentStep> {
    try {
      return await step(
        this.#device,
        { image: [1, this.#model.config.chans, height, width] },
        ({ image }) => {
          const { segments, global, rollout } = this.#model.segment(image);
          return { segments, global, rollout };
        },
        { name: `segment ${key}` },
      );
    } catch (error) {
      this.#steps.delete(key);
      throw error;
    }
  }

  #dropOldest(): void {
    for (const [key, { made, users }] of this.#steps) {
      if (this.#steps.size <= KEPT_STEPS) return;
      if (users > 0) continue;
      this.#steps.delete(key);
      disposeOf(made);
    }
  }

  /** What is being segmented fails. */
  dispose(): void {
    this.#disposed = true;
    for (const { made } of this.#steps.values()) disposeOf(made);
    this.#steps.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Whoever waits for a step that fails is told; this is not the place. */
function disposeOf(made: Promise<SegmentStep>): void {
  void made.then(
    (ready) => ready.dispose(),
    () => {},
  );
}

/** A photo as normalised planes `[3, height, width]`, resized bilinearly without antialiasing. */
export function resizedPlanes(photo: Image, width: number, height: number): Float32Array {
  const pixels = photo.width * photo.height;
  const planes = new Float32Array(3 * pixels);
  for (let i = 0; i < pixels; i++) {
    for (let c = 0; c < 3; c++) {
      planes[c * pixels + i] =
        ((photo.data[3 * i + c] as number) / 255 - (imagenetMean[c] as number)) / (imagenetStd[c] as number);
    }
  }
  if (width === photo.width && height === photo.height) return planes;
  return resizeBilinear(planes, 3, photo.height, photo.width, height, width);
}

function cropPlanes(planes: Float32Array, width: number, height: number, [y1, x1, y2, x2]: WindowBox): Float32Array {
  if (y1 === 0 && x1 === 0 && y2 === height && x2 === width) return planes;
  const channels = planes.length / (width * height);
  const out = new Float32Array(channels * (y2 - y1) * (x2 - x1));
  let at = 0;
  for (let c = 0; c < channels; c++) {
    for (let y = y1; y < y2; y++) {
      const from = (c * height + y) * width;
      out.set(planes.subarray(from + x1, from + x2), at);
      at += x2 - x1;
    }
  }
  return out;
}

/** The segment of each pixel: the largest of the bilinearly enlarged roll-out maps `[S, rows, cols]`. */
export function pixelSegments(
  rollout: Float32Array,
  rows: number,
  cols: number,
  height: number,
  width: number,
): Uint8Array {
  const segments = rollout.length / (rows * cols);
  const maps = resizeBilinear(rollout, segments, rows, cols, height, width);
  const pixels = height * width;
  const out = new Uint8Array(pixels);
  for (let i = 0; i < pixels; i++) {
    let best = 0;
    for (let s = 1; s < segments; s++) {
      if ((maps[s * pixels + i] as number) > (maps[best * pixels + i] as number)) best = s;
    }
    out[i] = best;
  }
  return out;
}

/** The class of each pixel of the output: the largest of the averaged and resized scores ({@link scoreRows}). */
export function assemble(
  windows: readonly WindowResult[],
  resized: { readonly width: number; readonly height: number },
  output: { readonly width: number; readonly height: number },
  names: number,
  background: boolean,
): LabelMap {
  const columns = usedColumns(windows, names, background);
  const wide = names + 1 > 256;
  const data = wide ? new Uint16Array(output.width * output.height) : new Uint8Array(output.width * output.height);
  let at = 0;
  for (const row of scoreRows(windows, resized, output, names, columns)) {
    for (let from = 0; from < row.length; from += columns.length) {
      data[at++] = columns[indexOfMaximum(row.subarray(from, from + columns.length))] as number;
    }
  }
  return { width: output.width, height: output.height, data };
}

/**
 * The windows' class scores, averaged where they overlap and resized bilinearly to the output's size: for each row of it
 * the scores `[width, columns]` of the wanted columns (0 is background). Row by row, because the scores of all classes at
 * all pixels would take gigabytes for a thousand names. The array is reused for the next row.
 */
export function* scoreRows(
  windows: readonly WindowResult[],
  resized: { readonly width: number; readonly height: number },
  output: { readonly width: number; readonly height: number },
  names: number,
  columns: readonly number[],
): Generator<Float64Array, void, undefined> {
  const across = between(resized.width, output.width);
  const down = between(resized.height, output.height);
  const cached = new Map<number, Float32Array>();
  const scores = new Float64Array(output.width * columns.length);
  for (let y = 0; y < output.height; y++) {
    const low = down.low[y] as number;
    const high = down.high[y] as number;
    for (const known of cached.keys()) if (known < low) cached.delete(known);
    const upper = averagedRow(windows, low, resized.width, columns, names, cached);
    const lower = averagedRow(windows, high, resized.width, columns, names, cached);
    const v = down.part[y] as number;
    for (let x = 0; x < output.width; x++) {
      const left = (across.low[x] as number) * columns.length;
      const right = (across.high[x] as number) * columns.length;
      const u = across.part[x] as number;
      for (let k = 0; k < columns.length; k++) {
        const above = (upper[left + k] as number) * (1 - u) + (upper[right + k] as number) * u;
        const below = (lower[left + k] as number) * (1 - u) + (lower[right + k] as number) * u;
        scores[x * columns.length + k] = above * (1 - v) + below * v;
      }
    }
    yield scores;
  }
}

/** Columns of the scores that are not zero everywhere, ascending; at least one. The others can never win. */
function usedColumns(windows: readonly WindowResult[], names: number, background: boolean): number[] {
  const used = new Set<number>();
  for (const { scores } of windows) {
    for (let i = 0; i < scores.length; i++) if (scores[i] !== 0) used.add(i % (names + 1));
  }
  const first = background ? 0 : 1;
  const columns = [...used].filter((c) => c >= first).sort((a, b) => a - b);
  return columns.length > 0 ? columns : [first];
}

/** Averaged scores of one row of the resized image, `[width, columns]`. */
function averagedRow(
  windows: readonly WindowResult[],
  y: number,
  width: number,
  columns: readonly number[],
  names: number,
  cached: Map<number, Float32Array>,
): Float32Array {
  const known = cached.get(y);
  if (known) return known;
  const row = new Float32Array(width * columns.length);
  const covered = new Uint16Array(width);
  for (const { box, segmentOf, scores } of windows) {
    const [y1, x1, y2, x2] = box;
    if (y < y1 || y >= y2) continue;
    for (let x = x1; x < x2; x++) {
      const from = (segmentOf[(y - y1) * (x2 - x1) + (x - x1)] as number) * (names + 1);
      for (let k = 0; k < columns.length; k++) {
        row[x * columns.length + k] =
          (row[x * columns.length + k] as number) + (scores[from + (columns[k] as number)] as number);
      }
      covered[x] = (covered[x] as number) + 1;
    }
  }
  for (let x = 0; x < width; x++) {
    for (let k = 0; k < columns.length; k++) {
      row[x * columns.length + k] = (row[x * columns.length + k] as number) / (covered[x] as number);
    }
  }
  cached.set(y, row);
  return row;
}
