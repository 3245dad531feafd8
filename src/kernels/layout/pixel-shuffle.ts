import type { Tensor } from '../../tensor/graph/index.ts';
import { ShapeError, shown } from '../../tensor/values/index.ts';
import { checkChoice, checkOptions, checkTensors } from '../axis/index.ts';
import { permute, reshape } from './layout.ts';

export interface PixelShuffleOptions {
  /** Where the channels are. Default: `'last'`. */
  readonly channels?: 'last' | 'first';
}

/**
 * Turns channels into pixels (https://arxiv.org/abs/1609.05158): `x [B, H, W, C r²]` → `[B, H r, W r, C]`, or with channels first. Channel
 * `c r² + i r + j` is that of row i and column j of a square of r · r pixels, as in PyTorch. The gradient is {@link pixelUnshuffle} of dy.
 *
 * ```ts
 * await read(pixelShuffle(tensor(device, [1, 2, 3, 4], [1, 1, 1, 4]), 2)); // [1, 2, 3, 4], of [1, 2, 2, 1]
 * ```
 *
 * @throws ShapeError unless the channels are a multiple of r².
 */
export function pixelShuffle(x: Tensor, factor: number, options: PixelShuffleOptions = {}): Tensor {
  const { isFirst, shape } = imagesOf('pixelShuffle', x, factor, options);
  const [B, H, W, C] = shape;
  const channels = C / factor ** 2;
  if (!Number.isInteger(channels)) {
    throw new ShapeError('pixelShuffle', `the channels (${C}) must be a multiple of ${factor}²`, { x: x.shape });
  }
  if (isFirst) {
    const parts = permute(reshape(x, [B, channels, factor, factor, H, W]), [0, 1, 4, 2, 5, 3]);
    return reshape(parts, [B, channels, H * factor, W * factor]);
  }
  const parts = permute(reshape(x, [B, H, W, channels, factor, factor]), [0, 1, 4, 2, 5, 3]);
  return reshape(parts, [B, H * factor, W * factor, channels]);
}

/**
 * Turns squares of r · r pixels into channels, the inverse of {@link pixelShuffle}: `x [B, H r, W r, C]` → `[B, H, W, C r²]`.
 *
 * @throws ShapeError unless height and width are multiples of r.
 */
export function pixelUnshuffle(x: Tensor, factor: number, options: PixelShuffleOptions = {}): Tensor {
  const { isFirst, shape } = imagesOf('pixelUnshuffle', x, factor, options);
  const [B, H, W, C] = shape;
  const [h, w] = [H / factor, W / factor];
  if (!Number.isInteger(h) || !Number.isInteger(w)) {
    throw new ShapeError('pixelUnshuffle', `height and width (${H} and ${W}) must be multiples of ${factor}`, {
      x: x.shape,
    });
  }
  if (isFirst) {
    const parts = permute(reshape(x, [B, C, h, factor, w, factor]), [0, 1, 3, 5, 2, 4]);
    return reshape(parts, [B, C * factor ** 2, h, w]);
  }
  const parts = permute(reshape(x, [B, h, factor, w, factor, C]), [0, 1, 3, 5, 2, 4]);
  return reshape(parts, [B, h, w, C * factor ** 2]);
}

function imagesOf(op: string, x: Tensor, factor: number, options: PixelShuffleOptions) {
  checkTensors(op, { x });
  checkOptions(op, options, ['channels']);
  const { channels = 'last' } = options;
  checkChoice(op, 'channels', channels, ['last', 'first']);
  if (x.shape.length !== 4) throw new ShapeError(op, 'x must be images, with four axes', { x: x.shape });
  if (!Number.isInteger(factor) || factor < 1) {
    throw new ShapeError(op, `the factor must be a whole number above 0 (${shown(factor)})`, { x: x.shape });
  }
  const [B, first, second, third] = x.shape as readonly [number, number, number, number];
  const isFirst = channels === 'first';
  return { isFirst, shape: isFirst ? ([B, second, third, first] as const) : ([B, first, second, third] as const) };
}
