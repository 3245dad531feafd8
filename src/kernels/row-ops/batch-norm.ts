import { type Device, kernel, notNumbers } from '../../gpu/index.ts';
import { differentiable, dispatch, empty, type Tensor } from '../../tensor/graph/index.ts';
import { size } from '../../tensor/values/index.ts';
import {
  inRuns,
  loopsFor,
  mean,
  rowSum,
  rowSumVec2,
  rowThreadOverrides,
  rowThreadPlace,
  threadPerRow,
} from '../axis/index.ts';
import { add, addScalar, cast, div, mul, sqrt, square, sub } from '../elementwise/index.ts';
import { reshape } from '../layout/index.ts';

/** What a training moves: `[C]` each, f32, variables. */
export interface RunningStatistics {
  readonly mean: Tensor;
  readonly variance: Tensor;
}

/**
 * Batch normalisation in training (https://arxiv.org/abs/1502.03167), channels last: of `x [..., C]` every channel has mean 0 and (biased)
 * variance 1, then `· weight + bias`, both `[C]` and of the dtype of `x`. Moves the running statistics by `momentum` towards those of the batch,
 * with the unbiased variance. Of other shapes, or fewer than two values of a channel, it is not called. A channel of n values whose sum
 * of squares overflows, from some 10¹⁹ / √n on, gives NaN.
 *
 * With `h = (x - mean) / √(variance + eps)` the gradients are `dbias = Σ dy`, `dweight = Σ dy · h` and
 * `dx = (dy - dbias / n - h · dweight / n) · weight / √(variance + eps)`, over the n values of a channel.
 */
export function batchNorm(
  x: Tensor,
  weight: Tensor,
  bias: Tensor,
  running: RunningStatistics,
  { eps, momentum }: { readonly eps: number; readonly momentum: number },
): Tensor {
  const cols = weight.size;
  const rows = size(x.shape) / cols;
  const { chunk, constants } = division(x.device, rows, cols);
  const parts = Math.ceil(rows / chunk);
  const numbers = { rows, cols, chunk, parts };
  const y = empty(x);
  const statistics = empty(x, [2, cols], 'f32');
  const partial = empty(x, [parts, 2, cols], 'f32');
  const sums = sumsOf(loopsFor(chunk / constants.THREADS));
  dispatch(sums.forward, { x, partial }, numbers, constants);
  const moved = { runningMean: running.mean, runningVariance: running.variance };
  dispatch(forward, { x, partial, weight, bias, statistics, ...moved, y }, { ...numbers, eps, momentum }, constants);

  const backward = (dy: Tensor) => {
    const [dx, dweight, dbias] = [empty(x), empty(weight), empty(bias)];
    const partial = empty(x, [parts, 2, cols], 'f32');
    dispatch(sums.backward, { x, statistics, dy, partial }, numbers, constants);
    dispatch(backwardKernel, { x, statistics, dy, partial, weight, dx, dweight, dbias }, numbers, constants);
    return [dx, dweight, dbias];
  };
  return differentiable(y, [x, weight, bias], backward, (x, weight, bias) => {
    const wide = reshape(cast(x, 'f32'), [rows, cols]);
    const down = { axes: 0, keepDims: true };
    const d = sub(wide, mean(wide, down));
    const h = div(d, sqrt(addScalar(mean(square(d), down), eps)));
    return cast(add(mul(reshape(h, x.shape), cast(weight, 'f32')), cast(bias, 'f32')), x.dtype);
  });
}

/** Workgroups that keep a device busy, and parts of the rows that each of them can still add up by itself. */
const [BUSY, MOST_PARTS] = [1024, 128];

/**
 * How rows and columns are shared out. A workgroup takes a chunk of rows, of neighbouring columns: as many as one load of a GPU brings, and
 * its other invocations share the rows. On a CPU each invocation has a column to itself, and waits for no other.
 */
