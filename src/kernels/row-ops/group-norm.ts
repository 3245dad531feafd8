import { type Device, kernel, notNumbers } from '../../gpu/index.ts';
import { differentiable, dispatch, empty, Tensor } from '../../tensor/graph/index.ts';
import { size } from '../../tensor/values/index.ts';
import {
  inRuns,
  mean,
  rowSum,
  rowSumVec2,
  rowsPerGroup,
  rowThreadOverrides,
  rowThreadPlace,
  threadPerRow,
} from '../axis/index.ts';
import { add, addScalar, cast, div, mul, sqrt, square, sub } from '../elementwise/index.ts';
import { reshape } from '../layout/index.ts';
import { sumParts } from './layer-norm-weights.ts';

/**
 * Group normalisation (https://arxiv.org/abs/1803.08494), channels last: `x [B, ..., C]`, of whose channels `groups` groups of
 * neighbours each have mean 0 and (biased) variance 1 in an image, then `· weight + bias`, both `[C]` and of the dtype of `x`.
 * Of other shapes it is not called. A group of n values whose sum of squares overflows, from some 10¹⁹ / √n on, gives NaN.
 *
 * With `h = (x - mean) / √(variance + eps)` and `g = dy · weight` the gradients are
 * `dx = (g - mean(g) - h · mean(g · h)) / √(variance + eps)`, `dweight = Σ dy · h` and `dbias = Σ dy` over images and places.
 */
export function groupNorm(x: Tensor, weight: Tensor, bias: Tensor, groups: number, eps: number): Tensor {
  const cols = weight.size;
  const images = x.shape[0] as number;
  const places = size(x.shape) / images / cols;
  const rows = images * groups;
  const numbers = { rows, groups, places, per: cols / groups };
  const constants = division(x.device, numbers);
  const y = empty(x);
  const middles = empty(x, [rows], 'f32');
  const inverse = empty(x, [rows], 'f32');
  dispatch(forward, { x, weight, bias, mean: middles, inverse, y }, { ...numbers, eps }, constants);

  const backward = (dy: Tensor) => {
    const dx = empty(x);
    const [dweight, dbias] = [empty(weight), empty(bias)];
    const partial = empty(x, [images, 2, cols], 'f32');
    const bound = { x, mean: middles, inverse, dy, dx, weight, partial, residual: dy };
    dispatch(backwardKernel, bound, { ...numbers, hasResidual: 0 }, constants);
    sumParts(new Tensor(partial.storage, [images, 2 * cols], 'f32'), dweight, dbias);
    return [dx, dweight, dbias];
  };
  return differentiable(y, [x, weight, bias], backward, (x, weight, bias) => {
    const wide = reshape(cast(x, 'f32'), [images, places, groups, cols / groups]);
    const within = { axes: [1, 3], keepDims: true };
    const d = sub(wide, mean(wide, within));
    const h = div(d, sqrt(addScalar(mean(square(d), within), eps)));
    return cast(add(mul(reshape(h, x.shape), cast(weight, 'f32')), cast(bias, 'f32')), x.dtype);
  });
}

/** Channels that are read at once at least: f32 of a sector, the least that a GPU brings from memory. */
const SECTOR = 8;

/**
 * How groups are shared out. One invocation after the other computes on a CPU; on a GPU a workgroup is as large as what it has to do. A
 * group of few channels (an instance norm has one) leaves most of what is brought from memory to its neighbours, so a workgroup takes these too.
 */
function division(device: Device, { rows, per, places }: { rows: number; per: number; places: number }) {
  const cpu = threadPerRow(device);
  if (cpu) return { WG: cpu.WG, THREADS: cpu.WG, ROWS_ADJACENT: 0 };
  let together = 1;
  while (together * per < SECTOR && together < rows) together *= 2;
  const WG = together * places * per > 512 ? 256 : 64;
  return { WG, THREADS: WG / together, ROWS_ADJACENT: 1 };
}

// THREADS invocations of a workgroup take a group of an image, others its neighbours. Of its channels (`per`) as many as it has
// invocations are side by side, at neighbouring addresses; invocations of one channel share the places.
const place = `
  let firstGroup = flatGroup(g, size) * (WG / THREADS);
  // A wrapped grid may have some workgroups too many.
  if (firstGroup >= params.rows) { return; }
  // And the last workgroup some groups: these are the last group again, and only take part in sums.
  let inside = firstGroup + rowOf(l) < params.rows;
  let group = min(firstGroup + rowOf(l), params.rows - 1u);
  let thread = threadOf(l);
  let wide = min(params.per, THREADS);
  let apart = THREADS / wide;
  let channel = thread % wide;
  // Invocations that are left over have nothing to do.
  let start = select(params.places, thread / wide, inside && thread / wide < apart);
  let cols = params.groups * params.per;
  let firstCol = group % params.groups * params.per;
  let base = group / params.groups * params.places * cols + firstCol;
  let count = f32(params.places * params.per);`;

