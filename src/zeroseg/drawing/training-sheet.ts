/// <reference lib="esnext.disposable" preserve="true" />
import { ArgumentError, type Device } from '../../gpu/index.ts';
import { unpatchify } from '../../kernels/matmul/index.ts';
import { shuffleMask } from '../../kernels/zeroseg/index.ts';
import { noTrace, random } from '../../nn/layers/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { readAll, type Step, step } from '../../tensor/run/index.ts';
import {
  type Image,
  imagenetMean,
  imagenetStd,
  type LabelMap,
  resizeImage,
  segmentColour,
  toTensor,
} from '../image/index.ts';
import { pixelSegments } from '../inference/index.ts';
import { keptPatches, patchCount, type ZeroSeg } from '../model/index.ts';
import { blendLabels } from './blend.ts';
import { blankSheet, paste } from './tiles.ts';

/** The columns of a {@link TrainingSheet}, from the left. */
export const trainingColumns = ['original', 'masked', 'reconstruction', 'segments'] as const;

export interface TrainingSheetOptions {
  /** Side of a picture on the sheet, in pixels. Default 128. */
  readonly tile?: number;
  /** Of the masks: the same at every drawing, so that what changes is the model alone. Default 0. */
  readonly seed?: number;
}

/** Grey of what is hidden. */
const HIDDEN = 128;

/**
 * What a model that is being trained makes of a few pictures, a row each: the picture, what of it is shown to the model, what it
 * rebuilds (where a patch was shown, the patch itself), and its segments of the whole picture, by the largest of the roll-out.
 *
 * Pictures are squares of the model's side or more, and hold whole patches: they are masked at the model's side, and divided into
 * segments at their own.
 *
 * ```ts
 * using sheet = await TrainingSheet.create(device, model, squares);
 * const image = await sheet.draw(); // 4 · 128 pixels wide, 128 high for each picture
 * ```
 */
export class TrainingSheet implements Disposable {
  readonly #squares: readonly Image[];
  /** At the model's side. */
  readonly #small: readonly Image[];
  readonly #model: ZeroSeg;
  readonly #tile: number;
  readonly #noise: Float32Array;
  readonly #rebuild: Step<'image' | 'noise', { pixels: Tensor; mask: Tensor }>;
  readonly #divide: Step<'image', { rollout: Tensor }>;

  private constructor(
    squares: readonly Image[],
    model: ZeroSeg,
    { tile = 128, seed = 0 }: TrainingSheetOptions,
    rebuild: Step<'image' | 'noise', { pixels: Tensor; mask: Tensor }>,
    divide: Step<'image', { rollout: Tensor }>,
  ) {
    const { image: side } = model.config;
    this.#squares = squares;
    this.#small = squares.map((one) => (one.width === side ? one : resizeImage(one, side, side, 'bicubic')));
    this.#model = model;
    this.#tile = tile;
    const next = random(seed, 'training sheet');
    this.#noise = Float32Array.from({ length: squares.length * patchCount(model.config) }, next);
    this.#rebuild = rebuild;
    this.#divide = divide;
  }

  static async create(
    device: Device,
    model: ZeroSeg,
    squares: readonly Image[],
    options: TrainingSheetOptions = {},
  ): Promise<TrainingSheet> {
    const { image: side, patch, chans } = model.config;
    const width = squares[0]?.width ?? 0;
    const isFit = (one: Image) => one.width === width && one.height === width && width >= side && width % patch === 0;
    if (squares.length === 0 || !squares.every(isFit)) {
      const sizes = squares.map((one) => `${one.width} x ${one.height}`).join(', ') || 'none';
      throw new ArgumentError(
        `TrainingSheet: pictures must be squares of one size of at least ${side} pixels that holds whole patches of ${patch}; got ${sizes}`,
      );
    }
    const rebuild = await step(
      device,
      { image: [squares.length, chans, side, side], noise: [squares.length, patchCount(model.config)] },
      ({ image, noise }) => {
        const masking = shuffleMask(noise, keptPatches(model.config));
        const latent = model.encoder.forward(image, noTrace, { masking });
        const pred = model.decoder.forward(latent, masking.idsRestore, noTrace);
        return { pixels: unpatchify(pred, patch, side / patch, side / patch), mask: masking.mask };
      },
      { name: 'rebuild' },
    );
    const divide = await step(
      device,
      { image: [squares.length, chans, width, width] },
      ({ image }) => ({ rollout: model.segment(image).rollout }),
      { name: 'divide' },
    );
    return new TrainingSheet(squares, model, options, rebuild, divide);
  }