function division(device: Device, rows: number, cols: number) {
  const cpu = threadPerRow(device);
  let across = 1;
  while (across < 32 && across < cols) across *= 2;
  const constants = { ...(cpu ?? { WG: 256, THREADS: 256 / across }), ROWS_ADJACENT: 1 };
  const blocks = Math.ceil((cols * constants.THREADS) / constants.WG);
  const most = Math.min(MOST_PARTS, Math.ceil((cpu ? 32 : BUSY) / blocks));
  const parts = Math.min(most, Math.ceil(rows / (cpu ? 64 : 8 * constants.THREADS)));
  return { chunk: Math.ceil(rows / parts), constants };
}

const numbers = { rows: 'u32', cols: 'u32', chunk: 'u32', parts: 'u32' } as const;

const shared = {
  override: rowThreadOverrides,
  grid: ({ cols, parts }: { cols: number; parts: number }, { WG, THREADS }: { WG: number; THREADS: number }) => [
    parts * Math.ceil(cols / (WG / THREADS)),
  ],
};

// Column c, and rows `start` to `end` of it: none of columns that there are not, whose invocations only take part in sums.
const head = `
fn rowsOf(part: u32) -> f32 { return f32(min(params.chunk, params.rows - part * params.chunk)); }
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let wide = WG / THREADS;
  let blocks = (params.cols + wide - 1u) / wide;
  let group = flatGroup(g, size);
  // A wrapped grid may have some workgroups too many.
  if (group >= blocks * params.parts) { return; }
  let part = group / blocks;
  let c = group % blocks * wide + rowOf(l);
  let thread = threadOf(l);
  let inside = c < params.cols;
  let column = min(c, params.cols - 1u);
  let start = part * params.chunk;
  let end = select(start, min(params.rows, start + params.chunk), inside);
  let parts = select(0u, params.parts, inside);
  let lead = inside && thread == 0u;
  // Everything is relative to the channel's first element, as in a layer norm.
  let first = f32(x[column]);`;

const overRows = (sums: Readonly<Record<string, string>>, loops: number, body: string) =>
  inRuns(
    sums,
    { counter: 'r', from: 'start + thread', to: 'end', by: 'THREADS' },
    `let at = r * params.cols + c;\n${body}`,
    { loops },
  );
const overParts = (sums: Readonly<Record<string, string>>, body: string) =>
  inRuns(
    sums,
    { counter: 'i', from: 'thread', to: 'parts', by: 'THREADS' },
    `let at = i * 2u * params.cols + c;\n${body}`,
    // These are at most 32 to an invocation.
    { loops: 1 },
  );
const eachRow = (body: string) =>
  `for (var r = start + thread; r < end; r += THREADS) {\nlet at = r * params.cols + c;\n${body}\n}`;

const normalized = `
  let middle = statistics[column];
  let factor = statistics[params.cols + column];`;

/** Kernels that go over the rows of a part, by the loops of their sums. */
const sumsKernels = new Map<number, ReturnType<typeof makeSums>>();

function sumsOf(loops: number): ReturnType<typeof makeSums> {
  let made = sumsKernels.get(loops);
  if (!made) sumsKernels.set(loops, (made = makeSums(loops)));
  return made;
}

function makeSums(loops: number) {
  return {
    // Of every part of the rows the mean, and the sum of squares about it.
    forward: kernel({
      name: 'batch-norm-sums',
      bind: { x: 'read T', partial: 'write f32' },
      params: numbers,
      ...shared,
      use: [rowThreadPlace, rowSum],
      wgsl: `${head}
  var total = 0.0;
  ${overRows({ total: 'f32' }, loops, 'total += f32(x[at]) - first;')}
  let middle = rowSum(total, l) / rowsOf(part);
  var squares = 0.0;
  ${overRows({ squares: 'f32' }, loops, 'let d = (f32(x[at]) - first) - middle; squares += d * d;')}
  let all = rowSum(squares, l);
  if (lead) {
    partial[part * 2u * params.cols + c] = middle;
    partial[(part * 2u + 1u) * params.cols + c] = all;
  }
}`,
    }),
    // Of every part of the rows the sums of dy · h and of dy.
    backward: kernel({
      name: 'batch-norm-backward-sums',
      bind: { x: 'read T', statistics: 'read f32', dy: 'read T', partial: 'write f32' },
      params: numbers,
      ...shared,
      use: [rowThreadPlace, rowSumVec2],
      wgsl: `${head}${normalized}
  var dw = 0.0;
  var db = 0.0;
  ${overRows(
    { dw: 'f32', db: 'f32' },
    loops,
    `let d = f32(dy[at]);
    dw += d * (((f32(x[at]) - first) - middle) * factor);
    db += d;`,
  )}
  let both = rowSumVec2(vec2f(dw, db), l);
  if (lead) {
    partial[part * 2u * params.cols + c] = both.x;
    partial[(part * 2u + 1u) * params.cols + c] = both.y;
  }
}`,
    }),
  };
}

