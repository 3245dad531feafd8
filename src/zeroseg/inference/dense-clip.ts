import { mean } from '../../kernels/axis/index.ts';
import { permute, reshape } from '../../kernels/layout/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { type ClipVision, clipPixels, type DenseMode } from '../clip/index.ts';
import type { SegmentingModel } from './segmenter.ts';

/**
 * How a CLIP segments by itself: by its patches, in one of the ways of {@link DenseMode}, or by crops of which each is looked at as an image (`crops`).
 */
export type DenseClipMode = DenseMode | 'crops';

/** Crops along the shorter side of a photo. */
const CROPS = 4;

/** A CLIP's image tower as a model that segments: every patch, or every crop, is a cell that is named for itself. */
export class DenseClip implements SegmentingModel {
  readonly config: SegmentingModel['config'];
  readonly pixels: ReturnType<typeof clipPixels>;
  readonly cell: number;
  readonly short: number;
  readonly #vision: ClipVision;
  readonly #mode: DenseClipMode;

  constructor(vision: ClipVision, mode: DenseClipMode) {
    const { image, patch } = vision.config.vision;
    this.config = { image, patch, chans: 3 };
    this.pixels = clipPixels(vision.config);
    this.cell = mode === 'crops' ? image : patch;
    this.short = mode === 'crops' ? CROPS * image : 2 * image;
    this.#vision = vision;
    this.#mode = mode;
  }

  /** `[1, 3, H, W]` → features of the cells, row by row `[H/cell · W/cell, C]`, and of the whole `[C]`. */
  segment(image: Tensor): { readonly segments: Tensor; readonly global: Tensor } {
    const width = this.#vision.config.projection;
    if (this.#mode !== 'crops') {
      const { patches, image: whole } = this.#vision.denseFeatures(image, this.#mode);
      return { segments: reshape(patches, [patches.shape[1] as number, width]), global: reshape(whole, [width]) };
    }
    const [, chans = 3, height = 0, columns = 0] = image.shape;
    const [rows, cols] = [height / this.cell, columns / this.cell];
    const cut = permute(reshape(image, [chans, rows, this.cell, cols, this.cell]), [1, 3, 0, 2, 4]);
    const crops = this.#vision.forward(reshape(cut, [rows * cols, chans, this.cell, this.cell]));
    return { segments: crops, global: mean(crops, { axes: [0] }) };
  }
}
