import { type Binding, type Kernel, kernel } from '../gpu/kernel.ts';
import { differentiable } from '../tensor/grad.ts';
import { dispatch, empty } from '../tensor/record.ts';
import { aroundAxis, normalizeAxis, type Shape, ShapeError, size } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Lines, laneConstants, laneOverrides, lanePlace, laneSum, linesPerGroup } from './lanes.ts';

export interface ReduceOptions {
  /** One axis or several; negative ones count from the end. Default: all. */
  readonly axes?: number | readonly number[];
  /** Keep the reduced axes with size 1. Default: false. */
  readonly keepDims?: boolean;
}

/**
 * Sum over axes. The gradient is `dy`, repeated.
 *
 * ```ts
 * const x = tensor(device, [1, 2, 3, 4, 5, 6], [2, 3]);
 * await read(sum(x)); // [21]
 * await read(sum(x, { axes: 0 })); // [5, 7, 9]
 * ```
 */
export function sum(x: Tensor, options: ReduceOptions = {}): Tensor {
  return overAxes('sum', x, options, (part, lines, shape) => sumDifferentiable(part, lines, shape, 1));
}

/**
 * Mean over axes: `sum(x) / n`. The gradient is `dy / n`, repeated.
 *
 * @throws ShapeError when there is nothing to average.
 */
export function mean(x: Tensor, options: ReduceOptions = {}): Tensor {
  return overAxes('mean', x, options, (part, lines, shape) => {
    if (lines.length === 0) throw new ShapeError('mean', 'there is no mean of nothing', { x: x.shape });
    return sumDifferentiable(part, lines, shape, 1 / lines.length);
  });
}

/**
 * Maximum over axes. The gradient goes to the first maximum only, in the order of memory.
 *
 * @throws ShapeError when a reduced axis is empty.
 */
export function max(x: Tensor, options: ReduceOptions = {}): Tensor {
  return overAxes('max', x, options, (part, lines, shape) => extremeDifferentiable('max', part, lines, shape));
}

/** Minimum over axes; as {@link max}. */
export function min(x: Tensor, options: ReduceOptions = {}): Tensor {
  return overAxes('min', x, options, (part, lines, shape) => extremeDifferentiable('min', part, lines, shape));
}

/**
 * Index (u32) of the maximum along an axis, which is dropped; of several equal ones, the first. It has no gradient.
 *
 * ```ts
 * await readU32(argmax(tensor(device, [1, 3, 3, 0], [2, 2]))); // [1, 0]
 * ```
 */
export function argmax(x: Tensor, axis = -1): Tensor {
  return argExtreme('max', x, axis);
}

/** Index (u32) of the minimum along an axis, which is dropped; of several equal ones, the first. */
export function argmin(x: Tensor, axis = -1): Tensor {
  return argExtreme('min', x, axis);
}

/**
 * Sums of the columns, `x [R, C]` → `[C]`, for backwards: without a gradient of its own. Leading axes count as rows.
 * Over many rows it runs in two launches, the first with partial sums; the order of the additions is always the same.
 */
export function sumRows(x: Tensor): Tensor {
  const cols = x.shape.at(-1) ?? 1;
  return sumLines(x, { outer: 1, length: size(x.shape.slice(0, -1)), inner: cols }, [cols], 1);
}

/** Applies `reduce` to each run of neighbouring axes, the last one first. */
function overAxes(
  op: string,
  x: Tensor,
  { axes, keepDims = false }: ReduceOptions,
  reduce: (x: Tensor, lines: Lines, shape: Shape) => Tensor,
): Tensor {
  const all = axes === undefined ? x.shape.map((_, i) => i) : typeof axes === 'number' ? [axes] : axes;
  const open = new Set(all.map((axis) => normalizeAxis(op, axis, x.shape)));
  if (open.size < all.length) throw new ShapeError(op, `the axes ${all.join(', ')} name one twice`, { x: x.shape });
  let y = x;
  for (let last = x.shape.length - 1; last >= 0; last--) {
    if (!open.has(last)) continue;
    let first = last;
    while (open.has(first - 1)) first--;
    const before = y.shape.slice(0, first);
    const after = y.shape.slice(last + 1);
    const reduced = y.shape.slice(first, last + 1);
    const shape = [...before, ...(keepDims ? reduced.map(() => 1) : []), ...after];
    y = reduce(y, { outer: size(before), length: size(reduced), inner: size(after) }, shape);
    last = first;
  }
  return y;
}

