import type { Tensor } from '../../tensor/graph/index.ts';
import { type Shape, ShapeError } from '../../tensor/values/index.ts';
import { checkChoice, checkOperands, checkOptions, sum } from '../axis/index.ts';
import { type Activation, activations, add, gelu, mul, relu } from '../elementwise/index.ts';
import { permute, reshape } from '../layout/index.ts';
import { linear, matmul } from '../matmul/index.ts';
import { checkFit, checkWhole, inWords, type Pair, pairOf, windowCount } from './pairs.ts';
import { unfoldWindows, type Windows } from './windows.ts';

/** Of {@link conv1d}; one number for its one axis. */
export interface Conv1dOptions {
  /** `[D]`, added at every place. */
  readonly bias?: Tensor | undefined;
  /** Applied last; without groups in the same launch as the product. */
  readonly activation?: Activation | undefined;
  /** Pixels from one window to the next. Default: 1. */
  readonly stride?: number;
  /** Zeros around, on each side. `'same'`: as many as leave the size as it is, one more at the end if they are odd. Default: 0. */
  readonly padding?: number | 'same';
  /** Pixels from one pixel of a window to its next. Default: 1. */
  readonly dilation?: number;
  /** Channels are divided into so many groups, each convolved by its own part of the weight: as many as channels is depthwise. Default: 1. */
  readonly groups?: number;
  /** Where the channels are, in x and in the result: `last` is `[B, …, C]`, `first` is `[B, C, …]`. Default: last. */
  readonly channels?: 'first' | 'last';
}

export interface Conv2dOptions extends Omit<Conv1dOptions, 'stride' | 'padding' | 'dilation'> {
  /** Pixels from one window to the next. Default: 1. */
  readonly stride?: Pair;
  /**
   * Zeros around the image, on each side, or `[above and below, left and right]`. `'same'`: as many as leave the size as it is, one more
   * below and to the right if they are odd. Default: 0.
   */
  readonly padding?: Pair | 'same';
  /** Pixels from one pixel of a window to its next. Default: 1. */
  readonly dilation?: Pair;
}

const names = ['bias', 'activation', 'stride', 'padding', 'dilation', 'groups', 'channels'];

/**
 * Convolution of images: `y[b, i, j] = activation(Σ weight[:, c, u, v] · x[b, i · stride + u · dilation - padding,
 * j · stride + v · dilation - padding, c] + bias)` over c, u, v, where `x` is zero outside; the weight is not turned around, as in
 * PyTorch. `x [B, H, W, groups · C]`, `weight [D, C, kh, kw]`, `bias [D]` → `[B, h, w, D]` with
 * h = ⌊(H + 2 padding - dilation (kh - 1) - 1) / stride⌋ + 1, and w alike. Stride, padding and dilation may be `[down, across]`. Of G
 * groups, group g of the channels makes results g D / G … (g + 1) D / G.
 *
 * The windows become the rows of a matrix, and the convolution its product with the weight, one a group (a sum of elements where
 * groups have one channel). So are the gradients of weight and bias; that of `x` sums for every element what all windows that see it
 * send back. With channels first `[B, groups · C, H, W]` → `[B, D, h, w]`, which takes a turn before and after.
 *
 * ```ts
 * const y = conv2d(image, weight, { stride: 2, padding: 1 }); // [B, 64, 64, 3], [24, 3, 3, 3] → [B, 32, 32, 24]
 * const z = conv2d(y, depthwise, { padding: 1, groups: 24 }); // [B, 32, 32, 24], [24, 1, 3, 3] → [B, 32, 32, 24]
 * ```
 *
 * @throws ShapeError when channels differ, the window is larger than the padded image, groups do not divide the channels, stride,
 * padding or dilation are no whole numbers, or `'same'` is asked for with a stride.
 */
