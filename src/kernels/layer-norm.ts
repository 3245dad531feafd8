import { type Kernel, kernel } from '../gpu/kernel.ts';
import { differentiable } from '../tensor/grad.ts';
import { dispatch, empty } from '../tensor/record.ts';
import { ShapeError, size } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { laneConstants, laneOverrides, lanePlace, laneSum, laneSums, linesPerGroup } from './lanes.ts';
import { add, addScalar, div, mul, sqrt, sub } from './pointwise.ts';

/**
 * Layer normalisation (https://arxiv.org/abs/1607.06450) over the last axis of `x [..., C]`, `weight [C]`, `bias [C]`:
 * `y = (x - mean) / √(variance + eps) · weight + bias`, with the biased variance.
 *
 * With `h = (x - mean) / √(variance + eps)` and `g = dy · weight` the gradients are
 * `dx = (g - mean(g) - h · mean(g · h)) / √(variance + eps)`, `dweight = Σ dy · h` and `dbias = Σ dy` over the rows.
 *
 * ```ts
 * const y = layerNorm(x, weight, bias, 1e-6);
 * ```
 *
 * @throws ShapeError when weight or bias do not have the length of the last axis, or that is 0.
 */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, eps: number): Tensor {
  const cols = x.shape.at(-1);
  const shapes = { x: x.shape, weight: weight.shape, bias: bias.shape };
  if (!cols) throw new ShapeError('layerNorm', 'the last axis must hold at least one element', shapes);
  for (const { shape } of [weight, bias]) {
    if (shape.length !== 1 || shape[0] !== cols) {
      throw new ShapeError('layerNorm', 'weight and bias must be as long as the last axis of x', shapes);
    }
  }
  const rows = size(x.shape) / cols;
  const { lanes, kernels } = chooseKernels(cols, true);
  const y = empty(x);
  const mean = empty(x, [rows], 'f32');
  const inverse = empty(x, [rows], 'f32');
  dispatch(kernels.forward, { x, mean, inverse, y, weight, bias }, { rows, cols, divisor: cols, eps }, lanes);

  return differentiable(y, [x, weight, bias], (dy) => {
    const atOnce = linesPerGroup(lanes);
    // Up to about a thousand workgroups: each adds up its rows' part of dweight and dbias by itself.
    const chunk = atOnce * Math.max(4, Math.ceil(rows / atOnce / 1024));
    const parts = Math.ceil(rows / chunk) * atOnce;
    const dx = empty(x);
    const partial = empty(x, [parts, 2, cols], 'f32');
    const bound = { x, mean, inverse, dy, dx, weight, partial };
    dispatch(kernels.backward, bound, { rows, cols, divisor: cols, chunk }, lanes);
    const dweight = empty(weight);
    const dbias = empty(bias);
    dispatch(sumParts, { partial, dweight, dbias }, { parts, cols });
    return [dx, dweight, dbias];
  });
}

/**
 * Rows of unit length, over the last axis: `y = x / max(|x|, eps)`. A row of zeros stays zeros.
 *
 * The gradient is `dx = (dy - y · sum(dy · y)) / |x|`, and `dy / eps` for a row shorter than `eps`.
 *
 * ```ts
 * await read(l2Normalize(tensor(device, [3, 4]))); // [0.6, 0.8]
 * ```
 *
 * @throws ShapeError for a scalar.
 */
export function l2Normalize(x: Tensor, eps = 1e-12): Tensor {
  const cols = x.shape.at(-1);
  if (cols === undefined) throw new ShapeError('l2Normalize', 'x needs an axis', { x: x.shape });
  const rows = size(x.shape.slice(0, -1));
  const constants = laneConstants(x.device, { outer: rows, length: cols, inner: 1 });
  const y = empty(x);
  const length = empty(x, [rows], 'f32');
  dispatch(l2Forward, { x, y, length }, { rows, cols, eps }, constants);
  return differentiable(y, [x], (dy) => {
    const dx = empty(x);
    dispatch(l2Backward, { y, length, dy, dx }, { rows, cols, eps }, constants);
    return [dx];
  });
}

/**
 * Batch normalisation with given statistics, channels last: `y = (x - mean) / √(variance + eps) · weight + bias` for
 * `x [..., C]`, all others `[C]`. Made of pointwise ops, and so are its gradients.
 *
 * @throws ShapeError when a vector is not as long as the last axis.
 */
export function batchNormEval(
  x: Tensor,
  mean: Tensor,
  variance: Tensor,
  weight: Tensor,
  bias: Tensor,
  eps: number,
): Tensor {
  const channels = x.shape.at(-1);
  for (const { shape } of [mean, variance, weight, bias]) {
    if (shape.length === 1 && shape[0] === channels) continue;
    throw new ShapeError('batchNormEval', 'all vectors must be as long as the last axis of x', {
      x: x.shape,
      mean: mean.shape,
      variance: variance.shape,
      weight: weight.shape,
      bias: bias.shape,
    });
  }
  const factor = div(weight, sqrt(addScalar(variance, eps)));
  return add(mul(sub(x, mean), factor), bias);
}

