import type { Tensor } from '../../tensor/graph/index.ts';
import { type Shape, ShapeError } from '../../tensor/values/index.ts';
import { checkChoice, checkFloats, checkOptions } from '../axis/index.ts';
import { permute, reshape } from '../layout/index.ts';
import { checkFit, type Pair, pairOf, windowCount } from './pairs.ts';
import { foldWindows, unfoldWindows, type Windows } from './windows.ts';

export interface UnfoldOptions {
  /** Pixels from one window to the next. Default: 1. */
  readonly stride?: Pair;
  /** Zeros around the image, on each side, or `[above and below, left and right]`. Default: 0. */
  readonly padding?: Pair;
  /** Pixels from one pixel of a window to its next. Default: 1. */
  readonly dilation?: Pair;
  /** Where the channels are: `last` is `[B, H, W, C]` and `[B, L, kh · kw · C]`, `first` is `[B, C, H, W]` and `[B, C · kh · kw, L]`. Default: last. */
  readonly channels?: 'first' | 'last';
}

const names = ['stride', 'padding', 'dilation', 'channels'];

/**
 * The windows of images as rows (im2col): `x [B, H, W, C]` → `[B, L, kh · kw · C]`, of the L = h · w windows that a convolution has, line by
 * line; a row lists its pixels line by line, each with its channels, and zeros where a window reaches into the padding. With channels first
 * `[B, C, H, W]` → `[B, C · kh · kw, L]`, PyTorch's `unfold`. Window, stride, padding and dilation may be `[down, across]`. The gradient is
 * {@link fold} of dy.
 *
 * ```ts
 * const image = tensor(device, [1, 2, 3, 4, 5, 6], [1, 2, 3, 1]);
 * await read(unfold(image, [2, 2])); // [1, 2, 4, 5, 2, 3, 5, 6]
 * ```
 *
 * @throws ShapeError when x has not four axes, the window is larger than the padded image, or a number is not whole.
 */
export function unfold(x: Tensor, window: Pair, options: UnfoldOptions = {}): Tensor {
  checkFloats('unfold', { x });
  checkOptions('unfold', options, names);
  const isFirst = channelsFirst('unfold', options);
  const shapes = { x: x.shape };
  if (x.shape.length !== 4) {
    throw new ShapeError('unfold', `x must be ${isFirst ? '[B, C, H, W]' : '[B, H, W, C]'}`, shapes);
  }
  const [batch, second, third, fourth] = x.shape as [number, number, number, number];
  const windows = windowsOf('unfold', isFirst ? [third, fourth] : [second, third], window, options, shapes);
  const [count, taps] = [windows.rows * windows.cols, windows.high * windows.wide];
  if (!isFirst) return reshape(unfoldWindows(x, windows), [batch, count, taps * fourth]);
  // Each channel is an image of one.
  const rows = unfoldWindows(reshape(x, [batch * second, third, fourth, 1]), windows);
  return reshape(permute(reshape(rows, [batch * second, count, taps]), [0, 2, 1]), [batch, second * taps, count]);
}

/**
 * Images of windows (col2im), the transpose of {@link unfold}: `x [B, L, kh · kw · C]` → `[B, H, W, C]`, each pixel the sum of what all windows
 * have there; with channels first `[B, C · kh · kw, L]` → `[B, C, H, W]`, PyTorch's `fold`. `size` is `[H, W]`, or one number for both. Of
 * windows side by side it is the inverse of `unfold`; else divide by `fold(unfold(ones))`. The gradient is `unfold` of dy.
 *
 * ```ts
 * const windows = tensor(device, [1, 2, 4, 5, 2, 3, 5, 6], [1, 2, 4]);
 * await read(fold(windows, [2, 3], [2, 2])); // [1, 4, 3, 4, 10, 6]
 * ```
 *
 * @throws ShapeError when x has not three axes, an image of that size has not as many windows, a row is no whole number of pixels, or a number
 * is not whole.
 */
export function fold(x: Tensor, size: Pair, window: Pair, options: UnfoldOptions = {}): Tensor {
  checkFloats('fold', { x });
  checkOptions('fold', options, names);
  const isFirst = channelsFirst('fold', options);
  const shapes = { x: x.shape };
  if (x.shape.length !== 3) {
    throw new ShapeError('fold', `x must be ${isFirst ? '[B, C · kh · kw, L]' : '[B, L, kh · kw · C]'}`, shapes);
  }
  const [height, width] = pairOf('fold', 'size', size, 1, shapes);
  const windows = windowsOf('fold', [height, width], window, options, shapes);
  const { high, wide, rows, cols } = windows;
  const [batch, count, length] = (isFirst ? [0, 2, 1] : [0, 1, 2]).map((axis) => x.shape[axis]) as [
    number,
    number,
    number,
  ];
  if (count !== rows * cols) {
    const rule = `an image of ${height} × ${width} has ${rows} × ${cols} windows, and L must be ${rows * cols} (${count})`;
    throw new ShapeError('fold', rule, shapes);
  }
  const channels = length / (high * wide);
  if (!Number.isInteger(channels)) {
    throw new ShapeError('fold', `${length} is no multiple of the ${high} × ${wide} pixels of a window`, shapes);
  }
  if (!isFirst) return foldWindows(reshape(x, [batch, rows, cols, length]), windows, [batch, height, width, channels]);
  const each = permute(reshape(x, [batch * channels, high * wide, count]), [0, 2, 1]);
  const images = [batch * channels, height, width, 1];
  const y = foldWindows(reshape(each, [batch * channels, rows, cols, high * wide]), windows, images);
  return reshape(y, [batch, channels, height, width]);
}

function channelsFirst(op: string, { channels = 'last' }: UnfoldOptions): boolean {
  checkChoice(op, 'channels', channels, ['first', 'last']);
  return channels === 'first';
}

function windowsOf(
  op: string,
  [height, width]: readonly [number, number],
  window: Pair,
  { stride: by = 1, padding: around = 0, dilation: apart = 1 }: UnfoldOptions,
  shapes: Readonly<Record<string, Shape>>,
): Windows {
  const [high, wide] = pairOf(op, 'window', window, 1, shapes);
  const stride = pairOf(op, 'stride', by, 1, shapes);
  const padding = pairOf(op, 'padding', around, 0, shapes);
  const dilation = pairOf(op, 'dilation', apart, 1, shapes);
  const rows = windowCount(height, high, 2 * padding[0], stride[0], dilation[0]);
  const cols = windowCount(width, wide, 2 * padding[1], stride[1], dilation[1]);
  const windows = { high, wide, rows, cols, stride, padding, dilation };
  checkFit(op, windows, shapes);
  return windows;
}
