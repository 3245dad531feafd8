import { expBelow, kernel } from '../../gpu/index.ts';
import { dispatch, empty, type Tensor, tensor } from '../../tensor/graph/index.ts';
import { formatShape, type Shape, ShapeError } from '../../tensor/values/index.ts';
import { checkOptions } from '../axis/index.ts';
import { concat, interpolate, permute, reshape, slice } from '../layout/index.ts';

export interface PamrOptions {
  /** How often every pixel becomes the weighted mean of its neighbours. Default 10. */
  readonly steps?: number | undefined;
  /** Distances to the eight neighbours, in pixels. Default 8 and 16. */
  readonly dilations?: readonly number[] | undefined;
}

/** How like its neighbours every pixel of an image is: what {@link pamrSteps} spreads scores by. */
export interface PamrWeights {
  /** `[B, C, H, W]` of the image. */
  readonly shape: Shape;
  /** Weights `[B, 8·d, H, W]` of d dilations each, together 1 at every pixel. */
  readonly parts: readonly { readonly dilations: readonly number[]; readonly weights: Tensor }[];
}

/** As SCLIP and NACLIP refine. */
const DEFAULTS = { steps: 10, dilations: [8, 16] } as const;

/**
 * Pixel-adaptive mask refinement (PAMR; Araslanov and Roth, 2020, https://arxiv.org/abs/2005.08104): scores are drawn to the edges of
 * an image by letting every pixel take the mean of neighbours that look like it, `steps` times:
 *
 *     a_p = mean over channels of −|I − I_p| / (10⁻⁸ + 0.1·σ)      w = softmax over p of a_p      M ← Σ_p w_p M_p
 *
 * where p goes through the eight neighbours at each distance of `dilations` (beyond the border the last pixel repeats), and σ is the
 * standard deviation (divisor n − 1) of all 3 × 3 neighbourhoods, the centre counted once for each dilation.
 *
 * `image` `[B, C, H, W]`, normalised; `mask` `[B, K, h, w]` → `[B, K, H, W]`, resized first, bilinearly with aligned corners. It has no
 * gradient. Beside masks and image it takes 32 bytes for each pixel and dilation; {@link pamrWeights} and {@link pamrSteps} let many
 * classes be refined a few at a time by the same weights.
 *
 * ```ts
 * const refined = pamr(image, scores, { steps: 10, dilations: [8, 16] });
 * ```
 *
 * @throws ShapeError when the shapes do not fit, steps are no whole number from 0, or dilations none from 1.
 */
export function pamr(image: Tensor, mask: Tensor, options: PamrOptions = {}): Tensor {
  checkOptions('pamr', options, ['steps', 'dilations']);
  const { steps, dilations } = options;
  return pamrSteps(pamrWeights(image, dilations), mask, steps);
}

/** The weights of {@link pamr}. A part holds the dilations that fit one buffer of the device. @throws ShapeError as it does. */
export function pamrWeights(
  image: Tensor,
  dilations: readonly number[] = DEFAULTS.dilations,
  bytes: number = image.device.limits.maxStorageBufferBindingSize,
): PamrWeights {
  const [B = 0, C = 0, H = 0, W = 0] = image.shape;
  if (image.shape.length !== 4 || C * H * W === 0) {
    throw new ShapeError('pamr', 'image must be [B, C, H, W], with pixels', { image: image.shape });
  }
  if (dilations.length === 0 || !dilations.every((d) => Number.isInteger(d) && d >= 1 && d < 2 ** 24)) {
    throw new ShapeError('pamr', `dilations must be whole numbers from 1; got [${dilations.join(', ')}]`, {
      image: image.shape,
    });
  }
  const pixels = B * H * W;
  const params = { pixels, C, H, W, count: dilations.length };
  const { device } = image;
  const distances = tensor(device, Uint32Array.from(dilations));
  const inverse = empty(image, image.shape, 'f32');
  dispatch(inverseDeviation, { image, distances, inverse }, params);
  const atOnce = Math.max(1, Math.floor(bytes / (32 * Math.max(1, pixels))));
  const parts = [];
  for (let first = 0; first < dilations.length; first += atOnce) {
    const part = dilations.slice(first, first + atOnce);
    const weights = empty(image, [B, 8 * part.length, H, W], 'f32');
    dispatch(similarity, { image, distances, inverse, weights }, { ...params, first, part: part.length });
    parts.push({ dilations: part, weights });
  }
  return { shape: image.shape, parts };
}

