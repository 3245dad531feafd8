import { joinSum, kernel, notNumbers, type Piece } from '../../gpu/index.ts';
import { differentiable, dispatch, empty, type Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import { checkOptions, inRuns, weightedMean } from '../axis/index.ts';
export interface ReconstructionOptions {
  /** Side of a patch in pixels. */
  readonly patch: number;
  /** Whether each target patch is standardised by its own mean and (unbiased) variance. Default: false. */
  readonly normPixels?: boolean;
}

/** Added to the variance of a patch (MAE). */
const EPSILON = 1e-6;

/**
 * MAE's reconstruction loss: the squared error of predicted patches, averaged over pixels and over the masked patches of
 * the whole batch, `sum(mask · mean_k (pred - target)²) / sum(mask)`; 0 if nothing is masked. Patches that are not masked may hold
 * anything.
 *
 * `image` `[B, C, H, W]`; `pred` `[B, h·w, patch·patch·C]`, pixels in the order row, column, channel; `mask` `[B, h·w]`, 1
 * where a patch was removed. Pixels that do not fill a patch are dropped. The targets are read out of the image, never stored.
 *
 * The gradient reaches `pred` only: image and mask are data.
 *
 * ```ts
 * const image = tensor(device, new Float32Array(3 * 16).fill(1), [1, 3, 4, 4]);
 * const pred = tensor(device, new Float32Array(4 * 12), [1, 4, 12]);
 * const mask = tensor(device, [1, 0, 0, 1], [1, 4]);
 * await read(reconstruction(image, pred, mask, { patch: 2 })); // [1]
 * ```
 */
export function reconstruction(image: Tensor, pred: Tensor, mask: Tensor, options: ReconstructionOptions): Tensor {
  checkOptions('reconstruction', options, ['patch', 'normPixels']);
  const { patch, normPixels = false } = options;
  const [B = 0, C = 0, H = 0, W = 0] = image.shape;
  const cols = Math.floor(W / patch);
  const N = Math.floor(H / patch) * cols;
  const K = patch * patch * C;
  const fits =
    image.shape.length === 4 &&
    [B, N, K].join() === pred.shape.join() &&
    [B, N].join() === mask.shape.join() &&
    Number.isInteger(patch) &&
    patch > 0;
  if (!fits) {
    throw new ShapeError(
      'reconstruction',
      `for patches of ${patch} the shapes must be [B, C, H, W], [B, h·w, ${K}], [B, h·w]`,
      {
        image: image.shape,
        pred: pred.shape,
        mask: mask.shape,
      },
    );
  }
  if (normPixels && K < 2) {
    throw new ShapeError('reconstruction', 'normPixels needs patches of at least two values', { pred: pred.shape });
  }
  const params = { rows: B * N, N, K, C, H, W, cols, side: patch };
  const WG = Math.min(64, 2 ** Math.ceil(Math.log2(Math.max(1, patch * C))));

  // What is bound in its place is never read without NORM.
  let statistics = mask;
  if (normPixels) {
    statistics = empty(image, [B, N, 2], 'f32');
    dispatch(patchStatistics, { image, statistics }, { ...params, eps: EPSILON }, { WG });
  }
  const constants = { WG, NORM: Number(normPixels) };
  const parts = empty(image, [B, N], 'f32');
  dispatch(forward, { image, pred, mask, statistics, parts }, params, constants);
  const { y, inverse } = weightedMean(parts, mask);

  return differentiable(y, [pred], (dy) => {
    const dPred = empty(pred);
    dispatch(backward, { image, pred, mask, statistics, inverse, dy, dPred }, params, constants);
    return [dPred];
  });
}

const patchParams = {
  rows: 'u32',
  N: 'u32',
  K: 'u32',
  C: 'u32',
  H: 'u32',
  W: 'u32',
  cols: 'u32',
  side: 'u32',
} as const;

// All three kernels give a workgroup to each patch, and in it an invocation to each column and channel (64 at most), which goes down
// the rows: index arithmetic once per column, and neighbours read neighbouring predictions.

/** Where a patch (its number in the batch) starts in the image, and where a column and channel (j) does from there. */
const pixels: Piece = {
  name: 'pixels',
  wgsl: `
fn patchStart(row: u32) -> u32 {
  let n = row % params.N;
  return (row / params.N * params.C * params.H + n / params.cols * params.side) * params.W + n % params.cols * params.side;
}
fn columnStart(j: u32) -> u32 { return j % params.C * params.H * params.W + j / params.C; }`,
};

/** The target of a pixel: standardised with NORM. */
const targets: Piece = {
  name: 'targets',
  wgsl: `
fn targetOf(pixel: f32, row: u32) -> f32 {
  if (NORM == 0u) { return pixel; }
  return (pixel - statistics[2u * row]) * statistics[2u * row + 1u];
}`,
};

/** A loop down a column of a patch, which adds to `column`, and that to `sum`. */
function downTheColumn(sum: string, body: string): string {
  const down = inRuns({ column: 'f32' }, { counter: 'y', from: '0u', to: 'params.side', by: '1u' }, body);
  return `var column = 0.0; ${down} ${sum} += column;`;
}

// Mean and 1 / sqrt(variance + eps), in two passes, as large offsets need it.
const patchStatistics = /*#__PURE__*/ kernel({
  name: 'patch statistics',
  bind: { image: 'read T', statistics: 'write f32' },
  params: { ...patchParams, eps: 'f32' },
  override: { WG: 64 },
  use: [joinSum, pixels],
  grid: ({ rows }) => [rows],
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let row = flatGroup(g, size);
  if (row >= params.rows) { return; }
  let first = patchStart(row);
  let width = params.side * params.C;
  var sum = 0.0;
  for (var j = l; j < width; j += WG) {
    let top = first + columnStart(j);
    ${/*#__PURE__*/ downTheColumn('sum', 'column += f32(image[top + y * params.W]);')}
  }
  let mean = joinSum(sum, l) / f32(params.K);
  var squares = 0.0;
  for (var j = l; j < width; j += WG) {
    let top = first + columnStart(j);
    ${/*#__PURE__*/ downTheColumn('squares', 'let d = f32(image[top + y * params.W]) - mean; column += d * d;')}
  }
  squares = joinSum(squares, l);
  if (l == 0u) {
    statistics[2u * row] = mean;
    statistics[2u * row + 1u] = inverseSqrt(squares / f32(params.K - 1u) + params.eps);
  }
}`,
});

// Patches that were kept are not even read.
const forward = /*#__PURE__*/ kernel({
  name: 'reconstruction',
  bind: { image: 'read T', pred: 'read T', mask: 'read f32', statistics: 'read f32', parts: 'write f32' },
  params: patchParams,
  override: { WG: 64, NORM: 0 },
  use: [joinSum, pixels, targets, notNumbers],
  grid: ({ rows }) => [rows],
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let row = flatGroup(g, size);
  if (row >= params.rows) { return; }
  let weight = mask[row];
  let first = patchStart(row);
  let width = select(0u, params.side * params.C, isSomething(weight));
  var sum = 0.0;
  for (var j = l; j < width; j += WG) {
    let top = first + columnStart(j);
    ${
      /*#__PURE__*/ downTheColumn(
        'sum',
        `let d = f32(pred[row * params.K + y * width + j]) - targetOf(f32(image[top + y * params.W]), row);
      column += d * d;`,
      )
    }
  }
  sum = joinSum(sum, l);
  if (l == 0u) { parts[row] = weight * sum / f32(params.K); }
}`,
});

const backward = /*#__PURE__*/ kernel({
  name: 'reconstruction backward',
  bind: {
    image: 'read T',
    pred: 'read T',
    mask: 'read f32',
    statistics: 'read f32',
    inverse: 'read f32',
    dy: 'read f32',
    dPred: 'write T',
  },
  params: patchParams,
  override: { WG: 64, NORM: 0 },
  use: [pixels, targets, notNumbers],
  grid: ({ rows }) => [rows],
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let row = flatGroup(g, size);
  if (row >= params.rows) { return; }
  let weight = mask[row];
  let slope = dy[0] * inverse[0] * weight * 2.0 / f32(params.K);
  let first = patchStart(row);
  let width = params.side * params.C;
  for (var j = l; j < width; j += WG) {
    let top = first + columnStart(j);
    for (var y = 0u; y < params.side; y++) {
      let i = row * params.K + y * width + j;
      // Not a product: what was predicted for a kept patch may be anything.
      if (!isSomething(weight)) { dPred[i] = T(0.0); }
      else { dPred[i] = T(slope * (f32(pred[i]) - targetOf(f32(image[top + y * params.W]), row))); }
    }
  }
}`,
});
