/// <reference lib="esnext.disposable" preserve="true" />
import { ArgumentError, type Device, heard } from '../../gpu/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { readAll, type Step, step } from '../../tensor/run/index.ts';
import { StepError } from '../../tensor/values/index.ts';
import type { Vocabulary } from '../clip/index.ts';
import { KeptSteps, type Progress, type WorkOptions } from '../host/index.ts';
import {
  checkImage,
  type Image,
  imagenetMean,
  imagenetStd,
  keepRatioSize,
  type Rgb,
  resizeBilinear,
  slidingWindows,
  toTensor,
  type WindowBox,
} from '../image/index.ts';
import type { Inference } from '../model/index.ts';
import { pixelSegments } from './assemble.ts';
import { type DividedWindow, type Division, type NamingRules, nameSegments, type SegmentResult } from './division.ts';

/** How a photo is divided. Progress counts windows. */
export interface DivideOptions extends WorkOptions<Progress> {
  /** Shorter side of the resized photo, and side of the windows. Default: that of the model, or twice the side it was trained at. */
  readonly short?: number | undefined;
  /** Step of the windows. Default: half a window. */
  readonly stride?: number | undefined;
  /** `whole`: a single window of the whole photo. Default `slide`. */
  readonly mode?: 'slide' | 'whole' | undefined;
}

export interface SegmentOptions extends DivideOptions, NamingRules {}

/** A model that finds segments in an image of any size: `ZeroSeg`, GroupViT's image encoder, a CLIP by itself. */
export interface SegmentingModel {
  /** Side of the images it was trained with, side of a patch, channels. */
  readonly config: { readonly image: number; readonly patch: number; readonly chans: number };
  /** What its pixels are normalised with. Default: ImageNet's mean and standard deviation. */
  readonly pixels?: { readonly mean: Rgb; readonly std: Rgb } | undefined;
  /** The shorter side of photos, where none is asked for. */
  readonly short?: number | undefined;
  /** Of a model whose segments are cells of a grid, row by row, without a roll-out: pixels along a side of a cell. */
  readonly cell?: number | undefined;
  segment(image: Tensor): Pick<Inference, 'segments' | 'global'> & { readonly rollout?: Tensor };
}

interface WindowValues {
  readonly segments: Float32Array;
  readonly global: Float32Array;
  /** Empty of a model of cells. */
  readonly rollout: Float32Array;
}

type SegmentStep = Step<'image', Readonly<Record<string, Tensor>>>;

/** Sizes of windows whose steps are kept; the photos of one data set need few. */
const KEPT_STEPS = 8;

/** The largest side that a photo is resized to, whatever its shape (MMSegmentation). */
const LONGEST = 2048;

/**
 * Segments photos by words with a trained model (spec §11).
 *
 * ```ts
 * using segmenter = new Segmenter(device, model);
 * const { labels } = await segmenter.segment(photo, vocabulary);
 * ```
 */
export class Segmenter implements Disposable {
  readonly #device: Device;
  readonly #model: SegmentingModel;
  /** Steps by size of window. */
  readonly #steps = new KeptSteps<SegmentStep>(KEPT_STEPS);
  #disposed = false;

  constructor(device: Device, model: SegmentingModel) {
    this.#device = device;
    this.#model = model;
  }

  /** The label map of a photo, at its own size. */
  async segment(photo: Image, vocabulary: Vocabulary, options: SegmentOptions = {}): Promise<SegmentResult> {
    checkImage('Segmenter.segment', photo);
    return nameSegments(await this.divide(photo, options), vocabulary, options);
  }

  /** Segments without names, which {@link nameSegments} gives them. */
  async divide(photo: Image, options: DivideOptions = {}): Promise<Division> {
    checkImage('Segmenter.divide', photo);
    const { patch } = this.#model.config;
    const { cell = 1, pixels } = this.#model;
    const min = Math.max(patch, cell);
    const short = this.#side(options);
    if (short < min) {
      const what = min === patch ? 'a patch' : 'a crop';
      throw new ArgumentError(
        `Segmenter.divide: short must be at least ${min} pixels, ${what} of the model; got ${short}`,
      );
    }
    const [w, h] = keepRatioSize(photo.width, photo.height, short, Math.max(LONGEST, short));
    // Whole cells; a very thin photo is widened to one patch.
    const whole = (side: number) => Math.max(Math.round(side / cell) * cell, min);
    const resized = { width: whole(w), height: whole(h) };
    const planes = resizedPlanes(photo, resized.width, resized.height, pixels);
    return this.dividePlanes(planes, resized, photo, options);
  }

