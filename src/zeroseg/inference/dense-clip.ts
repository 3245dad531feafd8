import { mean } from '../../kernels/axis/index.ts';
import { permute, reshape } from '../../kernels/layout/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { type ClipVision, clipPixels, type DenseMode } from '../clip/index.ts';
import { type DenseSettings, denseSettings } from './dense-settings.ts';
import type { SegmentingModel } from './segmenting-model.ts';

/**
 * How a CLIP segments by itself: by its patches, in one of the ways of {@link DenseMode}, or by crops of which each is looked at as an image
 * (`crops`).
 */
export type DenseClipMode = DenseMode | 'crops';

/** Crops along the shorter side of a photo. */
const CROPS = 4;

/** A CLIP's image tower as a model that segments: every patch, or every crop, is named for itself. */
export class DenseClip implements SegmentingModel {
  readonly config: SegmentingModel['config'];
  readonly pixels: ReturnType<typeof clipPixels>;
  readonly cell: number | undefined;
  readonly short: number;
  readonly window: number | undefined;
  readonly stride: number | undefined;
  readonly patches: SegmentingModel['patches'];
  readonly #vision: ClipVision;
  readonly #mode: DenseClipMode;

  constructor(vision: ClipVision, mode: DenseClipMode) {
    const { image, patch } = vision.config.vision;
    this.config = { image, patch, chans: 3 };
    this.pixels = clipPixels(vision.config);
    this.#vision = vision;
    this.#mode = mode;
    if (mode === 'crops') {
      this.cell = image;
      this.short = CROPS * image;
      return;
    }
    const { short, window, stride, pad = false }: DenseSettings = denseSettings[mode];
    this.short = short * image;
    this.window = window * image;
    this.stride = stride * image;
    this.patches = { pad, direct: mode !== 'naclip' };
  }

  /** `[B, 3, H, W]` → features of patches, row by row `[B, N, C]`, of the whole `[B, C]`, and keys of patches `[B, N, D]`. Crops are those of one image. */
  segment(image: Tensor): { readonly segments: Tensor; readonly global: Tensor; readonly keys?: Tensor } {
    const { vision } = this.#vision.config;
    if (this.#mode !== 'crops') {
      const { patches, image: whole, keys } = this.#vision.denseFeatures(image, this.#mode);
      return { segments: patches, global: whole, keys };
    }
    const { image: side } = vision;
    const [, chans = 3, height = 0, columns = 0] = image.shape;
    const [rows, cols] = [height / side, columns / side];
    const cut = permute(reshape(image, [chans, rows, side, cols, side]), [1, 3, 0, 2, 4]);
    const crops = this.#vision.forward(reshape(cut, [rows * cols, chans, side, side]));
    return { segments: crops, global: mean(crops, { axes: [0] }) };
  }
}