/**
 * Patches of unit variance, as MAE's reconstruction targets (https://arxiv.org/abs/2111.06377):
 * `y = (x - mean) / √(variance + eps)` over the last axis, with the **unbiased** variance (n - 1).
 *
 * @throws ShapeError when the last axis holds less than two elements.
 */
export function patchNormalize(x: Tensor, eps = 1e-6): Tensor {
  const cols = x.shape.at(-1) ?? 0;
  if (cols < 2) throw new ShapeError('patchNormalize', 'the last axis must hold at least two elements', { x: x.shape });
  return standardize(x, cols - 1, eps);
}

/**
 * Every row less its mean, over √(variance + eps), where the variance is the sum of squares over `divisor`: what
 * {@link layerNorm} does, without weight and bias.
 */
function standardize(x: Tensor, divisor: number, eps: number): Tensor {
  const cols = x.shape.at(-1) ?? 1;
  const rows = size(x.shape) / cols;
  const { lanes, kernels } = chooseKernels(cols, false);
  const y = empty(x);
  const mean = empty(x, [rows], 'f32');
  const inverse = empty(x, [rows], 'f32');
  dispatch(kernels.forward, { x, mean, inverse, y }, { rows, cols, divisor, eps }, lanes);
  return differentiable(y, [x], (dy) => {
    const dx = empty(x);
    const chunk = linesPerGroup(lanes);
    dispatch(kernels.backward, { x, mean, inverse, dy, dx }, { rows, cols, divisor, chunk }, lanes);
    return [dx];
  });
}

/** The kernels for rows of some length: a lane keeps its elements of a row in variables, so there is one pair per count. */
function chooseKernels(cols: number, affine: boolean) {
  // 24 elements a lane: fewer lanes need fewer barriers, more elements need more registers than the backward has (five each).
  let count = 1;
  while (count < 256 && count * 24 < cols) count *= 2;
  const each = Math.ceil(cols / count);
  const key = affine ? each : -each;
  let kernels = made.get(key);
  if (!kernels) made.set(key, (kernels = { forward: makeForward(each, affine), backward: makeBackward(each, affine) }));
  return { kernels, lanes: { WG: Math.max(64, count), LANES: count, ACROSS: 0 } };
}

const made = new Map<number, { forward: Kernel; backward: Kernel }>();

function unroll(each: number, line: (k: number) => string): string {
  return Array.from({ length: each }, (_, k) => `  ${line(k).replaceAll('#', String(k))}`).join('\n');
}

const head = `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let lane = laneOf(l);`;

