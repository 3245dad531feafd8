import { type Kernel, kernel, notNumbers } from '../../gpu/index.ts';
import {
  checkTensors,
  differentiable,
  differentiableLinear,
  dispatch,
  elementGrid,
  elementLoop,
  elementOverride,
  empty,
  type Tensor,
  unchanged,
} from '../../tensor/graph/index.ts';
import { aroundAxis, isFloat, normalizeAxis, type Shape, ShapeError } from '../../tensor/values/index.ts';
import { checkNoMore } from './operands.ts';
import { type ReduceOptions, runsOf, spreadOver, spreadParams, spreadPlace, type Units } from './reduce-axes.ts';
import { type AxisRows, rowsPerGroup, rowThreadOverrides, rowThreadPlace, rowThreads } from './row-threads.ts';
import { wholePlaces, wholeReduced } from './whole.ts';

/**
 * Maximum over axes; NaN if there is one. Of any dtype. The gradient goes to the first maximum (or NaN) only, in the order of memory.
 *
 * @throws ShapeError when a reduced axis is empty.
 */
export function max(x: Tensor, options: ReduceOptions = {}): Tensor {
  return reducedTo('max', x, options);
}

/** Minimum over axes; as {@link max}. */
export function min(x: Tensor, options: ReduceOptions = {}): Tensor {
  return reducedTo('min', x, options);
}

function reducedTo(which: Extreme, x: Tensor, options: ReduceOptions): Tensor {
  const runs = runsOf(which, x, options);
  for (const { rows } of runs) {
    if (rows.length === 0) throw new ShapeError(which, `there is no ${which} of nothing`, { x: x.shape });
  }
  if (!isFloat(x.dtype)) return wholeReduced(which, x, runs);
  return runs.reduce(
    (part, run) => extremeDifferentiable(which, part, run.rows, run.shape),
    runs.length > 0 ? x : unchanged(x),
  );
}

/**
 * Index (u32) of the maximum along an axis, which is dropped; of several equal ones, the first. A NaN counts as the maximum. Of any
 * dtype. It has no gradient.
 *
 * ```ts
 * await readU32(argmax(tensor(device, [1, 3, 3, 0], [2, 2]))); // [1, 0]
 * ```
 */
export function argmax(x: Tensor, axis = -1, ...more: never[]): Tensor {
  return argExtreme('max', x, axis, more);
}

/** Index (u32) of the minimum along an axis, which is dropped; of several equal ones, the first. A NaN counts as the minimum. */
export function argmin(x: Tensor, axis = -1, ...more: never[]): Tensor {
  return argExtreme('min', x, axis, more);
}

type Extreme = 'max' | 'min';

function argExtreme(which: Extreme, x: Tensor, axis: number, more: readonly never[]): Tensor {
  checkTensors(`arg${which}`, { x });
  checkNoMore(`arg${which}`, more, 'x, axis');
  const normal = normalizeAxis(`arg${which}`, axis, x.shape);
  const rows = aroundAxis(x.shape, normal);
  if (rows.length === 0) throw new ShapeError(`arg${which}`, `axis ${axis} is empty`, { x: x.shape });
  const shape = x.shape.filter((_, i) => i !== normal);
  return isFloat(x.dtype) ? extreme(which, x, rows, shape).index : wholePlaces(which, x, rows, shape);
}

function extreme(which: Extreme, x: Tensor, rows: AxisRows, shape: Shape): { y: Tensor; index: Tensor } {
  const y = empty(x, shape);
  const index = empty(x, shape, 'u32');
  dispatch(extremeKernels[which], { x, y, index }, { ...rows }, rowThreads(x.device, rows, 256));
  return { y, index };
}

function extremeDifferentiable(which: Extreme, x: Tensor, rows: AxisRows, shape: Shape): Tensor {
  const { y, index } = extreme(which, x, rows, shape);
  const put = (dy: Tensor): Tensor => {
    const dx = empty(x);
    const { units, params } = spreadOver(dx, rows);
    dispatch(pick[units], { dy, index, dx }, params);
    return dx;
  };
  const take = (u: Tensor): Tensor => {
    const v = empty(y);
    dispatch(takeKernel, { u, index, v }, { n: v.size, length: rows.length, inner: rows.inner });
    return v;
  };
  return differentiable(y, [x], (dy) => [differentiableLinear(dy, put, take)]);
}

// A workgroup takes WG / THREADS rows. A thread keeps its best element; an index of `length` says that it has none.
function extremeKernel(
  which: Extreme,
): Kernel<
  { readonly x: 'read T'; readonly y: 'write T'; readonly index: 'write u32' },
  { readonly outer: 'u32'; readonly length: 'u32'; readonly inner: 'u32' },
  typeof rowThreadOverrides
