import { type Device, kernel } from '../../gpu/index.ts';
import { isFloat } from '../values/index.ts';
import { elementGrid, elementLoop, elementOverride, elementParams, elementsOf } from './elementwise.ts';
import { fill } from './fill.ts';
import { dispatch, empty, emptyOn } from './record.ts';
import type { Tensor } from './tensor.ts';

// What the turns of a recurrence move in memory.

/** Zeros like a float tensor. */
export function zeros({ device, shape, dtype }: Tensor): Tensor {
  return fill(device, shape, 0, dtype);
}

export function copied(x: Tensor): Tensor {
  const y = empty(x);
  copy(x, y);
  return y;
}

function copy(x: Tensor, y: Tensor): void {
  dispatch(isFloat(x.dtype) ? copyKernel : copyWords, { x, y }, elementsOf(x.device, x.size));
}

/** Writes the states of the next turn. What lies where another state does is taken from there first. */
export function replace(states: readonly Tensor[], by: readonly Tensor[]): void {
  const isState = (x: Tensor) => states.some(({ storage }) => storage === x.storage);
  const next = by.map((x, i) => (x.storage !== states[i]?.storage && isState(x) ? copied(x) : x));
  states.forEach((y, i) => {
    const x = next[i] as Tensor;
    if (x.storage !== y.storage) copy(x, y);
  });
}

/** A sum over all turns, of tensors like `x`: f32, whatever these are. */
export function beginSum({ device, shape }: Tensor): Tensor {
  return fill(device, shape, 0);
}

export function addToSum(sum: Tensor, x: Tensor): void {
  dispatch(increase, { x, y: sum }, elementsOf(sum.device, sum.size));
}

/** The sum as a tensor like `x`. */
export function endSum(sum: Tensor, x: Tensor): Tensor {
  if (x.dtype === 'f32') return sum;
  const y = empty(x);
  dispatch(round, { x: sum, y }, elementsOf(y.device, y.size));
  return y;
}

/** The number of the turn, on the GPU. */
export function counter(device: Device, value: number): Tensor {
  const turn = emptyOn(device, [1], 'u32');
  dispatch(begin, { turn }, { value: Math.max(value, 0) });
  return turn;
}

export function advance(turn: Tensor, reverse: boolean): void {
  dispatch(count, { turn }, { by: reverse ? 2 ** 32 - 1 : 1 });
}

/** `y = xs[turn]`. */
export function pick(xs: Tensor, turn: Tensor): Tensor {
  const y = empty(xs, xs.shape.slice(1));
  const { element, n } = unitsOf(y);
  dispatch(pickKernels[element], { x: xs, turn, y }, { n });
  return y;
}

/** `ys[turn] = x`. */
export function put(x: Tensor, turn: Tensor, ys: Tensor): void {
  const { element, n } = unitsOf(x);
  dispatch(putKernels[element], { x, turn, y: ys }, { n });
}

/** Room for what so many turns {@link put}. */
export function roomFor(x: Tensor, times: number): Tensor {
  return empty(x, [times, ...x.shape]);
}

function unitsOf(x: Tensor): { element: 'T' | 'vec4<T>' | 'u32'; n: number } {
  if (!isFloat(x.dtype)) return { element: 'u32', n: x.size };
  return x.size % 4 === 0 ? { element: 'vec4<T>', n: x.size / 4 } : { element: 'T', n: x.size };
}

const one = '@compute @workgroup_size(1) fn main()';
const begin = /*#__PURE__*/ kernel({
  name: 'scan-begin',
  bind: { turn: 'write u32' },
  params: { value: 'u32' },
  grid: () => [1],
  wgsl: `${one} { turn[0] = params.value; }`,
});
const count = /*#__PURE__*/ kernel({
  name: 'scan-count',
  bind: { turn: 'update u32' },
  params: { by: 'u32' },
  grid: () => [1],
  wgsl: `${one} { turn[0] += params.by; }`,
});
const copyOf = (element: 'T' | 'u32') =>
  kernel({
    name: 'scan-carry',
    bind: { x: `read vec4<${element}>`, y: `write vec4<${element}>` },
    params: elementParams,
    override: elementOverride,
    grid: elementGrid,
    wgsl: elementLoop('y[i] = x[i];'),
  });
const copyKernel = /*#__PURE__*/ copyOf('T');
const copyWords = /*#__PURE__*/ copyOf('u32');
const increase = /*#__PURE__*/ kernel({
  name: 'scan-add',
  bind: { x: 'read vec4<T>', y: 'update vec4<f32>' },
  params: elementParams,
  override: elementOverride,
  grid: elementGrid,
  wgsl: /*#__PURE__*/ elementLoop('y[i] += vec4f(x[i]);'),
});
const round = /*#__PURE__*/ kernel({
  name: 'scan-round',
  bind: { x: 'read vec4<f32>', y: 'write vec4<T>' },
  params: elementParams,
  override: elementOverride,
  grid: elementGrid,
  wgsl: /*#__PURE__*/ elementLoop('y[i] = vec4<T>(x[i]);'),
});

// An invocation moves one element, or four.
const each = (move: string): string => `
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * 64 + l;
  if (i < params.n) { ${move} }
}`;
const pickKernel = (element: 'T' | 'vec4<T>' | 'u32') =>
  kernel({
    name: 'scan-take',
    bind: { x: `read ${element}`, turn: 'read u32', y: `write ${element}` },
    params: { n: 'u32' },
    grid: ({ n }) => [Math.ceil(n / 64)],
    wgsl: each('y[i] = x[turn[0] * params.n + i];'),
  });
const pickKernels = {
  T: /*#__PURE__*/ pickKernel('T'),
  'vec4<T>': /*#__PURE__*/ pickKernel('vec4<T>'),
  u32: /*#__PURE__*/ pickKernel('u32'),
};
// Each turn writes its part.
const putKernel = (element: 'T' | 'vec4<T>' | 'u32') =>
  kernel({
    name: 'scan-put',
    bind: { x: `read ${element}`, turn: 'read u32', y: `write ${element}` },
    params: { n: 'u32' },
    grid: ({ n }) => [Math.ceil(n / 64)],
    wgsl: each('y[turn[0] * params.n + i] = x[i];'),
  });
const putKernels = {
  T: /*#__PURE__*/ putKernel('T'),
  'vec4<T>': /*#__PURE__*/ putKernel('vec4<T>'),
  u32: /*#__PURE__*/ putKernel('u32'),
};
