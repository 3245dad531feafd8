import { type Device, kernel, notNumbers } from '../../gpu/index.ts';
import { differentiable, dispatch, empty, Tensor } from '../../tensor/graph/index.ts';
import { ShapeError, size } from '../../tensor/values/index.ts';
import {
  checkFloats,
  checkNumber,
  checkTensors,
  inRuns,
  loopsFor,
  mean,
  type RowCode,
  rowKernel,
  rowSumVec2,
  rowThreadOverrides,
  rowThreadPlace,
  sum,
  threadPerRow,
} from '../axis/index.ts';
import { add, addScalar, div, mul, sqrt, square, sub } from '../elementwise/index.ts';
import { sumParts } from './layer-norm-weights.ts';

/**
 * Layer normalisation (https://arxiv.org/abs/1607.06450) over the last axis of `x [..., C]`, `weight [C]`, `bias [C]`:
 * `y = (x - mean) / √(variance + eps) · weight + bias`, with the biased variance. A row whose sum of squares overflows, from values of some
 * 10¹⁹ / √C on, gives NaN, as one does that holds NaN or ∞.
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
  checkTensors('layerNorm', { x, weight, bias });
  checkNumber('layerNorm', 'eps', eps);
  const cols = x.shape.at(-1);
  const shapes = { x: x.shape, weight: weight.shape, bias: bias.shape };
  if (!cols) throw new ShapeError('layerNorm', 'the last axis must hold at least one element', shapes);
  for (const { shape } of [weight, bias]) {
    if (shape.length !== 1 || shape[0] !== cols) {
      throw new ShapeError('layerNorm', 'weight and bias must be as long as the last axis of x', shapes);
    }
  }
  const rows = size(x.shape) / cols;
  const y = empty(x);
  const middles = empty(x, [rows], 'f32');
  const inverse = empty(x, [rows], 'f32');
  forward(
    { x, mean: middles, inverse, y, weight, bias },
    { outer: rows, length: cols, inner: 1 },
    { divisor: cols, eps },
  );

  const backward = (dy: Tensor) => {
    const dx = empty(x);
    const dweight = empty(weight);
    const dbias = empty(bias);
    const F = cols % 4 === 0 ? 'vec4<f32>' : 'f32';
    const length = cols % 4 === 0 ? cols / 4 : cols;
    const { chunk, constants } = backwardShape(x.device, rows, length);
    const parts = Math.ceil(rows / chunk);
    const partial = empty(x, [parts, 2, cols], 'f32');
    const bound = { x, mean: middles, inverse, dy, dx, weight, partial, residual: dy };
    const numbers = { rows, length, chunk, cols, hasResidual: 0 };
    dispatch(backwardKernel(F, loopsFor(length / constants.THREADS)), bound, numbers, constants);
    sumParts(new Tensor(partial.storage, [parts, 2 * cols], 'f32'), dweight, dbias);
    return [dx, dweight, dbias];
  };
  return differentiable(y, [x, weight, bias], backward, (t, w, b) => add(mul(standardized(t, cols, eps), w), b));
}

/** {@link standardize} by ops. */
function standardized(x: Tensor, divisor: number, eps: number): Tensor {
  const last = { axes: -1, keepDims: true };
  const d = sub(x, mean(x, last));
  return div(d, sqrt(add(mul(sum(square(d), last), 1 / divisor), eps)));
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
  checkTensors('batchNormEval', { x, mean, variance, weight, bias });
  checkNumber('batchNormEval', 'eps', eps);
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
  checkFloats('patchNormalize', { x });
  checkNumber('patchNormalize', 'eps', eps);
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
  const axis = { outer: rows, length: cols, inner: 1 };
  const y = empty(x);
  const middles = empty(x, [rows], 'f32');
  const inverse = empty(x, [rows], 'f32');
  standardizeForward({ x, mean: middles, inverse, y }, axis, { divisor, eps });
  return differentiable(
    y,
    [x],
    (dy) => {
      const dx = empty(x);
      standardizeBackward({ x, mean: middles, inverse, dy, dx }, axis, { divisor });
      return [dx];
    },
    (t) => standardized(t, divisor, eps),
  );
}

