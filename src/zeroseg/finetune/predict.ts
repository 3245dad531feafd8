/// <reference lib="esnext.disposable" preserve="true" />

import { type Device, heard } from '../../gpu/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { read, type Step, step } from '../../tensor/run/index.ts';
import { type Labelled, SegmentationScore } from '../evaluation/index.ts';
import type { Progress, WorkOptions } from '../host/index.ts';
import {
  checkImage,
  type Image,
  type LabelMap,
  resizeBilinear,
  slidingWindows,
  type WindowBox,
} from '../image/index.ts';
import { inferenceSize, resizedPlanes } from '../inference/index.ts';
import type { SegmentationNetwork } from './network.ts';

export interface PredictOptions {
  /** Shorter side of the resized photo. */
  readonly short: number;
  /** Step of the windows. Default: half a window. */
  readonly stride?: number | undefined;
}

/**
 * Label maps of photos by a {@link SegmentationNetwork}: windows of the network's side slide over the resized photo, their logits are
 * averaged, enlarged to the photo and compared.
 *
 * ```ts
 * using predictor = await Predictor.create(device, network);
 * const { data } = await predictor.labels(photo, { short: 448 });
 * ```
 */
export class Predictor implements Disposable {
  readonly #step: Step<'image', Tensor>;
  readonly #side: number;
  readonly #classes: number;

  private constructor(run: Step<'image', Tensor>, side: number, classes: number) {
    this.#step = run;
    this.#side = side;
    this.#classes = classes;
  }

  static async create(device: Device, network: SegmentationNetwork): Promise<Predictor> {
    const { image: side } = network.config;
    const run = await step(device, { image: [1, 3, side, side] }, ({ image }) => network.pixelLogits(image), {
      name: 'predict',
    });
    return new Predictor(run, side, network.classes);
  }

  /** The class of every pixel, at the photo's own size; the first class on ties. */
  async labels(photo: Image, { short, stride = Math.ceil(this.#side / 2) }: PredictOptions): Promise<LabelMap> {
    checkImage('Predictor.labels', photo);
    const [width, height] = inferenceSize(photo, short);
    const resized = resizedPlanes(photo, width, height);
    const logits = await this.#logits(resized, width, height, stride);
    const labels = new Uint16Array(photo.width * photo.height);
    const best = new Float32Array(labels.length).fill(Number.NEGATIVE_INFINITY);
    for (let c = 0; c < this.#classes; c++) {
      const plane = logits.subarray(c * width * height, (c + 1) * width * height);
      const full = resizeBilinear(plane, 1, height, width, photo.height, photo.width);
      for (let i = 0; i < full.length; i++) {
        if ((full[i] as number) <= (best[i] as number)) continue;
        best[i] = full[i] as number;
        labels[i] = c;
      }
    }
    return { width: photo.width, height: photo.height, data: labels };
  }

  /** Logits averaged over windows, `[K, height, width]`. */
  async #logits(planes: Float32Array, width: number, height: number, stride: number): Promise<Float32Array> {
    const classes = this.#classes;
    const sum = new Float32Array(classes * width * height);
    const times = new Float32Array(width * height);
    const boxes = slidingWindows(height, width, this.#side, Math.min(stride, this.#side));
    const issue = (box: WindowBox | undefined): Promise<Float32Array> | undefined =>
      box && heard(read(this.#step({ image: this.#window(planes, width, height, box) })) as Promise<Float32Array>);
    let next = issue(boxes[0]);
    for (const [i, [y1, x1, y2, x2]] of boxes.entries()) {
      const values = await (next as Promise<Float32Array>);
      next = issue(boxes[i + 1]);
      for (let y = y1; y < y2; y++) {
        for (let x = x1; x < x2; x++) {
          const from = ((y - y1) * this.#side + (x - x1)) * classes;
          const to = y * width + x;
          times[to]! += 1;
          for (let c = 0; c < classes; c++) sum[c * width * height + to]! += values[from + c] as number;
        }
      }
    }
    return sum.map((value, i) => value / (times[i % times.length] as number));
  }

  /** A window of the network's side; beyond a photo that is smaller it is 0, the mean of pixels. */
  #window(planes: Float32Array, width: number, height: number, [y1, x1, y2, x2]: WindowBox): Float32Array {
    const side = this.#side;
    const out = new Float32Array(3 * side * side);
    for (let c = 0; c < 3; c++) {
      for (let y = y1; y < y2; y++) {
        const from = (c * height + y) * width;
        out.set(planes.subarray(from + x1, from + x2), (c * side + y - y1) * side);
      }
    }
    return out;
  }

  dispose(): void {
    this.#step.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

export interface ScorePhotosOptions extends PredictOptions, WorkOptions<Progress> {
  /** Called with every photo, what it should be and what it was taken for; waited for. */
  readonly onPhoto?:
    | ((photo: { id: string; image: Image; labels: LabelMap; prediction: LabelMap }) => void | Promise<void>)
    | undefined;
}

/** Intersection over union of a network on labelled photos. */
export async function scorePhotos(
  predictor: Predictor,
  photos: readonly Labelled[],
  classes: number,
  { signal, onProgress, onPhoto, ...options }: ScorePhotosOptions,
): Promise<SegmentationScore> {
  const score = new SegmentationScore(classes);
  for (const [i, photo] of photos.entries()) {
    signal?.throwIfAborted();
    const { image, labels } = await photo.load();
    const prediction = await predictor.labels(image, options);
    score.add(prediction.data, labels.data);
    await onPhoto?.({ id: photo.id, image, labels, prediction });
    onProgress?.({ done: i + 1, total: photos.length });
  }
  return score;
}