export function conv2d(x: Tensor, weight: Tensor, options: Conv2dOptions = {}): Tensor {
  checkOptions('conv2d', options, names);
  checkOperands('conv2d', { x, weight, ...(options.bias && { bias: options.bias }) });
  const shapes = { x: x.shape, weight: weight.shape, ...(options.bias && { bias: options.bias.shape }) };
  const [out, inputs, high, wide] = weight.shape;
  if (out === undefined || !inputs || !high || !wide || weight.shape.length !== 4) {
    throw new ShapeError('conv2d', 'the weight must be [D, C, kh, kw], with inputs', shapes);
  }
  return convolution('conv2d', x, weight, options, shapes, ['[B, H, W, C]', '[B, C, H, W]']);
}

/**
 * Convolution along one axis: `y[b, i] = activation(Σ weight[:, c, u] · x[b, i · stride + u · dilation - padding, c] + bias)` over c and
 * u. `x [B, L, groups · C]`, `weight [D, C, k]`, `bias [D]` → `[B, l, D]`; with channels first `[B, groups · C, L]` → `[B, D, l]`. As
 * {@link conv2d} in everything else.
 *
 * ```ts
 * const y = conv1d(signal, weight, { padding: 1 }); // [B, 1000, 2], [16, 2, 3] → [B, 1000, 16]
 * ```
 *
 * @throws ShapeError as {@link conv2d}.
 */
export function conv1d(x: Tensor, weight: Tensor, options: Conv1dOptions = {}): Tensor {
  checkOptions('conv1d', options, names);
  checkOperands('conv1d', { x, weight, ...(options.bias && { bias: options.bias }) });
  const { stride = 1, padding = 0, dilation = 1, channels = 'last' } = options;
  const shapes = { x: x.shape, weight: weight.shape, ...(options.bias && { bias: options.bias.shape }) };
  const [out, inputs, length] = weight.shape;
  if (out === undefined || !inputs || !length || weight.shape.length !== 3) {
    throw new ShapeError('conv1d', 'the weight must be [D, C, k], with inputs', shapes);
  }
  const layouts = ['[B, L, C]', '[B, C, L]'] as const;
  const [batch = 0, second = 0, third = 0] = x.shape;
  if (x.shape.length !== 3) {
    throw new ShapeError('conv1d', `x must be ${layouts[Number(channels === 'first')]}`, shapes);
  }
  const image = reshape(x, channels === 'first' ? [batch, second, 1, third] : [batch, 1, second, third]);
  // Checked here, where they are one number.
  checkWhole('conv1d', 'stride', stride, 1, shapes);
  checkWhole('conv1d', 'dilation', dilation, 1, shapes);
  if (padding !== 'same') checkWhole('conv1d', 'padding', padding, 0, shapes);
  const line: Conv2dOptions = {
    ...options,
    stride: [1, stride],
    padding: padding === 'same' ? padding : [0, padding],
    dilation: [1, dilation],
  };
  const y = convolution('conv1d', image, reshape(weight, [out, inputs, 1, length]), line, shapes, layouts);
  return reshape(y, channels === 'first' ? [batch, out, y.shape[3] as number] : [batch, y.shape[2] as number, out]);
}