// Mean and squares about it in one walk over the row: each run of elements has its own, about its first element, and two are joined by
// Chan's rule (https://doi.org/10.1080/00031305.1983.10483115). A sum of n squares about one of the elements is at most n times that about their mean, so little is
// lost where the difference is taken. Means are relative to the first element of the row: what remains of a large common offset is then exact.
const statistics = ({ each, inRow, atStep, sum, at }: RowCode): string => `
  let first = ${at('x', '0u')};
  var squares = F();
  var middles = F();
  var counts = F();
  ${each(
    `let d = x - near;
    s += ${inRow('d', '0.0')};
    q += ${inRow('d * d', '0.0')};
    n += ${inRow('F(1.0)', '0.0')};`,
    {
      sums: ['squares', 'middles', 'counts'],
      loops: 2,
      around: (loop, step) => `let near = ${atStep('x', step, 'first')};
    var s = F();
    var q = F();
    var n = F();
    ${loop}
    let past = s / max(n, F(1.0));
    squares = q - s * past;
    middles = (near - first) + past;
    counts = n;`,
      join: (name, before) => chan[name as keyof typeof chan](before),
    },
  )}
  let middle = ${sum('(middles * counts)')} / f32(params.length * PER);
  let total = ${sum('(squares + counts * (middles - middle) * (middles - middle))')};
  // Squares that overflow would make every result 0.
  let factor = select(nanFrom(total), 1.0 / sqrt(total / params.divisor + params.eps), isFinite(total));
  if (lead) {
    mean[row] = middle;
    inverse[row] = factor;
  }`;

/** By Chan's rule, in this order, from what was `before` a run and what the run made. */
const chan = {
  squares: (before: (name: string) => string) => `${before('squares')} + squares + (middles - ${before('middles')}) *
      (middles - ${before('middles')}) * (counts * ${before('counts')} / max(counts + ${before('counts')}, F(1.0)))`,
  middles: (before: (name: string) => string) =>
    `${before('middles')} + (middles - ${before('middles')}) * (counts / max(counts + ${before('counts')}, F(1.0)))`,
  counts: (before: (name: string) => string) => `${before('counts')} + counts`,
};

const forwardSpec = {
  elements: { x: 'read T', y: 'write T' },
  perRow: { mean: 'write f32', inverse: 'write f32' },
  params: { divisor: 'f32', eps: 'f32' },
  use: [notNumbers],
} as const;

const forward = /*#__PURE__*/ rowKernel({
  ...forwardSpec,
  name: 'layer-norm',
  along: ['weight', 'bias'],
  body: (code) => `${statistics(code)}
  ${code.write('y', '((x - first) - middle) * factor * weight + bias')}`,
});

const standardizeForward = /*#__PURE__*/ rowKernel({
  ...forwardSpec,
  name: 'standardize',
  body: (code) => `${statistics(code)}
  ${code.write('y', '((x - first) - middle) * factor')}`,
});

const standardizeBackward = /*#__PURE__*/ rowKernel({
  name: 'standardize-backward',
  elements: { x: 'read T', dy: 'read T', dx: 'write T' },
  perRow: { mean: 'read f32', inverse: 'read f32' },
  params: { divisor: 'f32' },
  body: ({ each, inRow, sum, at, write }) => `
  let first = ${at('x', '0u')};
  let middle = mean[row];
  let factor = inverse[row];
  var gradients = F(0.0);
  var products = F(0.0);
  ${each(`
    gradients += ${inRow('dy', '0.0')};
    products += ${inRow('dy * (((x - first) - middle) * factor)', '0.0')};`)}
  let gradient = ${sum('gradients')} / f32(params.length * PER);
  let product = ${sum('products')} / params.divisor;
  ${write('dx', '(dy - gradient - ((x - first) - middle) * factor * product) * factor')}`,
});

/** Rows of a workgroup of the backward: at most that many leave statistics for its second half. */
const MAX_ROWS = 64;

function backwardShape(device: Device, rows: number, length: number) {
  // On a CPU a row an invocation; on a GPU 8 rows or more at a time, that the second half has all invocations at work.
  const alone = threadPerRow(device);
  if (alone) return { chunk: 32, constants: { ...alone, ROWS_ADJACENT: 0 } };
  let threads = 8;
  while (threads < 64 && threads * 4 < length) threads *= 2;
  const atOnce = 256 / threads;
  // Up to about a thousand workgroups.
  const chunk = Math.min(MAX_ROWS, atOnce * Math.max(1, Math.ceil(rows / atOnce / 1024)));
  return { chunk, constants: { WG: 256, THREADS: threads, ROWS_ADJACENT: 0 } };
}

