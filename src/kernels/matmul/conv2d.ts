import { kernel } from '../../gpu/index.ts';
import { differentiable, dispatch, empty, type Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import { checkChoice, checkOptions, eachRow, rowConstants, rowGrid, rowOverrides, rowPlace } from '../axis/index.ts';
import { type Activation, activations } from '../elementwise/index.ts';
import { permute, reshape } from '../layout/index.ts';
import { linear } from './matmul.ts';

export interface Conv2dOptions {
  /** `[D]`, added at every place. */
  readonly bias?: Tensor | undefined;
  /** Applied last, in the same launch as the product. */
  readonly activation?: Activation | undefined;
  /** Pixels from one window to the next. Default: 1. */
  readonly stride?: number;
  /** Zeros around the image, on each side. Default: 0. */
  readonly padding?: number;
  /** Where the channels of `x` are: `last` is `[B, H, W, C]`, `first` is `[B, C, H, W]`. Default: last. */
  readonly channels?: 'first' | 'last';
}

/**
 * Convolution of images, channels last: `y[b, i, j] = activation(Σ weight[:, c, u, v] · x[b, i · stride + u - padding,
 * j · stride + v - padding, c] + bias)` over c, u, v, where `x` is zero outside; the weight is not turned around, as in PyTorch.
 * `x [B, H, W, C]`, `weight [D, C, kh, kw]`, `bias [D]` → `[B, h, w, D]` with h = ⌊(H + 2 padding - kh) / stride⌋ + 1, and w
 * alike.
 *
 * The windows become the rows of a matrix, and the convolution its product with the weight. So are the gradients of weight and
 * bias; that of `x` sums for every element what all windows that see it send back.
 *
 * ```ts
 * const y = conv2d(image, weight, { stride: 2, padding: 1, channels: 'first' }); // [B, 3, 64, 64], [24, 3, 3, 3] → [B, 32, 32, 24]
 * ```
 *
 * @throws ShapeError when channels differ, the window is larger than the padded image, or stride or padding are no whole numbers.
 */
export function conv2d(x: Tensor, weight: Tensor, options: Conv2dOptions = {}): Tensor {
  checkOptions('conv2d', options, ['bias', 'activation', 'stride', 'padding', 'channels']);
  const { bias, activation, stride = 1, padding = 0, channels = 'last' } = options;
  checkChoice('conv2d', 'channels', channels, ['first', 'last']);
  if (activation !== undefined) checkChoice('conv2d', 'activation', activation, activations);
  const [out, inputs, high, wide] = weight.shape;
  const shapes = { x: x.shape, weight: weight.shape, ...(bias && { bias: bias.shape }) };
  if (out === undefined || !inputs || !high || !wide || weight.shape.length !== 4) {
    throw new ShapeError('conv2d', 'the weight must be [D, C, kh, kw], with inputs', shapes);
  }
  if (x.shape.length !== 4 || x.shape[channels === 'first' ? 1 : 3] !== inputs) {
    const layout = channels === 'first' ? '[B, C, H, W]' : '[B, H, W, C]';
    throw new ShapeError('conv2d', `x must be ${layout} with the C of the weight`, shapes);
  }
  if (bias && (bias.shape.length !== 1 || bias.shape[0] !== out)) {
    throw new ShapeError('conv2d', 'the bias must be [D]', shapes);
  }
  if (!Number.isInteger(stride) || stride < 1) {
    throw new ShapeError('conv2d', `the stride must be a whole number above 0 (${stride})`, shapes);
  }
  if (!Number.isInteger(padding) || padding < 0) {
    throw new ShapeError('conv2d', `the padding must be a whole number, 0 or more (${padding})`, shapes);
  }
  const last = channels === 'first' ? permute(x, [0, 2, 3, 1]) : x;
  const [batch, height, across] = last.shape as [number, number, number, number];
  const rows = Math.floor((height + 2 * padding - high) / stride) + 1;
  const cols = Math.floor((across + 2 * padding - wide) / stride) + 1;
  if (rows < 1 || cols < 1) {
    throw new ShapeError('conv2d', `a window of ${high} × ${wide} does not fit, with padding ${padding}`, shapes);
  }
  const windows = { high, wide, rows, cols, stride, padding };
  const isPixel = high === 1 && wide === 1 && stride === 1 && padding === 0;
  const unfolded = isPixel ? last : unfold(last, windows);
  const flat = reshape(permute(weight, [0, 2, 3, 1]), [out, high * wide * inputs]);
  return reshape(linear(unfolded, flat, { bias, activation }), [batch, rows, cols, out]);
}

interface Windows {
  /** Of a window. */
  readonly high: number;
  readonly wide: number;
  /** How many windows there are, down and across. */
  readonly rows: number;
  readonly cols: number;
  readonly stride: number;
  readonly padding: number;
}

/** All windows of `x [B, H, W, C]` as rows `[B, rows, cols, high · wide · C]`, listed by line, column, channel. */
function unfold(x: Tensor, windows: Windows): Tensor {
  const [batch, height, across, channels] = x.shape as [number, number, number, number];
  const { high, wide, rows: down, cols, stride, padding } = windows;
  const y = empty(x, [batch, down, cols, high * wide * channels]);
  const inVec4s = channels % 4 === 0;
  const element = inVec4s ? 'vec4<T>' : 'T';
  const pixel = inVec4s ? channels / 4 : channels;
  const geometry = { height, across, channels: pixel, high, wide, down, cols, stride, padding };
  const rowShape = { rows: batch * down * cols * high, width: wide * pixel };
  dispatch(unfoldKernels[element], { x, y }, { ...geometry, ...rowShape }, laneOfRows(x, rowShape));
  return differentiable(y, [x], (dy) => {
    const dx = empty(x);
    const pixels = { rows: batch * height * across, width: pixel };
    dispatch(foldKernels[element], { dy, dx }, { ...geometry, ...pixels }, laneOfRows(x, pixels));
    return [dx];
  });
}

/**
 * On a CPU one thread a row: finding out where a row comes from takes longer than moving it, and so is done for eight rows at once.
 * The first convolution of 64 images of 32² pixels: unfold 9.4 ms with the eight threads of {@link rowConstants}, 2.0 ms so.
 */
function laneOfRows({ device }: Tensor, rows: { rows: number; width: number }): { THREADS: number; EACH: number } {
  return rowConstants(device, rows, 1);
}

const params = {
  rows: 'u32',
  width: 'u32',
  height: 'u32',
  across: 'u32',
  channels: 'u32',
  high: 'u32',
  wide: 'u32',
  down: 'u32',
  cols: 'u32',
  stride: 'u32',
  padding: 'u32',
} as const;

// Rows are lines of windows: neighbours in the image, all channels of a few pixels, but for those that lie outside.
const unfoldKernel = (element: 'T' | 'vec4<T>') =>
  kernel({
    name: 'unfold',
    bind: { x: `read ${element}`, y: `write ${element}` },
    params,
    override: rowOverrides,
    use: [rowPlace],
    grid: rowGrid,
    wgsl: eachRow(/* wgsl */ `
  let window = row / params.high;
  let line = window / params.cols;
  let batch = line / params.down;
  // Above and left of the image this wraps around and is too large as well.
  let inRow = (line - batch * params.down) * params.stride + (row - window * params.high) - params.padding;
  let inCol = (window - line * params.cols) * params.stride - params.padding;
  let first = ((batch * params.height + inRow) * params.across + inCol) * params.channels;
  let start = inCol * params.channels;
  let end = select(0u, params.across * params.channels, inRow < params.height);
  for (var i = place.start; i < place.end; i += THREADS) {
    var value = ${element}();
    if (start + i < end) { value = x[first + i]; }
    y[row * params.width + i] = value;
  }`),
  });
const unfoldKernels = { T: /*#__PURE__*/ unfoldKernel('T'), 'vec4<T>': /*#__PURE__*/ unfoldKernel('vec4<T>') };

// Rows are pixels of the image; each looks up the windows that it lies in.
const foldKernel = (element: 'T' | 'vec4<T>', sum: 'f32' | 'vec4f') =>
  kernel({
    name: 'fold',
    bind: { dy: `read ${element}`, dx: `write ${element}` },
    params,
    override: rowOverrides,
    use: [rowPlace],
    grid: rowGrid,
    wgsl: eachRow(/* wgsl */ `
  let line = row / params.across;
  let batch = line / params.height;
  let inRow = line - batch * params.height + params.padding;
  let inCol = row - line * params.across + params.padding;
  let rowEnd = min(inRow / params.stride + 1u, params.down);
  let colEnd = min(inCol / params.stride + 1u, params.cols);
  let rowStart = (max(inRow + params.stride, params.high) - params.high) / params.stride;
  let colStart = (max(inCol + params.stride, params.wide) - params.wide) / params.stride;
  for (var i = place.start; i < place.end; i += THREADS) {
    var total = ${sum}();
    for (var r = rowStart; r < rowEnd; r++) {
      for (var c = colStart; c < colEnd; c++) {
        let window = (batch * params.down + r) * params.cols + c;
        let pixel = (inRow - r * params.stride) * params.wide + inCol - c * params.stride;
        total += ${sum}(dy[(window * params.high * params.wide + pixel) * params.width + i]);
      }
    }
    dx[row * params.width + i] = ${element}(total);
  }`),
  });
const foldKernels = {
  T: /*#__PURE__*/ foldKernel('T', 'f32'),
  'vec4<T>': /*#__PURE__*/ foldKernel('vec4<T>', 'vec4f'),
};