function sumDifferentiable(x: Tensor, lines: Lines, shape: Shape, factor: number): Tensor {
  return differentiable(sumLines(x, lines, shape, factor), [x], (dy) => {
    const dx = empty(x);
    const { length, inner } = lines;
    dispatch(spread, { dy, dx }, { n: dx.size, length, inner, factor });
    return [dx];
  });
}

/** `factor · sum` of each line. */
function sumLines(x: Tensor, lines: Lines, shape: Shape, factor: number): Tensor {
  const { outer, length, inner } = lines;
  const y = empty(x, shape);
  // Where neighbours are other lines, strips alone fill the GPU: no lanes, no barriers.
  const constants = laneConstants(x.device, lines, inner >= 8 && length > 64 ? 1 : 64);
  const groups = Math.ceil((outer * inner) / linesPerGroup(constants));
  // A lane adds some 32 elements by itself; more go to other workgroups, until the GPU is busy.
  const strips = Math.min(Math.ceil(length / (32 * constants.LANES)), Math.ceil(2048 / Math.max(1, groups)));
  if (strips <= 1) {
    dispatch(sumKernels.whole, { x, y }, { ...lines, chunk: length, strips: 1, factor }, constants);
    return y;
  }
  const chunk = Math.ceil(length / strips);
  const used = Math.ceil(length / chunk);
  const partial = empty(x, [outer, used, inner], 'f32');
  dispatch(sumKernels.first, { x, y: partial }, { ...lines, chunk, strips: used, factor: 1 }, constants);
  const rest = { outer, length: used, inner };
  dispatch(
    sumKernels.last,
    { x: partial, y },
    { ...rest, chunk: used, strips: 1, factor },
    laneConstants(x.device, rest),
  );
  return y;
}

// A workgroup takes WG / LANES lines, of each one strip of `chunk` elements.
function sumKernel<X extends Binding, Y extends Binding>(name: string, x: X, y: Y) {
  return kernel({
    name,
    bind: { x, y },
    params: { outer: 'u32', length: 'u32', inner: 'u32', chunk: 'u32', strips: 'u32', factor: 'f32' },
    override: laneOverrides,
    use: [laneSum],
    grid: ({ outer, inner, strips }, constants) => [Math.ceil((outer * inner) / linesPerGroup(constants)) * strips],
    wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let group = flatGroup(g, size);
  let strip = group % params.strips;
  let line = group / params.strips * (WG / LANES) + lineOf(l);
  let inside = line < params.outer * params.inner;
  var total = 0.0;
  if (inside) {
    let start = lineStart(line, params.length, params.inner);
    let end = min(params.length, (strip + 1u) * params.chunk);
    // Four sums, so that four loads are under way.
    var sums = vec4f();
    var j = strip * params.chunk + laneOf(l);
    for (; j + 3u * LANES < end; j += 4u * LANES) {
      let at = start + j * params.inner;
      let hop = LANES * params.inner;
      sums += vec4f(f32(x[at]), f32(x[at + hop]), f32(x[at + 2u * hop]), f32(x[at + 3u * hop]));
    }
    for (; j < end; j += LANES) { sums.x += f32(x[start + j * params.inner]); }
    total = (sums.x + sums.y) + (sums.z + sums.w);
  }
  total = laneSum(total, l);
  if (inside && laneOf(l) == 0u) {
    let i = (line / params.inner * params.strips + strip) * params.inner + line % params.inner;
    y[i] = ${y === 'write T' ? 'T' : 'f32'}(total * params.factor);
  }
}`,
  });
}

const sumKernels = {
  whole: sumKernel('sum', 'read T', 'write T'),
  first: sumKernel('sum-strips', 'read T', 'write f32'),
  last: sumKernel('sum-of-strips', 'read f32', 'write T'),
};

// One invocation writes one element.
const spread = kernel({
  name: 'sum-backward',
  bind: { dy: 'read T', dx: 'write T' },
  params: { n: 'u32', length: 'u32', inner: 'u32', factor: 'f32' },
  override: { WG: 64 },
  grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  if (i >= params.n) { return; }
  // Two divisions: they are dear.
  let j = i / params.inner;
  let line = j / params.length * params.inner + (i - j * params.inner);
  dx[i] = T(f32(dy[line]) * params.factor);
}`,
});