// A workgroup takes `chunk` rows. First THREADS invocations make dx of a row, and leave its statistics; then each walks down the
// columns for the workgroup's part of dweight and dbias. By then x and dy are in the cache.
function makeBackward(F: 'f32' | 'vec4<f32>', loops: number) {
  const stored = F === 'f32' ? 'T' : 'vec4<T>';
  const across = (v: string) => (F === 'f32' ? v : `dot(${v}, vec4f(1.0))`);
  return kernel({
    name: 'layer-norm-backward',
    bind: {
      x: `read ${stored}`,
      mean: 'read f32',
      inverse: 'read f32',
      dy: `read ${stored}`,
      dx: `write ${stored}`,
      weight: `read ${stored}`,
      partial: `write ${F}`,
      residual: `read ${stored}`,
    },
    params: { rows: 'u32', length: 'u32', chunk: 'u32', cols: 'f32', hasResidual: 'u32' },
    // What flows around the norm, in a residual block.
    adds: 'dx',
    override: rowThreadOverrides,
    use: [rowThreadPlace, rowSumVec2],
    grid: ({ rows, chunk }) => [Math.ceil(rows / chunk)],
    wgsl: `
alias F = ${F};
var<workgroup> statistics: array<vec3f, ${MAX_ROWS}>;
${head}
  let group = flatGroup(g, size);
  let firstRow = group * params.chunk;
  // A wrapped grid may have some workgroups too many.
  if (firstRow >= params.rows) { return; }
  let lastRow = min(params.rows, firstRow + params.chunk);
  // Two turns for every row, the sums and then dx, in one loop: each load and store that is written takes long to compile.
  var sums = vec2f();
  for (var turn = 0u; turn < params.chunk * THREADS / WG * 2u; turn++) {
    let last = turn % 2u == 1u;
    let row = firstRow + turn / 2u * (WG / THREADS) + rowOf(l);
    let start = row * params.length;
    let count = select(0u, params.length, row < lastRow);
    var s = vec3f();
    if (row < lastRow) { s = vec3f(f32(x[start]${F === 'f32' ? '' : '.x'}), mean[row], inverse[row]); }
    var gradients = F();
    var products = F();
    ${inRuns(
      { gradients: 'F', products: 'F' },
      { counter: 'c', from: 'thread', to: 'count', by: 'THREADS' },
      `      let gradient = F(dy[start + c]) * F(weight[c]);
      let h = ((F(x[start + c]) - s.x) - s.y) * s.z;
      gradients += gradient;
      products += gradient * h;
      if (last) {
        var value = (gradient - sums.x - h * sums.y) * s.z;
        if (params.hasResidual != 0u) { value += F(residual[start + c]); }
        dx[start + c] = ${stored}(value);
      }`,
      { loops },
    )}
    if (!last) { sums = rowSumVec2(vec2f(${across('gradients')}, ${across('products')}), l) / params.cols; }
    if (thread == 0u && row < lastRow) { statistics[row - firstRow] = s; }
  }
  workgroupBarrier();
  for (var c = l; c < params.length; c += WG) {
    var dw = F();
    var db = F();
    ${inRuns(
      { dw: 'F', db: 'F' },
      { counter: 'row', from: 'firstRow', to: 'lastRow', by: '1u' },
      `      let s = statistics[row - firstRow];
      let d = F(dy[row * params.length + c]);
      dw += d * (((F(x[row * params.length + c]) - s.x) - s.y) * s.z);
      db += d;`,
    )}
    let at = group * 2u * params.length + c;
    partial[at] = dw;
    partial[at + params.length] = db;
  }
}`,
  });
}

const head = `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let thread = threadOf(l);`;

const backwardKernels = new Map<string, ReturnType<typeof makeBackward>>();

function backwardKernel(F: 'f32' | 'vec4<f32>', loops: number): ReturnType<typeof makeBackward> {
  const key = `${F} ${loops}`;
  let made = backwardKernels.get(key);
  if (!made) backwardKernels.set(key, (made = makeBackward(F, loops)));
  return made;
}
