import { checkOptions } from '../../kernels/axis/index.ts';
import { gelu } from '../../kernels/elementwise/index.ts';
import { permute, reshape, slice } from '../../kernels/layout/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import { composed } from './composed.ts';
import { Conv2d } from './conv2d.ts';
import { LayerNorm } from './layer-norm.ts';
import { Linear } from './linear.ts';
import { checkLayer, type Weights } from './weights.ts';

interface ConvStemOptions {
  readonly channels: number;
  readonly patch: number;
  readonly dim: number;
  readonly eps?: number;
}

/** Whether a {@link ConvStem} can make patches of this side: 2, 4, 8, 16 … */
export function isStemPatch(patch: number): boolean {
  return patch >= 2 && Number.isInteger(Math.log2(patch));
}

/**
 * Tokens of an image by convolutions instead of one large step per patch: for patches of 2ⁿ pixels n times a convolution of
 * 3 × 3 at every other pixel, LayerNorm over the channels and GELU, then a linear layer; `[B, C, H, W]` →
 * `[B, (H/patch)·(W/patch), dim]`, row by row. Pixels at the lower and right edge that do not fill a patch are dropped. Small
 * transformers learn faster so: Xiao et al. 2021, _Early Convolutions Help Transformers See Better_ (https://arxiv.org/abs/2106.14881).
 *
 * Convolutions overlap: a token sees a rim of patch - 1 pixels above and to the left of its patch too.
 *
 * ```ts
 * const stem = new ConvStem(weights.in('stem'), { channels: 3, patch: 8, dim: 96 }); // widths 24, 48, 96
 * const tokens = stem.forward(image); // [B, 3, 64, 64] → [B, 64, 96]
 * ```
 *
 * @throws ShapeError when `patch` is no power of two.
 */
export class ConvStem {
  readonly convs: readonly Conv2d[];
  readonly norms: readonly LayerNorm[];
  readonly proj: Linear;
  readonly patch: number;

  constructor(weights: Weights, options: ConvStemOptions = {} as ConvStemOptions) {
    const { channels, patch, dim, eps = 1e-6 } = options ?? {};
    checkLayer('ConvStem', weights, { channels, dim }, arguments[2]);
    checkOptions('ConvStem', options, ['channels', 'patch', 'dim', 'eps']);
    if (!isStemPatch(patch)) {
      throw new ShapeError(
        'ConvStem',
        `a patch must be a power of two, at least 2 (${patch}); each convolution halves`,
      );
    }
    const widths = stemWidths(patch, dim);
    const window = { side: 3, stride: 2, padding: 1 };
    this.convs = widths.map(
      (width, i) => new Conv2d(weights.in('convs').in(i), widths[i - 1] ?? channels, width, window),
    );
    this.norms = widths.map((width, i) => new LayerNorm(weights.in('norms').in(i), width, eps));
    this.proj = new Linear(weights.in('proj'), widths.at(-1) as number, dim);
    this.patch = patch;
  }

  forward(image: Tensor): Tensor {
    return composed('ConvStem', { image }, () => this.#forward(image));
  }

  #forward(image: Tensor): Tensor {
    const [batch = 0, , height = 0, width = 0] = image.shape;
    const [rows, cols] = [Math.floor(height / this.patch), Math.floor(width / this.patch)];
    let x = permute(slice(slice(image, 2, 0, rows * this.patch), 3, 0, cols * this.patch), [0, 2, 3, 1]);
    this.convs.forEach((conv, i) => {
      x = gelu((this.norms[i] as LayerNorm).forward(conv.forward(x)));
    });
    return this.proj.forward(reshape(x, [batch, rows * cols, x.shape[3] as number]));
  }
}

/** Doubling up to `dim`, multiples of 4, at least 16. */
function stemWidths(patch: number, dim: number): number[] {
  const count = Math.log2(patch);
  return Array.from({ length: count }, (_, i) => Math.max(16, Math.ceil(dim / 2 ** (count - 1 - i) / 4) * 4));
}