const head = `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {${place}`;

const walk = { counter: 'p', from: 'start', to: 'params.places', by: 'apart' } as const;
const eachChannel = (body: string) => `for (var k = channel; k < params.per; k += wide) {\n${body}\n}`;
const overAll = (sum: string, body: string) =>
  eachChannel(inRuns({ [sum]: 'f32' }, walk, `let at = base + p * cols + k;\n${body}`, { loops: 3 }));

const numbers = { rows: 'u32', groups: 'u32', places: 'u32', per: 'u32' } as const;

// Everything is relative to the group's first element, as in a layer norm. `mean` is the mean less that element.
const forward = /*#__PURE__*/ kernel({
  name: 'group-norm',
  bind: {
    x: 'read T',
    weight: 'read T',
    bias: 'read T',
    mean: 'write f32',
    inverse: 'write f32',
    y: 'write T',
  },
  params: { ...numbers, eps: 'f32' },
  override: rowThreadOverrides,
  use: [notNumbers, rowThreadPlace, rowSum],
  grid: ({ rows }, constants) => [Math.ceil(rows / rowsPerGroup(constants))],
  wgsl: `${head}
  let first = f32(x[base]);
  var total = 0.0;
  ${/*#__PURE__*/ overAll('total', 'total += f32(x[at]) - first;')}
  let middle = rowSum(total, l) / count;
  var squares = 0.0;
  ${/*#__PURE__*/ overAll('squares', 'let d = (f32(x[at]) - first) - middle; squares += d * d;')}
  let variance = rowSum(squares, l) / count;
  // Squares that overflow would make every result 0.
  let factor = select(nanFrom(variance), 1.0 / sqrt(variance + params.eps), isFinite(variance));
  if (inside && thread == 0u) {
    mean[group] = middle;
    inverse[group] = factor;
  }
  ${
    /*#__PURE__*/ eachChannel(`let w = f32(weight[firstCol + k]) * factor;
    let b = f32(bias[firstCol + k]);
    for (var p = start; p < params.places; p += apart) {
      let at = base + p * cols + k;
      y[at] = T(((f32(x[at]) - first) - middle) * w + b);
    }`)
  }
}`,
});

// First the sums of every channel, which are its parts of dweight and dbias; times the weights they make those of the group.
const backwardKernel = /*#__PURE__*/ kernel({
  name: 'group-norm-backward',
  bind: {
    x: 'read T',
    mean: 'read f32',
    inverse: 'read f32',
    dy: 'read T',
    dx: 'write T',
    weight: 'read T',
    partial: 'write f32',
    residual: 'read T',
  },
  params: { ...numbers, hasResidual: 'u32' },
  // What flows around the norm, in a residual block.
  adds: 'dx',
  override: rowThreadOverrides,
  use: [rowThreadPlace, rowSumVec2],
  grid: ({ rows }, constants) => [Math.ceil(rows / rowsPerGroup(constants))],
  wgsl: `
var<workgroup> cells: array<vec2f, WG>;
${head}
  let first = f32(x[base]);
  let middle = mean[group];
  let factor = inverse[group];
  var sums = vec2f();
  for (var firstChannel = 0u; firstChannel < params.per; firstChannel += wide) {
    let k = firstChannel + channel;
    let end = select(0u, params.places, k < params.per);
    var dw = 0.0;
    var db = 0.0;
    ${
      /*#__PURE__*/ inRuns(
        { dw: 'f32', db: 'f32' },
        { ...walk, to: 'end' },
        `let at = base + p * cols + k;
      let d = f32(dy[at]);
      dw += d * (((f32(x[at]) - first) - middle) * factor);
      db += d;`,
        { loops: 3 },
      )
    }
    workgroupBarrier();
    cells[l] = vec2f(db, dw);
    workgroupBarrier();
    if (inside && thread < wide && k < params.per) {
      var both = vec2f();
      let hop = wide * select(1u, WG / THREADS, ROWS_ADJACENT == 1u);
      for (var i = 0u; i < apart; i++) { both += cells[i * hop + l]; }
      let to = group / params.groups * 2u * cols + firstCol + k;
      partial[to] = both.y;
      partial[to + cols] = both.x;
      sums += both * f32(weight[firstCol + k]);
    }
  }
  let means = rowSumVec2(sums, l) / count;
  ${
    /*#__PURE__*/ eachChannel(`let w = f32(weight[firstCol + k]);
    for (var p = start; p < params.places; p += apart) {
      let at = base + p * cols + k;
      let h = ((f32(x[at]) - first) - middle) * factor;
      var value = (f32(dy[at]) * w - means.x - h * means.y) * factor;
      if (params.hasResidual != 0u) { value += f32(residual[at]); }
      dx[at] = T(value);
    }`)
  }
}`,
});
