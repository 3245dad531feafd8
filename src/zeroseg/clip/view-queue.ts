/// <reference lib="esnext.disposable" preserve="true" />

import type { Device } from '../../gpu/index.ts';
import { resizeCells } from '../../kernels/zeroseg/index.ts';
import { free, type Tensor, tensor, variable } from '../../tensor/graph/index.ts';
import { KeptSteps, type Step, step } from '../../tensor/run/index.ts';
import {
  type CellTaps,
  cellsAlong,
  cellTaps,
  crop,
  gridBoxes,
  type Image,
  mostWeights,
  packSquare,
  type Region,
  resizeImage,
  shadesOf,
  type ViewOptions,
  viewCount,
  viewSquare,
} from '../image/index.ts';
import type { Teacher } from './image-encoder.ts';

/** Views of one photo on their way through a {@link ViewQueue}. */
export interface QueuedViews {
  /** `[n, dim]`, once all of them are encoded. */
  readonly features: Promise<Float32Array>;
  /** Whether all have been given to the teacher: until then, they wait for others to fill a batch. */
  readonly isIssued: boolean;
}

/** How photos are cut. */
export interface QueueOptions extends Required<Pick<ViewOptions, 'grids' | 'source' | 'squareSize'>> {
  /** A buffer for cutting holds no more bytes: by default squares of 4096 pixels at the paper's grids. Larger ones are cut on the host. */
  readonly largest?: number;
}

/** Sides of squares share a step up to the next multiple of this. */
const SIDES = 128;
/** Steps that are kept, of squares of different sides. */
const KEPT = 4;

/**
 * Cuts photos into views on the GPU, to the bit as `teacherViews` does, and fills the batches of a teacher with those of many photos, one
 * after the other: no batch but the last is partly filled.
 *
 * ```ts
 * using queue = new ViewQueue(device, teacher, { grids: [1, 2, 3, 4], source: 'native', squareSize: 224 });
 * const queued = await Promise.all(photos.map((photo) => queue.add(photo)));
 * queue.flush();
 * const features = await Promise.all(queued.map(({ features }) => features));
 * ```
 */
export class ViewQueue implements Disposable {
  readonly #device: Device;
  readonly #teacher: Teacher;
  readonly #cut: QueueOptions;
  readonly #steps = new KeptSteps<CellResizer>(KEPT);
  /** The batch that is being filled. */
  readonly #views: Tensor;
  #filled = 0;
  /** Called with the features of the batch that is being filled, and its error. */
  #takers: ((features: Promise<Float32Array>) => void)[] = [];
  /** A batch that is not full is read later than it is given away. */
  #partial: Promise<unknown> | undefined;

  constructor(device: Device, teacher: Teacher, cut: QueueOptions) {
    this.#device = device;
    this.#teacher = teacher;
    this.#cut = cut;
    this.#views = variable(device, [teacher.batch, 3, teacher.size, teacher.size]);
  }

