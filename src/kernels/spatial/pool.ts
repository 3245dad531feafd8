import { kernel, notNumbers } from '../../gpu/index.ts';
import { differentiable, dispatch, empty, type Tensor } from '../../tensor/graph/index.ts';
import { type Shape, ShapeError } from '../../tensor/values/index.ts';
import {
  checkChoice,
  checkFloats,
  checkOptions,
  eachRow,
  mean,
  rowGrid,
  rowOverrides,
  rowPlace,
} from '../axis/index.ts';
import { resample, reshape, takeAlongAxis } from '../layout/index.ts';
import { checkFit, checkWhole, inWords, type Pair, pairOf, windowCount } from './pairs.ts';
import { laneOfRows, steps, windowParams, windowsOfPixel } from './windows.ts';

export interface PoolOptions {
  /** Pixels from one window to the next. Default: the window's own size. */
  readonly stride?: Pair;
  /** Pixels around the image that windows reach into, at most half of them; or `[above and below, left and right]`. Default: 0. */
  readonly padding?: Pair;
  /**
   * Whether a last window that reaches beyond the padded image counts, if it begins before the padding below: also where it is the only one.
   * Default: false.
   */
  readonly ceilMode?: boolean;
  /** Where the channels are, in x and in the result: `last` is `[B, H, W, C]`, `first` is `[B, C, H, W]`. Default: last. */
  readonly channels?: 'first' | 'last';
}

export interface MaxPoolOptions extends PoolOptions {
  /** Pixels from one pixel of a window to its next. Default: 1. */
  readonly dilation?: Pair;
}

export interface AvgPoolOptions extends PoolOptions {
  /** Padding counts as zeros, as in PyTorch; without it, windows at the border are averages of what lies inside. Default: true. */
  readonly countPadding?: boolean;
}

/**
 * The maximum of each window and channel: `y[b, i, j, c] = max x[b, i · stride + u · dilation - padding, j · stride + v · dilation -
 * padding, c]` over u, v < window, of the pixels inside of the image. `x [B, H, W, C]` → `[B, h, w, C]` with
 * h = ⌊(H + 2 padding - dilation (window - 1) - 1) / stride⌋ + 1, and w alike (⌈ ⌉ with `ceilMode`); channels first likewise. Window, stride, padding and
 * dilation may be `[down, across]`. NaN if there is one. The gradient goes to the first maximum of each window, line by line.
 *
 * ```ts
 * maxPool2d(x, 2).shape; // [B, 32, 32, 16] → [B, 16, 16, 16]
 * maxPool2d(x, 3, { stride: 2, padding: 1 }).shape; // [B, 32, 32, 16] → [B, 16, 16, 16]
 * ```
 *
 * @throws ShapeError when the window is larger than the padded image, the padding more than half of it, a dilated window has no pixel of
 * the image, or a number is not whole.
 */
export function maxPool2d(x: Tensor, window: Pair, options: MaxPoolOptions = {}): Tensor {
  checkOptions('maxPool2d', options, ['stride', 'padding', 'dilation', 'ceilMode', 'channels']);
  const { image, made, high, wide, rows, cols, stride, padding, dilation } = pooled('maxPool2d', x, window, options);
  const [batch, height, across, width] = image.shape as [number, number, number, number];
  const y = empty(x, [batch, rows, cols, width]);
  const index = empty(x, y.shape, 'u32');
  const [top, left] = padding;
  const geometry = { height, across, high, wide, down: rows, cols, top, left, ...steps(stride, dilation) };
  const windows = { rows: batch * rows * cols, width };
  dispatch(maxPool, { x: image, y, index }, { ...geometry, ...windows }, laneOfRows(x, windows));
  differentiable(y, [image], (dy) => {
    const dx = empty(image);
    const pixels = { rows: batch * height * across, width };
    dispatch(maxPoolBackward, { dy, index, dx }, { ...geometry, ...pixels }, laneOfRows(x, pixels));
    return [
      differentiable(dx, [dy], (u) => {
        const flat = reshape(u, [batch, height * across, width]);
        return [reshape(takeAlongAxis(flat, reshape(index, [batch, rows * cols, width]), 1), y.shape)];
      }),
    ];
  });
  return reshape(y, made);
}

/**
 * The mean of each window and channel; sizes and windows as {@link maxPool2d}. Rows and columns are averaged one after the other: two
 * launches, as for the gradient, which each window divides equally among its pixels.
 *
 * ```ts
 * avgPool2d(x, 2).shape; // [B, 32, 32, 16] → [B, 16, 16, 16]
 * ```
 *
 * @throws ShapeError as {@link maxPool2d}.
 */