  #side({ short }: DivideOptions): number {
    return short ?? this.#model.short ?? 2 * this.#model.config.image;
  }

  /** As {@link divide}, from an already resized and normalised image `[3, height, width]` of a photo of some size. */
  async dividePlanes(
    pixels: Float32Array,
    resized: Division['resized'],
    photo: Division['resized'],
    options: DivideOptions = {},
  ): Promise<Division> {
    // Windows begin at pixels or, of a model of cells, at cells: then these are what a division is made of.
    const { cell = 1 } = this.#model;
    const { width, height } = resized;
    const [rows, cols] = [height / cell, width / cell];
    const side = Math.max(1, Math.floor(this.#side(options) / cell));
    const stride = options.stride === undefined ? Math.ceil(side / 2) : Math.max(1, Math.floor(options.stride / cell));
    const boxes: WindowBox[] =
      options.mode === 'whole' ? [[0, 0, rows, cols]] : slidingWindows(rows, cols, side, stride);
    const issue = (found: WindowBox | undefined): Promise<WindowValues> | undefined => {
      if (!found) return undefined;
      const box = found.map((at) => cell * at) as WindowBox;
      const [y1, x1, y2, x2] = box;
      return heard(this.features(cropPlanes(pixels, width, height, box), y2 - y1, x2 - x1));
    };
    const windows: DividedWindow[] = [];
    let next = issue(boxes[0]);
    for (const [i, box] of boxes.entries()) {
      options.signal?.throwIfAborted();
      const current = next as Promise<WindowValues>;
      // The GPU has the next window to work on while this one is read and its pixels are divided.
      next = issue(boxes[i + 1]);
      windows.push(this.#divided(box, await current));
      options.onProgress?.({ done: i + 1, total: boxes.length });
    }
    return { width: photo.width, height: photo.height, resized: { width: cols, height: rows }, windows };
  }

  #divided(box: WindowBox, { segments, global, rollout }: WindowValues): DividedWindow {
    const [y1, x1, y2, x2] = box;
    if (rollout.length === 0) {
      const segmentOf = Uint16Array.from({ length: (y2 - y1) * (x2 - x1) }, (_, at) => at);
      return { box, segmentOf, segments, global };
    }
    const { patch } = this.#model.config;
    const [rows, cols] = [Math.floor((y2 - y1) / patch), Math.floor((x2 - x1) / patch)];
    return { box, segmentOf: pixelSegments(rollout, rows, cols, y2 - y1, x2 - x1), segments, global };
  }

  /** Segments `[S, C]`, image embedding `[C]` and roll-out `[S, rows, cols]` (empty of a model of cells) of a normalised image `[3, H, W]`. */
  async features(image: Float32Array, height: number, width: number): Promise<WindowValues> {
    if (this.#disposed) throw new StepError('segmenter: it was disposed; make another');
    const key = `${height}×${width}`;
    const make = (): Promise<SegmentStep> => this.#record(key, height, width);
    return this.#steps.use(key, make, async (run) => {
      const { segments, global, rollout } = run({ image }) as ReturnType<SegmentingModel['segment']>;
      const [s, z, r] = await readAll([segments, global, ...(rollout ? [rollout] : [])]);
      return {
        segments: s as Float32Array,
        global: z as Float32Array,
        rollout: (r ?? new Float32Array(0)) as Float32Array,
      };
    });
  }

  #record(key: string, height: number, width: number): Promise<SegmentStep> {
    return step(
      this.#device,
      { image: [1, this.#model.config.chans, height, width] },
      ({ image }) => {
        const { segments, global, rollout } = this.#model.segment(image);
        return { segments, global, ...(rollout && { rollout }) };
      },
      { name: `segment ${key}` },
    );
  }

  /** What is being segmented fails. */
  dispose(): void {
    this.#disposed = true;
    this.#steps.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** A photo as normalised planes `[3, height, width]`, resized bilinearly without antialiasing. */
export function resizedPlanes(
  photo: Image,
  width: number,
  height: number,
  { mean, std }: NonNullable<SegmentingModel['pixels']> = { mean: imagenetMean, std: imagenetStd },
): Float32Array {
  const planes = toTensor(photo, mean, std);
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
