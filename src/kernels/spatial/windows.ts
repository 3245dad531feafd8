import { kernel } from '../../gpu/index.ts';
import { differentiable, dispatch, empty, type Tensor } from '../../tensor/graph/index.ts';
import type { Shape } from '../../tensor/values/index.ts';
import { eachRow, rowConstants, rowGrid, rowOverrides, rowPlace } from '../axis/index.ts';

/** Windows over an image, and which pixels each has. */
export interface Windows {
  /** Of a window. */
  readonly high: number;
  readonly wide: number;
  /** How many windows there are, down and across. */
  readonly rows: number;
  readonly cols: number;
  /** From one window to the next, down and across; so are the others. */
  readonly stride: readonly [number, number];
  /** Pixels above the image and to the left of it. */
  readonly padding: readonly [number, number];
  /** From one pixel of a window to its next. */
  readonly dilation: readonly [number, number];
}

/** All windows of `x [B, H, W, C]` as rows `[B, rows, cols, high · wide · C]`, listed by line, column, channel. Its gradient is {@link foldWindows}. */
export function unfoldWindows(x: Tensor, windows: Windows): Tensor {
  const [batch, , , channels] = x.shape as [number, number, number, number];
  const { high, wide, rows: down, cols, dilation } = windows;
  const y = empty(x, [batch, down, cols, high * wide * channels]);
  const { element, pixel, geometry } = geometryOf(x.shape, windows);
  // A line of a window stays together, but where its pixels do not follow each other.
  const pieces = dilation[1] === 1 ? 1 : wide;
  const rows = { rows: batch * down * cols * high * pieces, width: (wide / pieces) * pixel };
  dispatch(unfoldKernels[element], { x, y }, { ...geometry, ...rows, channels: pixel, pieces }, laneOfRows(x, rows));
  return differentiable(y, [x], (dy) => [foldWindows(dy, windows, x.shape)]);
}

/** An image `[B, H, W, C]` whose pixels sum what all windows `x [B, rows, cols, high · wide · C]` have there. Its gradient is {@link unfoldWindows}. */
export function foldWindows(x: Tensor, windows: Windows, shape: Shape): Tensor {
  const [batch, height, across] = shape as [number, number, number, number];
  const y = empty(x, shape);
  const { element, pixel, geometry } = geometryOf(shape, windows);
  const pixels = { rows: batch * height * across, width: pixel };
  dispatch(foldKernels[element], { x, y }, { ...geometry, ...pixels }, laneOfRows(x, pixels));
  return differentiable(y, [x], (dy) => [unfoldWindows(dy, windows)]);
}

function geometryOf(shape: Shape, { high, wide, rows, cols, stride, padding, dilation }: Windows) {
  const [, height, across, channels] = shape as [number, number, number, number];
  const inVec4s = channels % 4 === 0;
  const pixel = inVec4s ? channels / 4 : channels;
  const [top, left] = padding;
  return {
    element: inVec4s ? ('vec4<T>' as const) : ('T' as const),
    pixel,
    geometry: { height, across, high, wide, down: rows, cols, top, left, ...steps(stride, dilation) },
  };
}

/**
 * On a CPU one thread a row: finding out where a row comes from takes longer than moving it, and so is done for eight rows at once.
 * The first convolution of 64 images of 32² pixels: unfold 9.4 ms with the eight threads of {@link rowConstants}, 2.0 ms so.
 */
export function laneOfRows(
  { device }: Tensor,
  rows: { rows: number; width: number },
): { THREADS: number; EACH: number } {
  return rowConstants(device, rows, 1);
}

/** Strides and dilations by the names of {@link windowParams}. */
export function steps(
  [strideDown, strideAcross]: Windows['stride'],
  [dilationDown, dilationAcross]: Windows['dilation'],
): { strideDown: number; strideAcross: number; dilationDown: number; dilationAcross: number } {
  return { strideDown, strideAcross, dilationDown, dilationAcross };
}

/** What kernels over windows know of them. */
export const windowParams = {
  rows: 'u32',
  width: 'u32',
  height: 'u32',
  across: 'u32',
  high: 'u32',
  wide: 'u32',
  down: 'u32',
  cols: 'u32',
  top: 'u32',
  left: 'u32',
  strideDown: 'u32',
  strideAcross: 'u32',
  dilationDown: 'u32',
  dilationAcross: 'u32',
} as const;

// Rows are lines of windows: neighbours in the image, all channels of a few pixels, but for those that lie outside; or one pixel.
const unfoldKernel = (element: 'T' | 'vec4<T>') =>
  kernel({
    name: 'unfold',
    bind: { x: `read ${element}`, y: `write ${element}` },
    params: { ...windowParams, channels: 'u32', pieces: 'u32' },
    override: rowOverrides,
    use: [rowPlace],
    grid: rowGrid,
    wgsl: eachRow(/* wgsl */ `
  let inWindows = row / params.pieces;
  let window = inWindows / params.high;
  let line = window / params.cols;
  let batch = line / params.down;
  // Above and left of the image this wraps around and is too large as well.
  let inRow = (line - batch * params.down) * params.strideDown + (inWindows - window * params.high) * params.dilationDown - params.top;
  let inCol = (window - line * params.cols) * params.strideAcross + (row - inWindows * params.pieces) * params.dilationAcross - params.left;
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

/** WGSL of the windows that the pixel `row` of an image lies in: from `rowStart` and `colStart` up to `rowEnd` and `colEnd`. */
export const windowsOfPixel = /* wgsl */ `
  let line = row / params.across;
  let batch = line / params.height;
  let inRow = line - batch * params.height + params.top;
  let inCol = row - line * params.across + params.left;
  let rowEnd = min(inRow / params.strideDown + 1u, params.down);
  let colEnd = min(inCol / params.strideAcross + 1u, params.cols);
  let reachDown = (params.high - 1u) * params.dilationDown + 1u;
  let reachAcross = (params.wide - 1u) * params.dilationAcross + 1u;
  let rowStart = (max(inRow + params.strideDown, reachDown) - reachDown) / params.strideDown;
  let colStart = (max(inCol + params.strideAcross, reachAcross) - reachAcross) / params.strideAcross;`;

// Rows are pixels of the image; each looks up the windows that it lies in.
const foldKernel = (element: 'T' | 'vec4<T>', sum: 'f32' | 'vec4f') =>
  kernel({
    name: 'fold',
    bind: { x: `read ${element}`, y: `write ${element}` },
    params: windowParams,
    override: rowOverrides,
    use: [rowPlace],
    grid: rowGrid,
    wgsl: eachRow(/* wgsl */ `${windowsOfPixel}
  for (var i = place.start; i < place.end; i += THREADS) {
    var total = ${sum}();
    for (var r = rowStart; r < rowEnd; r++) {
      let u = (inRow - r * params.strideDown) / params.dilationDown;
      if (u * params.dilationDown != inRow - r * params.strideDown) { continue; }
      for (var c = colStart; c < colEnd; c++) {
        let v = (inCol - c * params.strideAcross) / params.dilationAcross;
        if (v * params.dilationAcross != inCol - c * params.strideAcross) { continue; }
        let window = (batch * params.down + r) * params.cols + c;
        total += ${sum}(x[(window * params.high * params.wide + u * params.wide + v) * params.width + i]);
      }
    }
    y[row * params.width + i] = ${element}(total);
  }`),
  });
const foldKernels = {
  T: /*#__PURE__*/ foldKernel('T', 'f32'),
  'vec4<T>': /*#__PURE__*/ foldKernel('vec4<T>', 'vec4f'),
};