export function avgPool2d(x: Tensor, window: Pair, options: AvgPoolOptions = {}): Tensor {
  checkOptions('avgPool2d', options, ['stride', 'padding', 'ceilMode', 'channels', 'countPadding']);
  const { countPadding = true } = options;
  const { image, made, high, wide, rows, cols, stride, padding } = pooled('avgPool2d', x, window, options);
  const [, ...sides] = image.shape as [number, number, number, number];
  const along = (axis: 0 | 1, count: number, length: number) =>
    Array.from({ length: count }, (_, i) => {
      const start = i * stride[axis] - padding[axis];
      // What lies beyond the padding counts for nothing, as in PyTorch.
      const counted = Math.min(start + length, sides[axis] + padding[axis]) - start;
      return average(Math.max(start, 0), Math.min(start + length, sides[axis]), countPadding ? counted : undefined);
    });
  return reshape(averaged(image, along(0, rows, high), along(1, cols, wide)), made);
}

/**
 * Means over windows that divide the image into `height × width` of equal size, or nearly: window i goes from ⌊i H / height⌋ up to
 * ⌈(i + 1) H / height⌉, as in PyTorch. `[B, H, W, C]` → `[B, height, width, C]`; channels first likewise. With 1 and 1 it is global
 * average pooling.
 *
 * ```ts
 * adaptiveAvgPool2d(x, 1, 1).shape; // [B, 7, 7, 512] → [B, 1, 1, 512]
 * ```
 *
 * @throws ShapeError when x has no pixels, or a side is 0 or no whole number.
 */
export function adaptiveAvgPool2d(
  x: Tensor,
  height: number,
  width: number,
  options: { readonly channels?: 'first' | 'last' } = {},
): Tensor {
  const op = 'adaptiveAvgPool2d';
  checkOptions(op, options, ['channels']);
  const { channels = 'last' } = options;
  const { image, back } = channelsLast(op, x, channels);
  checkWhole(op, 'height', height, 1, { x: x.shape });
  checkWhole(op, 'width', width, 1, { x: x.shape });
  if (height === 1 && width === 1) return mean(x, { axes: channels === 'first' ? [2, 3] : [1, 2], keepDims: true });
  const along = (count: number, axis: number) =>
    Array.from({ length: count }, (_, i) =>
      average(Math.floor((i * axis) / count), Math.ceil(((i + 1) * axis) / count)),
    );
  const [, rows, cols] = image.shape as [number, number, number, number];
  return reshape(averaged(image, along(height, rows), along(width, cols)), back(height, width));
}

/** Weights of the places from `start` up to `end`: equal, one `count`-th each. */
function average(start: number, end: number, count: number = end - start): ReadonlyMap<number, number> {
  return new Map(Array.from({ length: end - start }, (_, i) => [start + i, 1 / count]));
}

function averaged(x: Tensor, rows: readonly ReadonlyMap<number, number>[], cols: typeof rows): Tensor {
  const [batch, height, across, channels] = x.shape as [number, number, number, number];
  const tall = { outer: batch, length: height, inner: across * channels };
  const y = resample(x, tall, [batch, rows.length, across, channels], rows);
  const flat = { outer: batch * rows.length, length: across, inner: channels };
  return resample(y, flat, [batch, rows.length, cols.length, channels], cols);
}

/** An image with its channels last, or, where they are first, each channel as an image of one; and the shape of a result. */
export function channelsLast(
  op: string,
  x: Tensor,
  channels: 'first' | 'last',
): { image: Tensor; back: (rows: number, cols: number) => Shape } {
  checkFloats(op, { x });
  checkChoice(op, 'channels', channels, ['first', 'last']);
  const isFirst = channels === 'first';
  const [batch = 0, second = 0, third = 0, fourth = 0] = x.shape;
  if (x.shape.length !== 4 || (isFirst ? third * fourth : second * third) === 0) {
    throw new ShapeError(op, `x must be ${isFirst ? '[B, C, H, W]' : '[B, H, W, C]'}, with pixels`, { x: x.shape });
  }
  return {
    image: isFirst ? reshape(x, [batch * second, third, fourth, 1]) : x,
    back: (rows: number, cols: number): Shape => (isFirst ? [batch, second, rows, cols] : [batch, rows, cols, fourth]),
  };
}

