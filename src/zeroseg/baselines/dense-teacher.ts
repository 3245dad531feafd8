/// <reference lib="esnext.disposable" preserve="true" />
import type { Device } from '../../gpu/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { readAll, type Step, step } from '../../tensor/run/index.ts';
import { type ClipVision, clipPixels } from '../clip/index.ts';
import { type Image, PixelError, toTensor } from '../image/index.ts';
import type { PatchGrid } from './patch-grid.ts';

/** The teacher's features of a picture's patches, in two ways: see `ClipVision.dense`. */
export interface DenseFeatures {
  /** `[rows · cols, C]` */
  readonly plain: Float32Array;
  readonly value: Float32Array;
  readonly grid: PatchGrid;
}

/** The teacher's features of every patch, of pictures of one size. */
export class DenseTeacher implements Disposable {
  readonly #step: Step<'image', { plain: Tensor; value: Tensor }>;
  readonly #pixels: ReturnType<typeof clipPixels>;
  readonly #grid: PatchGrid;

  private constructor(
    run: Step<'image', { plain: Tensor; value: Tensor }>,
    pixels: ReturnType<typeof clipPixels>,
    grid: PatchGrid,
  ) {
    this.#step = run;
    this.#pixels = pixels;
    this.#grid = grid;
  }

  static async create(device: Device, vision: ClipVision, size: number): Promise<DenseTeacher> {
    const { patch } = vision.config.vision;
    if (size % patch !== 0) {
      throw new PixelError(`scoreScenes: size must be a multiple of the teacher's patches of ${patch}; got ${size}`);
    }
    const run = await step(
      device,
      { image: [1, 3, size, size] },
      ({ image }) => ({ plain: vision.dense(image, 'plain'), value: vision.dense(image, 'maskclip') }),
      { name: 'dense teacher' },
    );
    const grid = { rows: size / patch, cols: size / patch, height: size, width: size };
    return new DenseTeacher(run, clipPixels(vision.config), grid);
  }

  async features(image: Image): Promise<DenseFeatures> {
    const { plain, value } = this.#step({ image: toTensor(image, this.#pixels.mean, this.#pixels.std) });
    const [p, v] = (await readAll([plain, value])) as [Float32Array, Float32Array];
    return { plain: p, value: v, grid: this.#grid };
  }

  dispose(): void {
    this.#step.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
