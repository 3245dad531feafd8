import { kernel } from '../gpu/kernel.ts';
import { differentiable } from '../tensor/grad.ts';
import { dispatch, empty } from '../tensor/record.ts';
import { ShapeError, size } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { reshape } from './layout.ts';
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
  checkPatch('unpatchify', x, patch);
  const [batch, count, width] = x.shape;
  if (batch === undefined || width === undefined || x.shape.length !== 3) {
    throw new ShapeError('unpatchify', 'x must be [B, N, patch² · C]', { x: x.shape });
  }
  if (count !== rows * cols) {
    throw new ShapeError('unpatchify', `${rows} × ${cols} patches were announced`, { x: x.shape });
  }
  const channels = width / patch ** 2;
  if (!Number.isInteger(channels)) {
    throw new ShapeError('unpatchify', `the last axis must be a multiple of ${patch}²`, { x: x.shape });
  }
  const image = empty(x, [batch, channels, rows * patch, cols * patch]);
  paste(x, image, patch, 0);
  return differentiable(image, [x], (dy) => {
    const dx = empty(x);
    cut(dy, dx, patch, 0);
    return [dx];
  });
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
  checkPatch(op, image, patch);
  const [batch, channels, height, width] = image.shape;
  if (batch === undefined || channels === undefined || height === undefined || width === undefined) {
    throw new ShapeError(op, 'the image must be [B, C, H, W]', { image: image.shape });
  }
  const count = Math.floor(height / patch) * Math.floor(width / patch);
  const y = empty(image, [batch, count, patch ** 2 * channels]);
  cut(image, y, patch, order);
  return differentiable(y, [image], (dy) => {
    const dimage = empty(image);
    paste(dy, dimage, patch, order);
    return [dimage];
  });
}

function checkPatch(op: string, x: Tensor, patch: number): void {
  if (!Number.isInteger(patch) || patch < 1) {
    throw new ShapeError(op, `${patch} is no size of a patch`, { x: x.shape });
  }
}

function cut(image: Tensor, y: Tensor, patch: number, order: Order): void {
  dispatch(cutKernel, { image, y }, { n: y.size, ...sizes(image, patch) }, { ORDER: order });
}

function paste(x: Tensor, image: Tensor, patch: number, order: Order): void {
  dispatch(pasteKernel, { x, image }, { n: image.size, ...sizes(image, patch) }, { ORDER: order });
}

interface Sizes {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Of a patch. */
  readonly side: number;
}

function sizes(image: Tensor, patch: number): Sizes {
  const [, channels, height, width] = image.shape as readonly [number, number, number, number];
  return { channels, height, width, side: patch };
}

const params = { n: 'u32', channels: 'u32', height: 'u32', width: 'u32', side: 'u32' } as const;

// One invocation writes one value of a patch.
const cutKernel = kernel({
  name: 'patchify',
  bind: { image: 'read T', y: 'write T' },
  params,
  override: { WG: 64, ORDER: 0 },
  grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
  wgsl: /* wgsl */ `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  if (i >= params.n) { return; }
  let side = params.side;
  let values = side * side * params.channels;
  let rows = params.height / side;
  let cols = params.width / side;
  let place = i / values;
  let value = i % values;
  var pixel: u32;
  var channel: u32;
  if (ORDER == 0) {
    pixel = value / params.channels;
    channel = value % params.channels;
  } else {
    pixel = value % (side * side);
    channel = value / (side * side);
  }
  let row = place / cols % rows * side + pixel / side;
  let col = place % cols * side + pixel % side;
  let batch = place / (rows * cols);
  y[i] = image[((batch * params.channels + channel) * params.height + row) * params.width + col];
}`,
});

// One invocation writes one pixel of one channel; pixels outside of all patches are zero.
const pasteKernel = kernel({
  name: 'unpatchify',
  bind: { x: 'read T', image: 'write T' },
  params,
  override: { WG: 64, ORDER: 0 },
  grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
  wgsl: /* wgsl */ `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  if (i >= params.n) { return; }
  let side = params.side;
  let rows = params.height / side;
  let cols = params.width / side;
  let col = i % params.width;
  let row = i / params.width % params.height;
  let channel = i / (params.width * params.height) % params.channels;
  let batch = i / (params.width * params.height * params.channels);
  if (row / side >= rows || col / side >= cols) {
    image[i] = T(0);
    return;
  }
  let place = (batch * rows + row / side) * cols + col / side;
  let pixel = row % side * side + col % side;
  var value: u32;
  if (ORDER == 0) { value = pixel * params.channels + channel; } else { value = channel * side * side + pixel; }
  image[i] = x[place * side * side * params.channels + value];
}`,
});