/** The steps of {@link pamr} by weights that are known: `mask` `[B, K, h, w]` → `[B, K, H, W]`. @throws ShapeError as it does. */
export function pamrSteps({ shape, parts }: PamrWeights, mask: Tensor, steps: number = DEFAULTS.steps): Tensor {
  const [B = 0, , H = 0, W = 0] = shape;
  const [batch = 0, K = 0, h = 0, w = 0] = mask.shape;
  if (mask.shape.length !== 4 || batch !== B || h * w === 0) {
    throw new ShapeError('pamr', `mask must be [B, K, h, w] of the images' B, with pixels`, {
      image: shape,
      mask: mask.shape,
    });
  }
  if (!Number.isInteger(steps) || steps < 0) {
    throw new ShapeError('pamr', `steps must be a whole number from 0; got ${steps} for ${formatShape(mask.shape)}`);
  }
  const resized = interpolate(mask, H, W, { mode: 'bilinear', alignCorners: true, channels: 'first' });
  if (steps === 0) return resized;
  const quads = Math.ceil(K / 4);
  let m = byFours(resized, quads);
  // Weights and places are the same for all classes: a thread goes through two fours where there are more than one.
  const [atOnce, mix] = quads > 1 ? ([2, mixTwo] as const) : ([1, mixOne] as const);
  const groups = Math.ceil(quads / atOnce);
  for (let i = 0; i < steps; i++) {
    const y = empty(m, m.shape);
    for (const [p, { dilations, weights }] of parts.entries()) {
      const distances = tensor(m.device, Uint32Array.from(dilations));
      const params = { threads: B * groups * H * W, quads, groups, H, W, count: dilations.length };
      dispatch(p === 0 ? mix.write : mix.update, { m, weights, distances, y }, params);
    }
    m = y;
  }
  return slice(reshape(permute(m, [0, 1, 4, 2, 3]), [B, 4 * quads, H, W]), 1, 0, K);
}

/** `[B, K, H, W]` → `[B, quads, H, W, 4]`: the classes of a pixel side by side, four at a time, so that one load brings four. */
function byFours(maps: Tensor, quads: number): Tensor {
  const [B = 0, K = 0, H = 0, W = 0] = maps.shape;
  const missing = Array.from({ length: 4 * quads - K }, () => slice(maps, 1, 0, 1));
  const all = missing.length === 0 ? maps : concat([maps, ...missing], 1);
  return permute(reshape(all, [B, quads, 4, H, W]), [0, 1, 3, 4, 2]);
}

const grid = ({ pixels }: { pixels: number }, { WG }: { WG: number }) => [Math.ceil(pixels / WG)];
const sizes = { pixels: 'u32', C: 'u32', H: 'u32', W: 'u32', count: 'u32' } as const;

/** The pixel at a distance, within the image; the eight neighbours in rows from top to bottom. */
const neighbours = {
  name: 'neighbours',
  wgsl: `
fn beside(at: u32, by: i32, side: u32) -> u32 { return u32(clamp(i32(at) + by, 0, i32(side) - 1)); }
fn neighbour(n: u32, d: u32, y: u32, x: u32, H: u32, W: u32) -> u32 {
  let place = i32(select(n, n + 1u, n >= 4u));
  return beside(y, (place / 3 - 1) * i32(d), H) * W + beside(x, (place % 3 - 1) * i32(d), W);
}`,
};

// A thread per pixel, channel after channel. Differences from the pixel itself are exactly 0 where the image is flat.
const inverseDeviation = /*#__PURE__*/ kernel({
  name: 'pamr deviation',
  bind: { image: 'read T', distances: 'read u32', inverse: 'write f32' },
  params: sizes,
  override: { WG: 64 },
  use: [neighbours],
  grid,
  wgsl: /* wgsl */ `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  if (i >= params.pixels) { return; }
  let plane = params.H * params.W;
  let batch = i / plane;
  let pixel = i - batch * plane;
  let y = pixel / params.W;
  let x = pixel - y * params.W;
  let n = f32(9u * params.count);
  for (var c = 0u; c < params.C; c++) {
    let start = (batch * params.C + c) * plane;
    let own = f32(image[start + pixel]);
    var sum = 0.0;
    for (var d = 0u; d < params.count; d++) {
      for (var p = 0u; p < 8u; p++) {
        sum += f32(image[start + neighbour(p, distances[d], y, x, params.H, params.W)]) - own;
      }
    }
    let average = sum / n;
    // The centre, once for each dilation.
    var squares = f32(params.count) * average * average;
    for (var d = 0u; d < params.count; d++) {
      for (var p = 0u; p < 8u; p++) {
        let off = f32(image[start + neighbour(p, distances[d], y, x, params.H, params.W)]) - own - average;
        squares += off * off;
      }
    }
    inverse[start + pixel] = 1.0 / (1e-8 + 0.1 * sqrt(squares / (n - 1.0)));
  }
}`,
});

