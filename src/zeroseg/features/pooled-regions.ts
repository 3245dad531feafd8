/// <reference lib="esnext.disposable" preserve="true" />

import { ArgumentError, type Device } from '../../gpu/index.ts';
import { reshape } from '../../kernels/layout/index.ts';
import { matmul } from '../../kernels/matmul/index.ts';
import { l2Normalize } from '../../kernels/row-ops/index.ts';
import { type Tensor, tensor } from '../../tensor/graph/index.ts';
import { readAll, type Step, step } from '../../tensor/run/index.ts';
import { ClipVision, clipPixels, type DenseMode, type TeacherTower } from '../clip/index.ts';
import { lengthOf, unitRows } from '../host/index.ts';
import { cellCuts, cellsAlong, type Image, teacherViews, type ViewSource, viewCount } from '../image/index.ts';

/**
 * What the features of a grid's cells are:
 *
 * - `crops`: each cell is cut out and looked at as an image of its own, as in the paper: 30 passes for 30 views.
 * - `pooled`: the square is looked at once, and each cell is the mean of its patches ("RoIAlign" of dense features, as CLIPSelf has it).
 * - `mixed`: the mean of both as unit vectors, as long as the crop's.
 */
export type RegionFeatures = 'crops' | 'pooled' | 'mixed';

export interface PooledOptions {
  readonly grids: readonly number[];
  readonly viewSource: ViewSource;
  /** Side of the student's squares, for `viewSource: 'resized'`. */
  readonly studentSize: number;
  /** How patch features are taken from the last layer. */
  readonly mode: DenseMode;
  /** Side of the square that the teacher looks at, a multiple of its patch. */
  readonly size: number;
}

/**
 * Features of all cells of grids from one pass: with `p_n` the patch features as unit vectors, `w_vn` the share of cell `v` that patch `n`
 * covers (rows add up to 1) and `g` the feature of the whole image,
 *
 *     f_v = |g| · Σ_n w_vn p_n / |Σ_n w_vn p_n|,   and f_v = g for the cell that is the whole square.
 *
 * ```ts
 * using pooled = await PooledRegions.create(device, vision, { grids: [1, 2, 3, 4], viewSource: 'native', studentSize: 224, mode: 'maskclip', size: 448 });
 * const features = await pooled.features(photo); // [30 * 768]
 * ```
 */
export class PooledRegions implements Disposable {
  readonly #step: Step<'square', { cells: Tensor; whole: Tensor }>;
  readonly #cut: (photo: Image) => Float32Array;
  readonly #isWhole: readonly boolean[];

  private constructor(
    run: Step<'square', { cells: Tensor; whole: Tensor }>,
    cut: (photo: Image) => Float32Array,
    isWhole: readonly boolean[],
  ) {
    this.#step = run;
    this.#cut = cut;
    this.#isWhole = isWhole;
  }

  static async create(
    device: Device,
    vision: TeacherTower,
    { grids, viewSource, studentSize, mode, size }: PooledOptions,
  ): Promise<PooledRegions> {
    if (!(vision instanceof ClipVision)) {
      throw new ArgumentError(
        'fillCache: pooled features are those of patches in the space of words, which only a CLIP has; use regions: crops',
      );
    }
    const { patch } = vision.config.vision;
    if (size % patch !== 0 || size < patch) {
      throw new ArgumentError(
        `fillCache: the side of the square for pooled features must be a multiple of the teacher's patches of ${patch} pixels; got ${size}`,
      );
    }
    const views = viewCount(grids);
    const side = size / patch;
    const weights = cellWeights(side, grids);
    const run = await step(
      device,
      { square: [1, 3, size, size] },
      ({ square }) => {
        const { patches, image } = vision.denseFeatures(square, mode);
        const unit = l2Normalize(reshape(patches, [side * side, vision.config.projection]));
        return { cells: matmul(tensor(device, weights, [views, side * side]), unit), whole: image };
      },
      { name: 'pooled regions' },
    );
    const pixels = clipPixels(vision.config);
    const cut = (photo: Image): Float32Array =>
      teacherViews(photo, { grids: [1], size, source: viewSource, squareSize: studentSize, ...pixels });
    return new PooledRegions(
      run,
      cut,
      grids.flatMap((k) => Array.from({ length: cellsAlong(k) ** 2 }, () => k === 1)),
    );
  }

  /** `[views, C]`, in the order of the grids. The photo may be changed as soon as this returns. */
  features(photo: Image): Promise<Float32Array> {
    const { cells, whole } = this.#step({ square: this.#cut(photo) });
    return this.#scaled(readAll([cells, whole]) as Promise<[Float32Array, Float32Array]>);
  }

  async #scaled(read: Promise<[Float32Array, Float32Array]>): Promise<Float32Array> {
    const [cells, whole] = await read;
    const width = whole.length;
    const length = lengthOf(whole);
    const out = unitRows(cells, width).map((value) => length * value);
    this.#isWhole.forEach((is, view) => {
      if (is) out.set(whole, view * width);
    });
    return out;
  }

  dispose(): void {
    this.#step.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** `[views, side²]`: which share of each cell every patch covers, where a cut goes through patches too. Rows add up to 1. */
export function cellWeights(side: number, grids: readonly number[]): Float32Array {
  const views = viewCount(grids);
  const out = new Float32Array(views * side * side);
  // Boxes of a unit square: cuts of pixels are within half a pixel of them.
  let view = 0;
  for (const k of grids) {
    const cuts = cellCuts(1, k);
    const covered = ([from, to]: readonly [number, number], patch: number): number =>
      Math.max(0, Math.min(to, (patch + 1) / side) - Math.max(from, patch / side)) * k;
    for (const row of cuts) {
      for (const column of cuts) {
        for (let y = 0; y < side; y++) {
          for (let x = 0; x < side; x++) out[(view * side + y) * side + x] = covered(row, y) * covered(column, x);
        }
        view++;
      }
    }
  }
  return out;
}

/** The mean of two features of each view as unit vectors, as long as the first. */
export function mixedRegions(crops: Float32Array, pooled: Float32Array, width: number): Float32Array {
  const [a, b] = [unitRows(crops, width), unitRows(pooled, width)];
  const mean = unitRows(
    a.map((value, i) => value + (b[i] as number)),
    width,
  );
  for (let at = 0; at < mean.length; at += width) {
    const length = lengthOf(crops.subarray(at, at + width));
    for (let i = at; i < at + width; i++) mean[i] = length * (mean[i] as number);
  }
  return mean;
}
