/** Scores of all pixels of a photo, as tensors: of windows of patches, and refined. */
import type { Device } from '../../gpu/index.ts';
import { mean } from '../../kernels/axis/index.ts';
import { interpolate, slice } from '../../kernels/layout/index.ts';
import { averageWindows, type PamrOptions, pamrSteps, pamrWeights } from '../../kernels/zeroseg/index.ts';
import { type Tensor, tensor } from '../../tensor/graph/index.ts';

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Where the patches of a window lie: a grid that is stretched over `height` × `width` pixels, in which the window begins at top and left. */
export interface PatchGrid extends Size {
  readonly rows: number;
  readonly cols: number;
  readonly top: number;
  readonly left: number;
}

/** Windows of one size over a photo, with what their patches score. */
export interface PatchScores {
  /** Of the photo that the windows lie on. */
  readonly resized: Size;
  readonly window: Size;
  readonly corners: readonly (readonly [top: number, left: number])[];
  readonly grid: PatchGrid;
  /** `[W, N, Q]`: patches row by row, Q scores each. */
  readonly scores: Float32Array;
  /** Every window covers the photo, and its patches are stretched over the output at once. Default false. */
  readonly direct?: boolean | undefined;
}

/** Makes the score maps `[1, K, height, width]` of some columns, the K of them in this order. */
export type ScoreMaps = (columns: readonly number[]) => Tensor;

const bilinear = { mode: 'bilinear', channels: 'first' } as const;

/** Maps of patches (SCLIP): bilinear over each window, averaged where windows overlap, bilinear to the size of the output. */
export function patchMaps(device: Device, patches: PatchScores, size: Size): ScoreMaps {
  const { grid, corners, scores } = patches;
  const cells = grid.rows * grid.cols;
  const count = scores.length / (corners.length * cells);
  return (columns) => {
    const planes = new Float32Array(corners.length * columns.length * cells);
    let at = 0;
    for (let w = 0; w < corners.length; w++) {
      for (const column of columns) {
        for (let n = 0; n < cells; n++) planes[at++] = scores[(w * cells + n) * count + column]!;
      }
    }
    return stretchedWindows(
      tensor(device, planes, [corners.length, columns.length, grid.rows, grid.cols]),
      patches,
      size,
    );
  };
}

/** Maps `[W, K, rows, cols]` of windows' patches over the whole photo: see {@link patchMaps}. */
export function stretchedWindows(
  x: Tensor,
  { grid, window, corners, resized, direct = false }: Omit<PatchScores, 'scores'>,
  { width, height }: Size,
): Tensor {
  if (direct) return interpolate(mean(x, { axes: [0], keepDims: true }), height, width, bilinear);
  const stretched = interpolate(x, grid.height, grid.width, bilinear);
  const rows = slice(stretched, 2, grid.top, grid.top + window.height);
  const inWindows = slice(rows, 3, grid.left, grid.left + window.width);
  return interpolate(averageWindows(inWindows, corners, resized.height, resized.width), height, width, bilinear);
}

/** A photo as a model saw it: normalised planes `[3, height, width]`. */
export interface Planes extends Size {
  readonly data: Float32Array;
}

/** Maps drawn to the edges of a photo by PAMR, with the photo resized to the maps' size. */
export function refinedMaps(
  device: Device,
  maps: ScoreMaps,
  planes: Planes,
  { width, height }: Size,
  { dilations, steps }: PamrOptions,
): ScoreMaps {
  return (columns) => {
    const seen = tensor(device, planes.data, [1, 3, planes.height, planes.width]);
    const image = interpolate(seen, height, width, bilinear);
    return pamrSteps(pamrWeights(image, dilations), maps(columns), steps);
  };
}
