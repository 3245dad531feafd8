import { kernel } from '../../gpu/index.ts';
import { differentiableLinear, dispatch, empty, type Tensor } from '../../tensor/graph/index.ts';
import { ShapeError, shown, size } from '../../tensor/values/index.ts';
import { checkFloats, checkOperands, eachRow, rowConstants, rowGrid, rowOverrides, rowPlace } from '../axis/index.ts';
import { reshape } from '../layout/index.ts';
import { linear } from './matmul.ts';

/**
 * Cuts images into square patches: `image [B, C, H, W]` → `[B, h · w, patch² · C]` with h = ⌊H / patch⌋, w = ⌊W / patch⌋.
 * Patches go row by row; a patch lists its pixels by row, column, channel. Pixels at the lower and right edge that do not
 * fill a patch are dropped; their gradient is zero.
 *
 * ```ts
 * patchify(image, 16).shape; // image [2, 3, 224, 224] → [2, 196, 768]
 * ```
 *
 * @throws ShapeError unless `image` has four axes and `patch` is a whole number above 0.
 */
export function patchify(image: Tensor, patch: number): Tensor {
  return patches('patchify', image, patch, 0);
}

/**
 * Puts patches together to images, the inverse of {@link patchify}: `x [B, rows · cols, patch² · C]` →
 * `[B, C, rows · patch, cols · patch]`.
 *
 * @throws ShapeError when `x` does not hold rows · cols patches of patch² pixels.
 */
export function unpatchify(x: Tensor, patch: number, rows: number, cols: number): Tensor {
  checkFloats('unpatchify', { x });
  checkPatch('unpatchify', x, patch);
  const [batch, count, width] = x.shape;
  if (batch === undefined || width === undefined || x.shape.length !== 3) {
    throw new ShapeError('unpatchify', 'x must be [B, N, patch² · C]', { x: x.shape });
  }
  if (!Number.isInteger(rows) || !Number.isInteger(cols) || count !== rows * cols) {
    throw new ShapeError('unpatchify', `${shown(rows)} × ${shown(cols)} patches were announced`, { x: x.shape });
  }
  const channels = width / patch ** 2;
  if (!Number.isInteger(channels)) {
    throw new ShapeError('unpatchify', `the last axis must be a multiple of ${patch}²`, { x: x.shape });
  }
  const shape = [batch, channels, rows * patch, cols * patch];
  return differentiableLinear(
    x,
    (t) => paste(t, empty(x, shape), patch, 0),
    (dy) => cut(dy, empty(x), patch, 0),
  );
}

/**
 * Embeds the patches of images, a convolution whose stride is its size: `y[b, n] = weight · patch n + bias`;
 * `x [B, C, H, W]`, `weight [D, C, p, p]`, `bias [D]` → `[B, h · w, D]`, patches row by row. Pixels that do not fill a
 * patch are dropped.
 *
 * ```ts
 * const tokens = patchEmbed(image, weight, bias); // [B, 3, 224, 224], [768, 3, 16, 16] → [B, 196, 768]
 * ```
 *
 * @throws ShapeError when channels differ or patches are not square.
 */
export function patchEmbed(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  checkOperands('patchEmbed', { x, weight, ...(bias && { bias }) });
  const [out, channels, patch, across] = weight.shape;
  const shapes = { x: x.shape, weight: weight.shape, ...(bias && { bias: bias.shape }) };
  if (out === undefined || patch === undefined || weight.shape.length !== 4 || patch !== across) {
    throw new ShapeError('patchEmbed', 'the weight must be [D, C, p, p]', shapes);
  }
  if (x.shape.length !== 4 || x.shape[1] !== channels) {
    throw new ShapeError('patchEmbed', 'x must be [B, C, H, W] with the C of the weight', shapes);
  }
  if (bias && (bias.shape.length !== 1 || bias.shape[0] !== out)) {
    throw new ShapeError('patchEmbed', 'the bias must be [D]', shapes);
  }
  const flat = reshape(weight, [out, size(weight.shape.slice(1))]);
  return linear(patches('patchEmbed', x, patch, 1), flat, bias ? { bias } : {});
}

/** How a patch lists its values: 0 by row, column, channel; 1 by channel, row, column. */
type Order = 0 | 1;