// A workgroup takes WG / LANES rows. Everything is relative to the first element of the row: what remains of a large common
// offset is then exact. So `mean` is the mean less that element.
function makeForward(each: number, affine: boolean): Kernel {
  return kernel({
    name: affine ? 'layer-norm' : 'standardize',
    bind: {
      x: 'read T',
      mean: 'write f32',
      inverse: 'write f32',
      y: 'write T',
      ...(affine ? ({ weight: 'read T', bias: 'read T' } as const) : {}),
    },
    params: { rows: 'u32', cols: 'u32', divisor: 'f32', eps: 'f32' },
    override: laneOverrides,
    use: [lanePlace, laneSum],
    grid: ({ rows }, constants) => [Math.ceil(rows / linesPerGroup(constants))],
    wgsl: `${head}
  let row = flatGroup(g, size) * (WG / LANES) + lineOf(l);
  let start = row * params.cols;
  let end = select(0u, params.cols, row < params.rows);
  var first = 0.0;
  if (end > 0u) { first = f32(x[start]); }
  var total = 0.0;
${unroll(each, () => `var v# = 0.0; if (lane + #u * LANES < end) { v# = f32(x[start + lane + #u * LANES]) - first; total += v#; }`)}
  let middle = laneSum(total, l) / f32(params.cols);
  var squares = 0.0;
${unroll(each, () => 'if (lane + #u * LANES < end) { v# -= middle; squares += v# * v#; }')}
  let factor = 1.0 / sqrt(laneSum(squares, l) / params.divisor + params.eps);
${unroll(
  each,
  () =>
    `if (lane + #u * LANES < end) { let c = lane + #u * LANES; y[start + c] = T(v# * factor${
      affine ? ' * f32(weight[c]) + f32(bias[c])' : ''
    }); }`,
)}
  if (end > 0u && lane == 0u) {
    mean[row] = middle;
    inverse[row] = factor;
  }
}`,
  }) as unknown as Kernel;
}

// A workgroup walks down `chunk` rows, WG / LANES at a time. A lane has the same columns in every row, so it can add up its
// part of dweight and dbias in variables.
function makeBackward(each: number, affine: boolean): Kernel {
  return kernel({
    name: affine ? 'layer-norm-backward' : 'standardize-backward',
    bind: {
      x: 'read T',
      mean: 'read f32',
      inverse: 'read f32',
      dy: 'read T',
      dx: 'write T',
      ...(affine ? ({ weight: 'read T', partial: 'write f32' } as const) : {}),
    },
    params: { rows: 'u32', cols: 'u32', divisor: 'f32', chunk: 'u32' },
    override: laneOverrides,
    use: [lanePlace, laneSums],
    grid: ({ rows, chunk }) => [Math.ceil(rows / chunk)],
    wgsl: `${head}
  let group = flatGroup(g, size);
${unroll(affine ? each : 0, () => 'var w# = 0.0; if (lane + #u * LANES < params.cols) { w# = f32(weight[lane + #u * LANES]); }')}
${unroll(affine ? each : 0, () => 'var dw# = 0.0; var db# = 0.0;')}
  for (var i = 0u; i < params.chunk; i += WG / LANES) {
    let row = group * params.chunk + i + lineOf(l);
    let start = row * params.cols;
    let end = select(0u, params.cols, row < params.rows);
    var first = 0.0;
    var middle = 0.0;
    var factor = 0.0;
    if (end > 0u) {
      first = f32(x[start]);
      middle = mean[row];
      factor = inverse[row];
    }
    var sums = vec2f();
${unroll(
  each,
  () => `var h# = 0.0; var g# = 0.0;
  if (lane + #u * LANES < end) {
    let at = start + lane + #u * LANES;
    h# = ((f32(x[at]) - first) - middle) * factor;
    let d = f32(dy[at]);
    ${affine ? 'dw# += d * h#; db# += d; g# = d * w#;' : 'g# = d;'}
    sums += vec2f(g#, g# * h#);
  }`,
)}
    sums = laneSums(sums, l) / vec2f(f32(params.cols), params.divisor);
${unroll(
  each,
  () => `if (lane + #u * LANES < end) { dx[start + lane + #u * LANES] = T((g# - sums.x - h# * sums.y) * factor); }`,
)}
  }
${unroll(
  affine ? each : 0,
  () => `if (lane + #u * LANES < params.cols) {
    let at = (group * (WG / LANES) + lineOf(l)) * 2u * params.cols + lane + #u * LANES;
    partial[at] = dw#;
    partial[at + params.cols] = db#;
  }`,
)}
}`,
  }) as unknown as Kernel;
}

// A workgroup takes 16 columns, 16 lanes each.
const sumParts = kernel({
  name: 'layer-norm-weights',
  bind: { partial: 'read f32', dweight: 'write T', dbias: 'write T' },
  params: { parts: 'u32', cols: 'u32' },
  override: { WG: 256, LANES: 16, ACROSS: 1 },
  use: [lanePlace, laneSums],
  grid: ({ cols }) => [Math.ceil(cols / 16)],
  wgsl: `${head}
  let c = flatGroup(g, size) * (WG / LANES) + lineOf(l);
  var sums = vec2f();
  if (c < params.cols) {
    for (var part = lane; part < params.parts; part += LANES) {
      let at = part * 2u * params.cols + c;
      sums += vec2f(partial[at], partial[at + params.cols]);
    }
  }
  sums = laneSums(sums, l);
  if (c < params.cols && lane == 0u) {
    dweight[c] = T(sums.x);
    dbias[c] = T(sums.y);
  }
}`,
});

const rowsOnly = {
  params: { rows: 'u32', cols: 'u32', eps: 'f32' },
  override: laneOverrides,
  use: [lanePlace, laneSum],
  grid: ({ rows }: { rows: number }, constants: typeof laneOverrides | { WG: number; LANES: number }) => [
    Math.ceil(rows / linesPerGroup(constants)),
  ],
} as const;

const rowHead = `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let row = flatGroup(g, size) * (WG / LANES) + lineOf(l);
  let inside = row < params.rows;
  let start = row * params.cols + laneOf(l);
  let end = select(0u, (row + 1u) * params.cols, inside);
  var total = 0.0;`;

// A workgroup takes WG / LANES rows.
const l2Forward = kernel({
  ...rowsOnly,
  name: 'l2-normalize',
  bind: { x: 'read T', y: 'write T', length: 'write f32' },
  wgsl: `${rowHead}
  for (var i = start; i < end; i += LANES) { total += f32(x[i]) * f32(x[i]); }
  let norm = sqrt(laneSum(total, l));
  let factor = 1.0 / max(norm, params.eps);
  for (var i = start; i < end; i += LANES) { y[i] = T(f32(x[i]) * factor); }
  if (inside && laneOf(l) == 0u) { length[row] = norm; }
}`,
});

const l2Backward = kernel({
  ...rowsOnly,
  name: 'l2-normalize-backward',
  bind: { y: 'read T', length: 'read f32', dy: 'read T', dx: 'write T' },
  wgsl: `${rowHead}
  for (var i = start; i < end; i += LANES) { total += f32(y[i]) * f32(dy[i]); }
  total = laneSum(total, l);
  var norm = 0.0;
  if (inside) { norm = length[row]; }
  // Below eps the divisor is a constant, so nothing flows through it.
  if (norm < params.eps) { total = 0.0; }
  let factor = 1.0 / max(norm, params.eps);
  for (var i = start; i < end; i += LANES) { dx[i] = T((f32(dy[i]) - f32(y[i]) * total) * factor); }
}`,
});
