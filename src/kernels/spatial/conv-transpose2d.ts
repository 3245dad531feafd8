import type { Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import { checkChoice, checkOptions } from '../axis/index.ts';
import { add } from '../elementwise/index.ts';
import { permute, reshape } from '../layout/index.ts';
import { linear } from '../matmul/index.ts';
import { inWords, type Pair, pairOf } from './pairs.ts';
import { fold } from './windows.ts';

export interface ConvTranspose2dOptions {
  /** `[D]`, added at every place. */
  readonly bias?: Tensor | undefined;
  /** Pixels of the result from one window to the next. Default: 1. */
  readonly stride?: Pair;
  /** Pixels that are cut off the result on each side: the padding of the convolution that this turns around. Default: 0. */
  readonly padding?: Pair;
  /** Pixels more at the lower and the right edge, below the stride: of the sizes whose convolution has this many rows. Default: 0. */
  readonly outputPadding?: Pair;
  /** Pixels from one pixel of a window to its next. Default: 1. */
  readonly dilation?: Pair;
  /** Where the channels of `x` are: `last` is `[B, H, W, C]`, `first` is `[B, C, H, W]`. The result has them last. Default: last. */
  readonly channels?: 'first' | 'last';
}

/**
 * Transposed convolution, which makes images larger: every pixel of `x` adds its multiple of the weight to a window of the result,
 * `y[b, i · stride + u · dilation - padding, j · stride + v · dilation - padding] += Σ x[b, i, j, c] · weight[c, :, u, v]` over c, plus
 * bias: what the gradient of `conv2d` does to its input. `x [B, h, w, C]`, `weight [C, D, kh, kw]` as in PyTorch, `bias [D]` →
 * `[B, H, W, D]` with H = (h - 1) stride - 2 padding + dilation (kh - 1) + 1 + outputPadding, and W alike. Stride, padding, outputPadding
 * and dilation may be `[down, across]`.
 *
 * ```ts
 * const y = convTranspose2d(x, weight, { stride: 2 }); // [B, 16, 16, 32], [32, 8, 2, 2] → [B, 32, 32, 8]
 * ```
 *
 * @throws ShapeError when channels differ, nothing would be left, or a number is not whole.
 */
export function convTranspose2d(x: Tensor, weight: Tensor, options: ConvTranspose2dOptions = {}): Tensor {
  const op = 'convTranspose2d';
  checkOptions(op, options, ['bias', 'stride', 'padding', 'outputPadding', 'dilation', 'channels']);
  const { bias, channels = 'last', stride: by = 1, padding: cut = 0, outputPadding = 0, dilation: apart = 1 } = options;
  checkChoice(op, 'channels', channels, ['first', 'last']);
  const shapes = { x: x.shape, weight: weight.shape, ...(bias && { bias: bias.shape }) };
  const [inputs, out, high, wide] = weight.shape;
  if (!inputs || !out || !high || !wide || weight.shape.length !== 4) {
    throw new ShapeError(op, 'the weight must be [C, D, kh, kw], with inputs and outputs', shapes);
  }
  if (x.shape.length !== 4 || x.shape[channels === 'first' ? 1 : 3] !== inputs) {
    const layout = channels === 'first' ? '[B, C, H, W]' : '[B, H, W, C]';
    throw new ShapeError(op, `x must be ${layout} with the C of the weight`, shapes);
  }
  if (bias && (bias.shape.length !== 1 || bias.shape[0] !== out)) {
    throw new ShapeError(op, 'the bias must be [D]', shapes);
  }
  const stride = pairOf(op, 'stride', by, 1, shapes);
  const dilation = pairOf(op, 'dilation', apart, 1, shapes);
  const padding = pairOf(op, 'padding', cut, 0, shapes);
  const more = pairOf(op, 'outputPadding', outputPadding, 0, shapes);
  for (const axis of [0, 1] as const) {
    if (more[axis] < Math.max(stride[axis], dilation[axis])) continue;
    throw new ShapeError(op, `the outputPadding must be below the stride or the dilation (${inWords(more)})`, shapes);
  }
  const last = channels === 'first' ? permute(x, [0, 2, 3, 1]) : x;
  const [batch, rows, cols] = last.shape as [number, number, number, number];
  const side = (axis: 0 | 1, count: number, length: number) =>
    (count - 1) * stride[axis] - 2 * padding[axis] + dilation[axis] * (length - 1) + 1 + more[axis];
  const [height, width] = [side(0, rows, high), side(1, cols, wide)];
  if (height < 1 || width < 1 || rows === 0 || cols === 0) {
    throw new ShapeError(op, `nothing is left of ${rows} × ${cols} windows, with padding ${inWords(padding)}`, shapes);
  }
  const flat = reshape(permute(weight, [2, 3, 1, 0]), [high * wide * out, inputs]);
  const windows = { high, wide, rows, cols, stride, padding, dilation };
  const y = fold(linear(last, flat), windows, [batch, height, width, out]);
  return bias ? add(y, bias) : y;
}