function pooled(op: string, x: Tensor, window: Pair, options: MaxPoolOptions) {
  checkFloats(op, { x });
  const shapes = { x: x.shape };
  const { padding: around = 0, dilation: apart = 1, ceilMode = false, channels = 'last' } = options;
  const { image, back } = channelsLast(op, x, channels);
  const sides = pairOf(op, 'window', window, 1, shapes);
  const { stride: by = sides } = options;
  const stride = pairOf(op, 'stride', by, 1, shapes);
  const padding = pairOf(op, 'padding', around, 0, shapes);
  const dilation = pairOf(op, 'dilation', apart, 1, shapes);
  const [high, wide] = sides;
  if (2 * padding[0] > high || 2 * padding[1] > wide) {
    const rule = `the padding must be at most half of the window (${inWords(padding)} of ${high} × ${wide})`;
    throw new ShapeError(op, rule, shapes);
  }
  const [, ...axes] = image.shape as [number, number, number, number];
  const count = (axis: 0 | 1) => {
    const around = 2 * padding[axis] + (ceilMode ? stride[axis] - 1 : 0);
    const all = windowCount(axes[axis], sides[axis], around, stride[axis], dilation[axis]);
    // None begins in the padding at the end.
    return ceilMode && (all - 1) * stride[axis] >= axes[axis] + padding[axis] ? all - 1 : all;
  };
  const [rows, cols] = [count(0), count(1)];
  checkFit(op, { rows, cols, high, wide, dilation, padding }, shapes);
  for (const axis of [0, 1] as const) {
    // Windows that begin before the image may step over all of it.
    const counted = axis === 0 ? rows : cols;
    for (let i = 0; i < counted && i * stride[axis] < padding[axis]; i++) {
      const before = padding[axis] - i * stride[axis];
      const steps = Math.ceil(before / dilation[axis]);
      if (steps < sides[axis] && steps * dilation[axis] < before + axes[axis]) continue;
      throw new ShapeError(op, `a window dilated by ${inWords(dilation)} has no pixel of the image`, shapes);
    }
  }
  return { image, made: back(rows, cols), high, wide, rows, cols, stride, padding, dilation };
}

// Rows are windows; an index is a pixel of the image.
const maxPool = /*#__PURE__*/ kernel({
  name: 'max-pool',
  bind: { x: 'read T', y: 'write T', index: 'write u32' },
  params: windowParams,
  override: rowOverrides,
  use: [rowPlace, notNumbers],
  grid: rowGrid,
  wgsl: /*#__PURE__*/ eachRow(/* wgsl */ `
  let line = row / params.cols;
  let batch = line / params.down;
  // Above and left of the image this wraps around and is too large as well.
  let top = (line - batch * params.down) * params.strideDown - params.top;
  let left = (row - line * params.cols) * params.strideAcross - params.left;
  for (var i = place.start; i < place.end; i += THREADS) {
    var best = 0.0;
    var at = 0u;
    var isEmpty = true;
    var isOver = false;
    for (var u = 0u; u < params.high; u++) {
      let inRow = top + u * params.dilationDown;
      if (inRow >= params.height) { continue; }
      for (var v = 0u; v < params.wide; v++) {
        let inCol = left + v * params.dilationAcross;
        if (inCol >= params.across) { continue; }
        let pixel = inRow * params.across + inCol;
        let value = f32(x[(batch * params.height * params.across + pixel) * params.width + i]);
        // Nothing beats the first NaN.
        if (!isOver && (isEmpty || isNan(value) || value > best)) {
          best = value;
          at = pixel;
          isEmpty = false;
          isOver = isNan(value);
        }
      }
    }
    y[row * params.width + i] = T(best);
    index[row * params.width + i] = at;
  }`),
});

// Rows are pixels of the image; each looks up the windows that it lies in, and whether it is their maximum.
const maxPoolBackward = /*#__PURE__*/ kernel({
  name: 'max-pool-backward',
  bind: { dy: 'read T', index: 'read u32', dx: 'write T' },
  params: windowParams,
  override: rowOverrides,
  use: [rowPlace],
  grid: rowGrid,
  wgsl: /*#__PURE__*/ eachRow(/* wgsl */ `${windowsOfPixel}
  let pixel = row - batch * params.height * params.across;
  for (var i = place.start; i < place.end; i += THREADS) {
    var total = 0.0;
    for (var r = rowStart; r < rowEnd; r++) {
      for (var c = colStart; c < colEnd; c++) {
        let window = ((batch * params.down + r) * params.cols + c) * params.width + i;
        if (index[window] == pixel) { total += f32(dy[window]); }
      }
    }
    dx[row * params.width + i] = T(total);
  }`),
});