type Extreme = 'max' | 'min';

function argExtreme(which: Extreme, x: Tensor, axis: number): Tensor {
  const normal = normalizeAxis(`arg${which}`, axis, x.shape);
  const lines = aroundAxis(x.shape, normal);
  if (lines.length === 0) throw new ShapeError(`arg${which}`, `axis ${axis} is empty`, { x: x.shape });
  return extreme(
    which,
    x,
    lines,
    x.shape.filter((_, i) => i !== normal),
  ).index;
}

function extreme(which: Extreme, x: Tensor, lines: Lines, shape: Shape): { y: Tensor; index: Tensor } {
  const y = empty(x, shape);
  const index = empty(x, shape, 'u32');
  dispatch(extremeKernels[which], { x, y, index }, { ...lines }, laneConstants(x.device, lines, 256));
  return { y, index };
}

function extremeDifferentiable(which: Extreme, x: Tensor, lines: Lines, shape: Shape): Tensor {
  if (lines.length === 0) throw new ShapeError(which, `there is no ${which} of nothing`, { x: x.shape });
  const { y, index } = extreme(which, x, lines, shape);
  return differentiable(y, [x], (dy) => {
    const dx = empty(x);
    dispatch(pick, { dy, index, dx }, { n: dx.size, length: lines.length, inner: lines.inner });
    return [dx];
  });
}

// A workgroup takes WG / LANES lines. A lane keeps its best element; an index of `length` says that it has none.
function extremeKernel(
  which: Extreme,
): Kernel<
  { readonly x: 'read T'; readonly y: 'write T'; readonly index: 'write u32' },
  { readonly outer: 'u32'; readonly length: 'u32'; readonly inner: 'u32' },
  typeof laneOverrides
> {
  const better = which === 'max' ? '>' : '<';
  return kernel({
    name: which,
    bind: { x: 'read T', y: 'write T', index: 'write u32' },
    params: { outer: 'u32', length: 'u32', inner: 'u32' },
    override: laneOverrides,
    use: [lanePlace],
    grid: ({ outer, inner }, constants) => [Math.ceil((outer * inner) / linesPerGroup(constants))],
    wgsl: `
var<workgroup> values: array<f32, WG>;
var<workgroup> places: array<u32, WG>;
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let lines = WG / LANES;
  let line = flatGroup(g, size) * lines + lineOf(l);
  let lane = laneOf(l);
  let inside = line < params.outer * params.inner;
  var best = 0.0;
  var place = params.length;
  if (inside) {
    let start = lineStart(line, params.length, params.inner);
    for (var j = lane; j < params.length; j += LANES) {
      let value = f32(x[start + j * params.inner]);
      if (place == params.length || value ${better} best) {
        best = value;
        place = j;
      }
    }
  }
  let cell = lane * lines + lineOf(l);
  values[cell] = best;
  places[cell] = place;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half = half / 2u) {
    if (lane < half) {
      let other = cell + half * lines;
      let wins = values[other] ${better} values[cell] || (values[other] == values[cell] && places[other] < places[cell]);
      if (places[other] < params.length && (wins || places[cell] == params.length)) {
        values[cell] = values[other];
        places[cell] = places[other];
      }
    }
    workgroupBarrier();
  }
  if (inside && lane == 0u) {
    y[line] = T(values[cell]);
    index[line] = places[cell];
  }
}`,
  });
}

const extremeKernels = { max: extremeKernel('max'), min: extremeKernel('min') };

// One invocation writes one element: dy where the extreme was, 0 elsewhere.
const pick = kernel({
  name: 'extreme-backward',
  bind: { dy: 'read T', index: 'read u32', dx: 'write T' },
  params: { n: 'u32', length: 'u32', inner: 'u32' },
  override: { WG: 64 },
  grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  if (i >= params.n) { return; }
  let place = i / params.inner;
  let outer = place / params.length;
  let line = outer * params.inner + (i - place * params.inner);
  var value = T(0.0);
  if (index[line] == place - outer * params.length) { value = dy[line]; }
  dx[i] = value;
}`,
});