/** @internal Of images whose weight is `[D, C, kh, kw]`; `shapes` and `layouts`, by channels, are what errors show. */
export function convolution(
  op: string,
  x: Tensor,
  weight: Tensor,
  options: Conv2dOptions,
  shapes: Readonly<Record<string, Shape>>,
  layouts: readonly [string, string],
): Tensor {
  const { bias, activation, stride: by = 1, padding: zeros = 0, dilation: apart = 1 } = options;
  const { groups = 1, channels = 'last' } = options;
  checkChoice(op, 'channels', channels, ['first', 'last']);
  if (activation !== undefined) checkChoice(op, 'activation', activation, activations);
  const [out, inputs, high, wide] = weight.shape as [number, number, number, number];
  if (!Number.isInteger(groups) || groups < 1 || out % groups !== 0) {
    throw new ShapeError(op, `the groups must be a whole number that divides D (${groups} and ${out})`, shapes);
  }
  if (x.shape.length !== 4 || x.shape[channels === 'first' ? 1 : 3] !== inputs * groups) {
    const layout = layouts[Number(channels === 'first')];
    const count = groups === 1 ? 'the C of the weight' : `${groups} times the C of the weight (${groups * inputs})`;
    throw new ShapeError(op, `x must be ${layout} with ${count}`, shapes);
  }
  if (bias && (bias.shape.length !== 1 || bias.shape[0] !== out)) {
    throw new ShapeError(op, 'the bias must be [D]', shapes);
  }
  const stride = pairOf(op, 'stride', by, 1, shapes);
  const dilation = pairOf(op, 'dilation', apart, 1, shapes);
  const around = aroundOf(op, zeros, [high, wide], stride, dilation, shapes);
  const padding = [Math.floor(around[0] / 2), Math.floor(around[1] / 2)] as const;
  const last = channels === 'first' ? permute(x, [0, 2, 3, 1]) : x;
  const [batch, height, across] = last.shape as [number, number, number, number];
  const rows = windowCount(height, high, around[0], stride[0], dilation[0]);
  const cols = windowCount(across, wide, around[1], stride[1], dilation[1]);
  const windows: Windows = { high, wide, rows, cols, stride, padding, dilation };
  checkFit(op, windows, shapes);
  const isPixel = [high, wide, ...stride].every((n) => n === 1) && [...around].every((n) => n === 0);
  const unfolded = isPixel ? last : unfoldWindows(last, windows);
  const byPixel = permute(weight, [0, 2, 3, 1]);
  const taps = high * wide;
  const made = (y: Tensor) => {
    const image = reshape(y, [batch, rows, cols, out]);
    return channels === 'first' ? permute(image, [0, 3, 1, 2]) : image;
  };
  if (groups === 1) return made(linear(unfolded, reshape(byPixel, [out, taps * inputs]), { bias, activation }));
  const places = batch * rows * cols;
  const y =
    inputs === 1
      ? depthwise(reshape(unfolded, [places, taps, groups, 1]), weight)
      : perGroup(reshape(unfolded, [places, taps, groups, inputs]), byPixel);
  const joined = reshape(y, [batch, rows, cols, out]);
  return made(activated(bias ? add(joined, bias) : joined, activation));
}

/** `windows [P, taps, G, C]` and the weight `[D, kh, kw, C]`: one product a group → `[P, G, D / G]`. */
function perGroup(windows: Tensor, byPixel: Tensor): Tensor {
  const [places, taps, groups, inputs] = windows.shape as [number, number, number, number];
  const left = reshape(permute(windows, [2, 0, 1, 3]), [groups, places, taps * inputs]);
  const right = reshape(byPixel, [groups, -1, taps * inputs]);
  return permute(matmul(left, right, { transposeB: true }), [1, 0, 2]);
}

/**
 * `windows [P, taps, G, 1]` and the weight `[D, 1, kh, kw]` → `[P, G, D / G]`: elements times elements, then a sum. A window of 3 × 3 over
 * [4, 32, 32, 64] takes 28 ms so on lavapipe, 245 ms as 64 products of one column.
 */
function depthwise(windows: Tensor, weight: Tensor): Tensor {
  const [, taps, groups] = windows.shape as [number, number, number];
  const byTap = reshape(permute(weight, [2, 3, 1, 0]), [taps, groups, -1]);
  return sum(mul(windows, byTap), { axes: 1 });
}

function activated(x: Tensor, activation: Activation | undefined): Tensor {
  if (activation === undefined) return x;
  if (activation === 'relu') return relu(x);
  return gelu(x, ({ gelu: 'erf', 'gelu-tanh': 'tanh', 'quick-gelu': 'quick' } as const)[activation]);
}

/** Zeros at both ends together, down and across. */
function aroundOf(
  op: string,
  padding: unknown,
  window: readonly [number, number],
  stride: readonly [number, number],
  dilation: readonly [number, number],
  shapes: Readonly<Record<string, Shape>>,
): readonly [number, number] {
  if (padding !== 'same') {
    const [down, across] = pairOf(op, 'padding', padding, 0, shapes);
    return [2 * down, 2 * across];
  }
  if (stride[0] !== 1 || stride[1] !== 1) {
    throw new ShapeError(op, `the padding 'same' needs a stride of 1 (${inWords(stride)})`, shapes);
  }
  return [dilation[0] * (window[0] - 1), dilation[1] * (window[1] - 1)];
}