  /** The photo may be changed as soon as this is resolved. */
  async add(photo: Image): Promise<QueuedViews> {
    const { grids, largest = 2 ** 26 } = this.#cut;
    const { photo: image, region } = viewSquare(photo, this.#cut);
    const { size } = this.#teacher;
    const rows = Math.ceil(region.width / SIDES) * SIDES;
    if (4 * rows * Math.max(rows, size * grids.reduce((sum, k) => sum + cellsAlong(k), 0)) <= largest) {
      return this.#with(rows, grids, (resizer) => (first, count, slot) => {
        resizer.run(image, region, first, count, slot);
      });
    }
    const square = crop(image, region);
    const boxes = gridBoxes(region.width, grids);
    return this.#with(Math.ceil(size / SIDES) * SIDES, [1], (resizer) => (first, count, slot) => {
      boxes.slice(first, first + count).forEach(([x0, y0, x1, y1], i) => {
        const cell = crop(square, { x: x0, y: y0, width: x1 - x0, height: y1 - y0 });
        const view = resizeImage(cell, size, size, 'bicubic');
        resizer.run(view, { x: 0, y: 0, width: size, height: size }, 0, 1, slot + i);
      });
    });
  }

  /** Queues the views of a photo, which `cut` puts into the batch by the step for squares of so many rows. */
  #with(rows: number, grids: readonly number[], cut: (resizer: CellResizer) => Cut): Promise<QueuedViews> {
    const make = () => CellResizer.make(this.#device, this.#teacher, this.#views, rows, grids);
    return this.#steps.use(`${rows} ${grids}`, make, async (resizer) => {
      while (this.#partial) await this.#partial;
      return this.#queue(viewCount(this.#cut.grids), cut(resizer));
    });
  }

  #queue(count: number, cut: Cut): QueuedViews {
    const { batch, dim } = this.#teacher;
    const out = new Float32Array(count * dim);
    const parts: Promise<void>[] = [];
    let issued = 0;
    for (let at = 0; at < count; ) {
      const n = Math.min(batch - this.#filled, count - at);
      const [from, place] = [this.#filled * dim, at * dim];
      cut(at, n, this.#filled);
      parts.push(
        new Promise((resolve, reject) => {
          this.#takers.push((features) => {
            issued += n;
            features.then((values) => {
              out.set(values.subarray(from, from + n * dim), place);
              resolve();
            }, reject);
          });
        }),
      );
      this.#filled += n;
      at += n;
      if (this.#filled === batch) this.flush();
    }
    const features = Promise.all(parts).then(() => out);
    features.catch(() => {}); // seen by whoever waits for it
    return {
      features,
      get isIssued() {
        return issued === count;
      },
    };
  }

  /** Gives the teacher what there is. */
  flush(): void {
    const [takers, filled] = [this.#takers, this.#filled];
    if (filled === 0) return;
    this.#takers = [];
    this.#filled = 0;
    let features: Promise<Float32Array>;
    try {
      features = this.#teacher.encode(this.#views, filled);
    } catch (error) {
      // Told to all whose views are in this batch, and not only to the photo that filled it.
      features = Promise.reject(error);
    }
    if (filled < this.#teacher.batch) {
      const done = () => {
        this.#partial = undefined;
      };
      this.#partial = features.then(done, done);
    }
    for (const take of takers) take(features);
  }

  dispose(): void {
    this.#steps.dispose();
    free(this.#views);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Puts `count` views from `first` on into the batch, from its view `slot` on. */
type Cut = (first: number, count: number, slot: number) => void;

/** The step that resizes cells of squares up to so many rows. */
class CellResizer {
  readonly #step: Step<'pixels' | 'columns' | 'weights' | 'part', undefined>;
  readonly #pixels: Uint32Array;
  readonly #weights: Uint32Array;
  readonly #tapsOf: (side: number) => CellTaps;
  #taps: CellTaps & { readonly side: number };

  private constructor(
    run: Step<'pixels' | 'columns' | 'weights' | 'part', undefined>,
    tapsOf: (side: number) => CellTaps,
    rows: number,
    weights: number,
  ) {
    this.#step = run;
    this.#tapsOf = tapsOf;
    this.#pixels = new Uint32Array(rows * rows);
    this.#weights = new Uint32Array(weights);
    this.#taps = { ...tapsOf(rows), side: 0 };
  }

  static async make(
    device: Device,
    { size, pixels: { mean, std } }: Teacher,
    views: Tensor,
    rows: number,
    grids: readonly number[],
  ): Promise<CellResizer> {
    const tapsOf = (side: number): CellTaps => cellTaps(side, grids, size);
    const { columns, origins } = tapsOf(rows);
    const weights = mostWeights(rows, grids, size);
    const shades = tensor(device, shadesOf(mean, std), [3, 256]);
    const cells = tensor(device, origins, [origins.length / 2, 2]);
    const run = await step(
      device,
      {
        pixels: { shape: [rows * rows], dtype: 'u32' },
        columns: { shape: [columns.length / 3, 3], dtype: 'u32' },
        weights: { shape: [weights], dtype: 'u32' },
        part: { shape: [4], dtype: 'u32' },
      },
      (inputs) => {
        resizeCells(views, { ...inputs, origins: cells, shades });
        return undefined;
      },
      { name: 'cut views' },
    );
    return new CellResizer(run, tapsOf, rows, weights);
  }

  run(image: Image, region: Region, first: number, count: number, slot: number): void {
    const side = region.width;
    if (this.#taps.side !== side) {
      this.#taps = { ...this.#tapsOf(side), side };
      this.#weights.set(this.#taps.weights);
    }
    packSquare(image, region, this.#pixels);
    const [pixels, weights] = [this.#pixels, this.#weights];
    this.#step({ pixels, columns: this.#taps.columns, weights, part: [side, first, count, slot] });
  }

  dispose(): void {
    this.#step.dispose();
  }
}
