/// <reference lib="esnext.disposable" preserve="true" />

import { type Device, heard } from '../../gpu/index.ts';
import { free, type Tensor, variable } from '../../tensor/graph/index.ts';
import { KeptSteps } from '../../tensor/run/index.ts';
import {
  cellsAlong,
  cellTaps,
  crop,
  gridBoxes,
  type Image,
  resizeImage,
  studentImage,
  studentTaps,
  type ViewOptions,
  viewCount,
  viewSquare,
} from '../image/index.ts';
import { CellResizer, type CutPart, type PhotoTaps } from './cell-resizer.ts';
import type { Teacher } from './image-encoder.ts';

/** Views of one photo on their way through a {@link ViewQueue}. */
export interface QueuedViews {
  /** `[n, dim]`, once all of them are encoded. */
  readonly features: Promise<Float32Array>;
  /** Whether all have been given to the teacher: until then, they wait for others to fill a batch. */
  readonly isIssued: boolean;
  /** The student's square, where the option `student` asks for it. */
  readonly student: Promise<Image> | undefined;
}

/** How photos are cut. */
export interface QueueOptions extends Required<Pick<ViewOptions, 'grids' | 'source' | 'squareSize'>> {
  /** Side of the student's square, which is cut beside the views, to the bit as `studentImage` does. */
  readonly student?: number | undefined;
  /** A buffer for cutting holds no more bytes: by default squares of 4096 pixels at the paper's grids. Larger ones are cut on the host. */
  readonly largest?: number;
}

/** Sides of squares share a step up to the next multiple of this. */
const SIDES = 128;
/** Steps that are kept, of squares of different sides. */
const KEPT = 4;
/** Sizes of photos whose weights are kept: most photos have one of a few. */
const KEPT_SIZES = 16;

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
  /** By the size of photos. */
  readonly #taps = new Map<string, PhotoTaps>();
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
    const { grids, source, squareSize, student, largest = 2 ** 26 } = this.#cut;
    const { photo: image, region } = viewSquare(photo, this.#cut);
    const { size } = this.#teacher;
    const onHost = (side: number): Promise<Image> =>
      Promise.resolve(source === 'resized' && side === squareSize ? image : studentImage(photo, side));
    const fits = (rows: number): boolean =>
      4 * rows * Math.max(rows, size * grids.reduce((sum, k) => sum + cellsAlong(k), 0)) <= largest;
    const cutSide = source === 'native' ? student : undefined;
    const taps = fits(region.width) ? this.#tapsOf(image, cutSide) : undefined;
    const rows = taps ? Math.ceil((region.width + 2 * taps.margin) / SIDES) * SIDES : 0;
    if (taps && fits(rows)) {
      const square = student !== undefined && cutSide === undefined ? onHost(student) : undefined;
      return this.#with({ rows, grids, student: cutSide }, (resizer, { first, count, slot }) => {
        const cut = resizer.run(image, region, taps, { first, count, slot });
        return square ?? cut;
      });
    }
    const square = student === undefined ? undefined : onHost(student);
    const centre = crop(image, region);
    const boxes = gridBoxes(region.width, grids);
    const whole = {
      taps: { cells: cellTaps(size, [1], size), margin: 0 },
      region: { x: 0, y: 0, width: size, height: size },
    };
    return this.#with({ rows: Math.ceil(size / SIDES) * SIDES, grids: [1] }, (resizer, { first, count, slot }) => {
      boxes.slice(first, first + count).forEach(([x0, y0, x1, y1], i) => {
        const cell = crop(centre, { x: x0, y: y0, width: x1 - x0, height: y1 - y0 });
        const view = resizeImage(cell, size, size, 'bicubic');
        resizer.run(view, whole.region, whole.taps, { first: 0, count: 1, slot: slot + i });
      });
      return square;
    });
  }

  /** The weights of photos of that size. */
  #tapsOf({ width, height }: Image, cutSide: number | undefined): PhotoTaps {
    const key = `${width} ${height}`;
    let found = this.#taps.get(key);
    if (!found) {
      const student = cutSide === undefined ? undefined : studentTaps(width, height, cutSide);
      const margin = student?.margin ?? 0;
      found = {
        cells: cellTaps(Math.min(width, height), this.#cut.grids, this.#teacher.size, margin),
        margin,
        student,
      };
      if (this.#taps.size >= KEPT_SIZES) this.#taps.clear();
      this.#taps.set(key, found);
    }
    return found;
  }

  /** Queues the views of a photo, which `cut` puts into the batch by the step for squares of so many rows. */
  #with(
    {
      rows,
      grids,
      student,
    }: { readonly rows: number; readonly grids: readonly number[]; readonly student?: number | undefined },
    cut: (resizer: CellResizer, part: CutPart) => Promise<Image> | undefined,
  ): Promise<QueuedViews> {
    const make = () => CellResizer.make(this.#device, this.#teacher, this.#views, { rows, grids, student });
    return this.#steps.use(`${rows} ${grids} ${student}`, make, async (resizer) => {
      while (this.#partial) await this.#partial;
      return this.#queue(viewCount(this.#cut.grids), (part) => cut(resizer, part));
    });
  }

  #queue(count: number, cut: (part: CutPart) => Promise<Image> | undefined): QueuedViews {
    const { batch, dim } = this.#teacher;
    const out = new Float32Array(count * dim);
    const parts: Promise<void>[] = [];
    let issued = 0;
    let student: Promise<Image> | undefined;
    for (let at = 0; at < count; ) {
      const n = Math.min(batch - this.#filled, count - at);
      const [from, place] = [this.#filled * dim, at * dim];
      const square = cut({ first: at, count: n, slot: this.#filled });
      student ??= square;
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
    const features = heard(Promise.all(parts).then(() => out));
    return {
      features,
      student,
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