  async draw(): Promise<Image> {
    const { image: side, patch, norm_pix: isNormalised } = this.#model.config;
    const rebuilt = this.#rebuild({ image: tensorOf(this.#small), noise: this.#noise });
    const divided = this.#divide({ image: tensorOf(this.#squares) });
    const [pixels, mask, rollout] = (await readAll([rebuilt.pixels, rebuilt.mask, divided.rollout])) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    const tile = this.#tile;
    const sheet = blankSheet(trainingColumns.length * tile, this.#squares.length * tile);
    const part = (values: Float32Array, i: number): Float32Array => {
      const length = values.length / this.#squares.length;
      return values.subarray(i * length, (i + 1) * length);
    };
    for (const [i, square] of this.#squares.entries()) {
      const small = this.#small[i] as Image;
      const hidden = part(mask, i);
      const planes = part(pixels, i);
      const values = isNormalised ? asOriginal(planes, small, patch) : planes;
      const [masked, shown] = [
        replaced(small, hidden, patch, () => HIDDEN),
        replaced(small, hidden, patch, (at, c) => pixelOf(values[c * side * side + at]!, c)),
      ];
      const grid = square.width / patch;
      const large = resizeImage(square, tile, tile, 'bicubic');
      const data = pixelSegments(part(rollout, i), grid, grid, tile, tile);
      const labels: LabelMap = { width: tile, height: tile, data };
      const tinted = blendLabels(large, labels, { background: null, opacity: 0.6, colour: segmentColour });
      const row = [large, enlarged(masked, tile), enlarged(shown, tile), tinted];
      for (const [column, picture] of row.entries()) paste(sheet, picture, column * tile, i * tile);
    }
    return sheet;
  }

  dispose(): void {
    this.#rebuild.dispose();
    this.#divide.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** `[K, 3, S, S]` */
function tensorOf(images: readonly Image[]): Float32Array {
  const [{ width, height }] = images as readonly [Image];
  const values = new Float32Array(images.length * 3 * width * height);
  images.forEach((image, i) => {
    toTensor(image, imagenetMean, imagenetStd, values, i * 3 * width * height);
  });
  return values;
}

function pixelOf(value: number, channel: number): number {
  const fraction = value * (imagenetStd[channel] as number) + (imagenetMean[channel] as number);
  return Math.max(0, Math.min(255, Math.round(255 * fraction)));
}

/** A picture with other values where a patch is hidden. */
function replaced(
  image: Image,
  hidden: Float32Array,
  patch: number,
  value: (at: number, channel: number) => number,
): Image {
  const { width } = image;
  const data = Uint8Array.from(image.data);
  for (let at = 0; at < width * width; at++) {
    const y = Math.floor(at / width);
    if (hidden[Math.floor(y / patch) * (width / patch) + Math.floor((at % width) / patch)] !== 1) continue;
    for (let c = 0; c < 3; c++) data[3 * at + c] = value(at, c);
  }
  return { width, height: width, data };
}

/** Patches that were predicted as standardised ones (`norm_pix`, spec §5), with the mean and the spread of the picture's. */
function asOriginal(planes: Float32Array, image: Image, patch: number): Float32Array {
  const side = image.width;
  const original = toTensor(image, imagenetMean, imagenetStd);
  const out = new Float32Array(planes.length);
  for (let top = 0; top < side; top += patch) {
    for (let left = 0; left < side; left += patch) {
      const places = Array.from({ length: 3 * patch * patch }, (_, i) => {
        const [c, y, x] = [Math.floor(i / patch ** 2), Math.floor((i % patch ** 2) / patch), i % patch];
        return c * side * side + (top + y) * side + left + x;
      });
      const mean = places.reduce((sum, at) => sum + original[at]!, 0) / places.length;
      const square = places.reduce((sum, at) => sum + (original[at]! - mean) ** 2, 0);
      const spread = Math.sqrt(square / (places.length - 1) + 1e-6);
      for (const at of places) out[at] = mean + spread * planes[at]!;
    }
  }
  return out;
}

/** Enlarged with sharp pixels where it is a whole number of times, so that patches keep their edges. */
function enlarged(image: Image, side: number): Image {
  const factor = side / image.width;
  if (!Number.isInteger(factor)) return resizeImage(image, side, side, 'bicubic');
  const data = new Uint8Array(3 * side * side);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const from = 3 * (Math.floor(y / factor) * image.width + Math.floor(x / factor));
      data.set(image.data.subarray(from, from + 3), 3 * (y * side + x));
    }
  }
  return { width: side, height: side, data };
}