function patches(op: string, image: Tensor, patch: number, order: Order): Tensor {
  checkFloats(op, { image });
  checkPatch(op, image, patch);
  const [batch, channels, height, width] = image.shape;
  if (batch === undefined || channels === undefined || height === undefined || width === undefined) {
    throw new ShapeError(op, 'the image must be [B, C, H, W]', { image: image.shape });
  }
  const count = Math.floor(height / patch) * Math.floor(width / patch);
  const shape = [batch, count, patch ** 2 * channels];
  return differentiableLinear(
    image,
    (t) => cut(t, empty(image, shape), patch, order),
    (dy) => paste(dy, empty(image), patch, order),
  );
}

function checkPatch(op: string, x: Tensor, patch: number): void {
  if (!Number.isInteger(patch) || patch < 1) {
    throw new ShapeError(op, `${shown(patch)} is no size of a patch`, { x: x.shape });
  }
}

function cut(image: Tensor, y: Tensor, patch: number, order: Order): Tensor {
  const channels = image.shape[1] as number;
  // What comes from one line of an image: by row, column, channel it stays together, otherwise per channel only.
  const width = order === 0 ? patch * channels : patch;
  const rows = { rows: width === 0 ? 0 : y.size / width, width };
  dispatch(
    cutKernel,
    { image, y },
    { ...rows, ...sizes(image, patch) },
    { ...rowConstants(image.device, rows), ORDER: order },
  );
  return y;
}

function paste(x: Tensor, image: Tensor, patch: number, order: Order): Tensor {
  const width = image.shape[3] as number;
  const rows = { rows: width === 0 ? 0 : image.size / width, width };
  dispatch(
    pasteKernel,
    { x, image },
    { ...rows, ...sizes(image, patch) },
    { ...rowConstants(image.device, rows), ORDER: order },
  );
  return image;
}

interface Sizes {
  readonly channels: number;
  readonly height: number;
  readonly across: number;
  /** Of a patch. */
  readonly side: number;
}

function sizes(image: Tensor, patch: number): Sizes {
  const [, channels, height, across] = image.shape as readonly [number, number, number, number];
  return { channels, height, across, side: patch };
}

const params = { rows: 'u32', width: 'u32', channels: 'u32', height: 'u32', across: 'u32', side: 'u32' } as const;

// Rows are what a patch takes from one line of the image, of all channels or of one.
const cutKernel = /*#__PURE__*/ kernel({
  name: 'patchify',
  bind: { image: 'read T', y: 'write T' },
  params,
  override: { ...rowOverrides, ORDER: 0 },
  use: [rowPlace],
  grid: rowGrid,
  wgsl: /*#__PURE__*/ eachRow(/* wgsl */ `
  let side = params.side;
  let rows = params.height / side;
  let cols = params.across / side;
  let line = row % side;
  var rest = row / side;
  var channel = 0u;
  if (ORDER == 1) {
    channel = rest % params.channels;
    rest /= params.channels;
  }
  let patchCol = rest % cols;
  rest /= cols;
  let patchRow = rest % rows;
  let batch = rest / rows;
  let plane = params.height * params.across;
  let first = (batch * params.channels + channel) * plane + (patchRow * side + line) * params.across + patchCol * side;
  for (var i = place.start; i < place.end; i += THREADS) {
    var source = first + i;
    if (ORDER == 0) {
      let col = i / params.channels;
      source = first + col + (i - col * params.channels) * plane;
    }
    y[row * params.width + i] = image[source];
  }`),
});

// Rows are lines of the image, of one channel; pixels outside of all patches are zero.
const pasteKernel = /*#__PURE__*/ kernel({
  name: 'unpatchify',
  bind: { x: 'read T', image: 'write T' },
  params,
  override: { ...rowOverrides, ORDER: 0 },
  use: [rowPlace],
  grid: rowGrid,
  wgsl: /*#__PURE__*/ eachRow(/* wgsl */ `
  let side = params.side;
  let rows = params.height / side;
  let cols = params.across / side;
  let plane = row / params.height;
  let batch = plane / params.channels;
  let channel = plane - batch * params.channels;
  let inImage = row - plane * params.height;
  let patchRow = inImage / side;
  let line = inImage - patchRow * side;
  let values = side * side * params.channels;
  for (var i = place.start; i < place.end; i += THREADS) {
    let patchCol = i / side;
    var value = T(0);
    if (patchRow < rows && patchCol < cols) {
      let pixel = line * side + i - patchCol * side;
      var at = pixel * params.channels + channel;
      if (ORDER == 1) { at = channel * side * side + pixel; }
      value = x[((batch * rows + patchRow) * cols + patchCol) * values + at];
    }
    image[row * params.width + i] = value;
  }`),
});
