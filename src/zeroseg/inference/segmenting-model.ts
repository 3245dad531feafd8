import { ArgumentError } from '../../gpu/index.ts';
import type { Trace } from '../../nn/layers/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import type { Rgb } from '../image/index.ts';
import type { Inference, InferenceOptions, ZeroSegConfig } from '../model/index.ts';

/** A model that finds segments in an image of any size: `ZeroSeg`, GroupViT's and SegCLIP's image encoders, a CLIP by itself. */
export interface SegmentingModel {
  /** Side of the images it was trained with, side of a patch, channels. */
  readonly config: {
    readonly image: number;
    readonly patch: number;
    readonly chans: number;
    /** Of a ZeroSeg: where its groups begin. */
    readonly assign_start?: ZeroSegConfig['assign_start'];
  };
  /** What its pixels are normalised with. Default: ImageNet's mean and standard deviation. */
  readonly pixels?: { readonly mean: Rgb; readonly std: Rgb } | undefined;
  /** The shorter side of photos, where none is asked for. */
  readonly short?: number | undefined;
  /** Side and step of the windows, where none are asked for. */
  readonly window?: number | undefined;
  readonly stride?: number | undefined;
  /** Of a model whose segments are patches, to be enlarged pixel by pixel: whether windows are padded to whole ones; see {@link PatchScores.direct}. */
  readonly patches?: { readonly pad: boolean; readonly direct: boolean } | undefined;
  /** Of a model whose segments are cells of a grid, row by row, without a roll-out: pixels along a side of a cell. */
  readonly cell?: number | undefined;
  /**
   * `[B, 3, H, W]` → segments `[B, S, C]`, embeddings of the images `[B, C]` and, where there are such, the roll-out `[B, S, rows, cols]` and
   * keys `[B, S, D]`. Of a model of cells B is 1.
   */
  segment(
    image: Tensor,
    trace?: Trace,
    options?: InferenceOptions,
  ): Pick<Inference, 'segments' | 'global'> & { readonly rollout?: Tensor; readonly keys?: Tensor };
}

/** @throws ArgumentError when what a model found of an image is no number, by which every pixel would get some name all the same. */
export function checkNumbers(
  found: Readonly<Partial<Record<'segments' | 'global' | 'rollout' | 'keys', ArrayLike<number> | undefined>>>,
): void {
  for (const [what, values] of Object.entries(found)) {
    for (let i = 0; values && i < values.length; i++) {
      if (Number.isFinite(values[i])) continue;
      throw new ArgumentError(
        `Segmenter: ${values[i]} among the model's ${what}: its weights are damaged, or too large for their number format`,
      );
    }
  }
}