> {
  const better = which === 'max' ? '>' : '<';
  const worst = which === 'max' ? '0xff800000u' : '0x7f800000u';
  return kernel({
    name: which,
    bind: { x: 'read T', y: 'write T', index: 'write u32' },
    params: { outer: 'u32', length: 'u32', inner: 'u32' },
    override: rowThreadOverrides,
    use: [rowThreadPlace, notNumbers],
    grid: ({ outer, inner }, constants) => [Math.ceil((outer * inner) / rowsPerGroup(constants))],
    wgsl: `
var<workgroup> values: array<f32, WG>;
var<workgroup> places: array<u32, WG>;
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let rows = WG / THREADS;
  let row = flatGroup(g, size) * rows + rowOf(l);
  let thread = threadOf(l);
  let inside = row < params.outer * params.inner;
  // Infinite, of the sign that every number beats: literals of it are not allowed.
  var best = bitcast<f32>(${worst} | (thread & 0u));
  var place = params.length;
  var largest = 0;
  if (inside) {
    let start = rowStart(row, params.length, params.inner);
    for (var j = thread; j < params.length; j += THREADS) {
      let value = f32(x[start + j * params.inner]);
      // The magnitude's bits: of NaN, they are larger than those of ∞.
      largest = max(largest, bitcast<i32>(value) & 0x7fffffff);
      if (value ${better} best) {
        best = value;
        place = j;
      }
    }
    // Nothing is better than the first, or all is NaN.
    if (place == params.length && thread < params.length) { place = thread; }
    // Nothing beats the first NaN. Only where there is one it is searched for.
    let end = select(0u, params.length, largest > 0x7f800000);
    var isFound = false;
    for (var j = thread; j < end && !isFound; j += THREADS) {
      let value = f32(x[start + j * params.inner]);
      if (isNan(value)) {
        best = value;
        place = j;
        isFound = true;
      }
    }
  }
  let cell = thread * rows + rowOf(l);
  values[cell] = best;
  places[cell] = place;
  workgroupBarrier();
  for (var half = THREADS / 2u; half > 0u; half = half / 2u) {
    if (thread < half) {
      let other = cell + half * rows;
      let one = values[cell];
      let next = values[other];
      let isBetter = !isNan(one) && (isNan(next) || next ${better} one);
      let isEqual = select(next == one, isNan(next), isNan(one));
      let wins = isBetter || (isEqual && places[other] < places[cell]);
      if (places[other] < params.length && (wins || places[cell] == params.length)) {
        values[cell] = values[other];
        places[cell] = places[other];
      }
    }
    workgroupBarrier();
  }
  if (inside && thread == 0u) {
    y[row] = T(values[cell]);
    index[row] = places[cell];
  }
}`,
  });
}

const extremeKernels = { max: /*#__PURE__*/ extremeKernel('max'), min: /*#__PURE__*/ extremeKernel('min') };

// dy where the extreme was, 0 elsewhere.
function makePick(units: Units) {
  const value = {
    rows: 'select(vec4<T>(), vec4<T>(dy[row]), vec4u(index[row]) == place + vec4u(0u, 1u, 2u, 3u))',
    columns: `select(vec4<T>(), dy[row], vec4u(${[0, 1, 2, 3].map((k) => `index[4u * row + ${k}u]`).join(', ')}) == vec4u(place))`,
    ones: 'select(T(), dy[row], index[row] == place)',
  }[units];
  return kernel({
    name: 'extreme-backward',
    bind: {
      dy: units === 'columns' ? 'read vec4<T>' : 'read T',
      index: 'read u32',
      dx: units === 'ones' ? 'write T' : 'write vec4<T>',
    },
    params: spreadParams,
    override: elementOverride,
    grid: elementGrid,
    wgsl: elementLoop(`${spreadPlace[units]}\n    dx[i] = ${value};`),
  });
}

const pick = {
  rows: /*#__PURE__*/ makePick('rows'),
  columns: /*#__PURE__*/ makePick('columns'),
  ones: /*#__PURE__*/ makePick('ones'),
};

// What lies where the extremes were: an invocation takes one row.
const takeKernel = /*#__PURE__*/ kernel({
  name: 'take-extremes',
  bind: { u: 'read T', index: 'read u32', v: 'write T' },
  params: { n: 'u32', length: 'u32', inner: 'u32' },
  override: { WG: 64 },
  grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
  wgsl: /* wgsl */ `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let row = flatGroup(g, size) * WG + l;
  if (row >= params.n) { return; }
  let outer = row / params.inner;
  v[row] = u[(outer * params.length + index[row]) * params.inner + row - outer * params.inner];
}`,
});