// Every workgroup makes the statistics of its columns from those of all parts; the first writes them. `statistics` has the means less the
// first elements before the inverse deviations.
const forward = /*#__PURE__*/ kernel({
  name: 'batch-norm',
  bind: {
    x: 'read T',
    partial: 'read f32',
    weight: 'read T',
    bias: 'read T',
    statistics: 'write f32',
    runningMean: 'update f32',
    runningVariance: 'update f32',
    y: 'write T',
  },
  params: { ...numbers, eps: 'f32', momentum: 'f32' },
  ...shared,
  use: [notNumbers, rowThreadPlace, rowSum],
  wgsl: `${head}
  let count = f32(params.rows);
  var total = 0.0;
  ${/*#__PURE__*/ overParts({ total: 'f32' }, 'total += partial[at] * rowsOf(i);')}
  let middle = rowSum(total, l) / count;
  var squares = 0.0;
  ${
    /*#__PURE__*/ overParts(
      { squares: 'f32' },
      'let d = partial[at] - middle; squares += partial[at + params.cols] + d * d * rowsOf(i);',
    )
  }
  let all = rowSum(squares, l);
  let variance = all / count;
  // Squares that overflow would make every result 0.
  let factor = select(nanFrom(variance), 1.0 / sqrt(variance + params.eps), isFinite(variance));
  if (lead && part == 0u) {
    statistics[c] = middle;
    statistics[params.cols + c] = factor;
    let kept = 1.0 - params.momentum;
    runningMean[c] = kept * runningMean[c] + params.momentum * (first + middle);
    runningVariance[c] = kept * runningVariance[c] + params.momentum * (all / (count - 1.0));
  }
  let w = f32(weight[column]) * factor;
  let b = f32(bias[column]);
  ${/*#__PURE__*/ eachRow('y[at] = T(((f32(x[at]) - first) - middle) * w + b);')}
}`,
});

// Every workgroup adds the sums of all parts up for its columns; the first writes them.
const backwardKernel = /*#__PURE__*/ kernel({
  name: 'batch-norm-backward',
  bind: {
    x: 'read T',
    statistics: 'read f32',
    dy: 'read T',
    partial: 'read f32',
    weight: 'read T',
    dx: 'write T',
    dweight: 'write T',
    dbias: 'write T',
  },
  params: numbers,
  ...shared,
  use: [rowThreadPlace, rowSumVec2],
  wgsl: `${head}${normalized}
  var dw = 0.0;
  var db = 0.0;
  ${/*#__PURE__*/ overParts({ dw: 'f32', db: 'f32' }, 'dw += partial[at]; db += partial[at + params.cols];')}
  let both = rowSumVec2(vec2f(dw, db), l);
  if (lead && part == 0u) {
    dweight[c] = T(both.x);
    dbias[c] = T(both.y);
  }
  let means = both / f32(params.rows);
  let w = f32(weight[column]) * factor;
  ${
    /*#__PURE__*/ eachRow(`let h = ((f32(x[at]) - first) - middle) * factor;
    dx[at] = T((f32(dy[at]) - means.y - h * means.x) * w);`)
  }
}`,
});