// A thread per pixel: the softmax goes over all dilations, of which this launch writes a part.
const similarity = /*#__PURE__*/ kernel({
  name: 'pamr weights',
  bind: { image: 'read T', distances: 'read u32', inverse: 'read f32', weights: 'write f32' },
  params: { ...sizes, first: 'u32', part: 'u32' },
  override: { WG: 64 },
  use: [neighbours, expBelow],
  grid,
  wgsl: /* wgsl */ `
fn likeness(start: u32, pixel: u32, other: u32) -> f32 {
  let plane = params.H * params.W;
  var sum = 0.0;
  for (var c = 0u; c < params.C; c++) {
    let at = start + c * plane;
    sum -= abs(f32(image[at + pixel]) - f32(image[at + other])) * inverse[at + pixel];
  }
  return sum / f32(params.C);
}
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  if (i >= params.pixels) { return; }
  let plane = params.H * params.W;
  let batch = i / plane;
  let pixel = i - batch * plane;
  let y = pixel / params.W;
  let x = pixel - y * params.W;
  let start = batch * params.C * plane;
  var top = -3.40282346e38;
  var sum = 0.0;
  for (var d = 0u; d < params.count; d++) {
    for (var p = 0u; p < 8u; p++) {
      let a = likeness(start, pixel, neighbour(p, distances[d], y, x, params.H, params.W));
      sum = sum * expBelow(min(top - a, 0.0)) + expBelow(min(a - top, 0.0));
      top = max(top, a);
    }
  }
  for (var d = 0u; d < params.part; d++) {
    for (var p = 0u; p < 8u; p++) {
      let a = likeness(start, pixel, neighbour(p, distances[params.first + d], y, x, params.H, params.W));
      weights[((batch * params.part + d) * 8u + p) * plane + pixel] = expBelow(a - top) / sum;
    }
  }
}`,
});

// A thread per pixel and `fours` times four classes. Where dilations do not fit one buffer the others' share is added by later launches.
function mixKernel(fours: number, access: 'write' | 'update') {
  const each = (line: (four: number) => string) => Array.from({ length: fours }, (_, f) => line(f)).join('\n  ');
  return kernel({
    name: 'pamr step',
    bind: { m: 'read vec4<T>', weights: 'read f32', distances: 'read u32', y: `${access} vec4<T>` },
    params: { threads: 'u32', quads: 'u32', groups: 'u32', H: 'u32', W: 'u32', count: 'u32' },
    override: { WG: 64 },
    use: [neighbours],
    grid: ({ threads }, { WG }) => [Math.ceil(threads / WG)],
    wgsl: /* wgsl */ `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  if (i >= params.threads) { return; }
  let plane = params.H * params.W;
  let pixel = i % plane;
  let group = i / plane;
  let batch = group / params.groups;
  let quad = (group - batch * params.groups) * ${fours}u;
  let row = pixel / params.W;
  let column = pixel - row * params.W;
  // The last group reads its last four again for those that are not there.
  let last = min(${fours}u, params.quads - quad) - 1u;
  ${each((f) => `let start${f} = (batch * params.quads + quad + min(${f}u, last)) * plane; var sum${f} = vec4f();`)}
  for (var d = 0u; d < params.count; d++) {
    for (var p = 0u; p < 8u; p++) {
      let w = weights[((batch * params.count + d) * 8u + p) * plane + pixel];
      let place = neighbour(p, distances[d], row, column, params.H, params.W);
      ${each((f) => `sum${f} += w * vec4f(m[start${f} + place]);`)}
    }
  }
  ${each((f) => `if (${f}u <= last) { y[start${f} + pixel] = vec4<T>(sum${f}${access === 'update' ? ` + vec4f(y[start${f} + pixel])` : ''}); }`)}
}`,
  });
}
const mixOne = { write: /*#__PURE__*/ mixKernel(1, 'write'), update: /*#__PURE__*/ mixKernel(1, 'update') };
const mixTwo = { write: /*#__PURE__*/ mixKernel(2, 'write'), update: /*#__PURE__*/ mixKernel(2, 'update') };
