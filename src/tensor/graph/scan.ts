import { kernel } from '../../gpu/index.ts';
import { type DType, describe, formatShape, type Shape, ShapeError, StepError, sameShape } from '../values/index.ts';
import { elementGrid, elementLoop, elementOverride, elementParams, elementsOf } from './elementwise.ts';
import { fill } from './fill.ts';
import { backpropagate, differentiableAll, now, recomputeForward } from './grad.ts';
import { RecordedLoop } from './loop.ts';
import { sourcesOf } from './recompute.ts';
import { dispatch, empty, emptyOn, inLoop, watchLaunches } from './record.ts';
import { Tensor } from './tensor.ts';

/** One tensor, a list of tensors, or none. */
export type ScanTensors = Tensor | readonly Tensor[] | undefined;

/** In the place of tensors others of as many. */
type Like<T> = T extends Tensor
  ? Tensor
  : T extends readonly Tensor[]
    ? { -readonly [K in keyof T]: Tensor }
    : undefined;

export interface ScanOptions {
  /** From the last element to the first; `ys` keep the order of `xs`. Default: false. */
  readonly reverse?: boolean;
}

/**
 * A recurrence over the first axis of `xs`, as `jax.lax.scan`: `[carry, y_t] = body(carry, x_t)` for t = 0 … T - 1, with the last carry and all
 * `y_t`, stacked, as the result. Each of the three is a tensor or a list of tensors (`y_t` also `undefined`). The carry keeps its shape and dtype.
 *
 * `body` is recorded once, whatever T is, and run T times: making a step takes no longer, and its list of launches is no longer. Tensors
 * from outside that it uses (weights) are the same in every turn, and so is a random key: give keys among `xs`.
 *
 * The gradient runs a second such loop backwards (through time), for which the carries of all turns are kept, and which computes each turn
 * again: memory grows with T by the carries alone. It flows to the first carry, to `xs` and to what `body` uses from outside.
 *
 * ```ts
 * const [last, sums] = scan((total, x) => [add(total, x), add(total, x)], tensor(device, 0), tensor(device, [1, 2, 3]));
 * console.log(await read(last), await read(sums)); // [6], [1, 3, 6]
 * ```
 *
 * @throws ShapeError when xs differ in their first axis, or the carry changes its shape or dtype. StepError when the body writes variables, or
 * scans itself. Gradients have no gradients through it.
 */
export function scan<
  const C extends Tensor | readonly Tensor[],
  const X extends Tensor | readonly Tensor[],
  const Y extends ScanTensors,
>(
  body: (carry: Like<C>, x: Like<X>) => readonly [carry: Tensor | readonly Tensor[], y: Y],
  carry: C,
  xs: X,
  options: ScanOptions = {},
): [carry: Like<C>, ys: Like<Y>] {
  const { reverse = false } = options;
  const first = listOf('carry', carry);
  const inputs = listOf('xs', xs);
  const times = lengthOf(inputs);
  const shapeOfX = inputs.map((x) => x.shape.slice(1));
  const device = (first[0] ?? (inputs[0] as Tensor)).device;

  const states = first.map((one) => copied(floats(one, 'carry')));
  const loop = new RecordedLoop(times);
  const from = counter(device, reverse ? times - 1 : 0);
  let sources: Tensor[] = [];
  let form: unknown;
  const ys: Tensor[] = [];
  const saved = first.map((one) => empty(one, [times, ...one.shape]));
  inLoop(loop, () => {
    const given = inputs.map((x, i) => pick(x, from, shapeOfX[i] as Shape));
    for (const [i, state] of states.entries()) put(state, from, saved[i] as Tensor);
    const since = now();
    const turn = turnOf(body, carry, xs, states, given);
    form = turn.form;
    sources = sourcesOf([...turn.carries, ...turn.ys], since).filter((t) => !states.includes(t) && !given.includes(t));
    for (const y of turn.ys) {
      const all = empty(y, [times, ...y.shape]);
      put(y, from, all);
      ys.push(all);
    }
    replace(states, turn.carries);
    advance(from, reverse);
  });
  const last = states.map(again);
  const results = [...last, ...ys];
  const of = [...first, ...inputs, ...sources];

  differentiableAll(results, of, (dys, wanted, sumTo) => {
    const dstates = last.map((state, i) => copied(dys[i] ?? zeros(state)));
    const ofTurns = inputs.map((x) => (wanted.has(x) ? empty(x) : undefined));
    const others = sources.filter((source) => wanted.has(source));
    const sums = others.map(zeros);
    const to = counter(device, reverse ? 0 : times - 1);
    inLoop(new RecordedLoop(times), () => {
      const before = saved.map((all) => pick(all, to, all.shape.slice(1)));
      const given = inputs.map((x, i) => pick(x, to, shapeOfX[i] as Shape));
      const dy = ys.map((all, i) => {
        const arrived = dys[states.length + i];
        return arrived && pick(arrived, to, all.shape.slice(1));
      });
      const since = now();
      const turn = recomputeForward(() => turnOf(body, carry, xs, before, given));
      const towards = [...before, ...given, ...others];
      const found = backpropagate([...turn.carries, ...turn.ys], [...dstates, ...dy], towards, since, sumTo);
      given.forEach((x, i) => {
        const all = ofTurns[i];
        if (all) put(found[before.length + i] ?? zeros(x), to, all);
      });
      sums.forEach((sum, i) => {
        const more = found[before.length + given.length + i];
        if (more) dispatch(increase, { x: more, y: sum }, elementsOf(device, sum.size));
      });
      replace(
        dstates,
        before.map((state, i) => found[i] ?? zeros(state)),
      );
      advance(to, !reverse);
    });
    return of.map((t, i) => {
      if (i < first.length) return again(dstates[i] as Tensor);
      if (i < first.length + inputs.length) return ofTurns[i - first.length];
      return sums[others.indexOf(t)];
    });
  });
  return [like(carry, last), like(form, ys)] as [Like<C>, Like<Y>];
}

/** Lists the tensors of one turn, and what form its y has. */
function turnOf(
  body: (...args: never[]) => unknown,
  carry: unknown,
  xs: unknown,
  states: readonly Tensor[],
  given: readonly Tensor[],
): { carries: readonly Tensor[]; ys: readonly Tensor[]; form: unknown } {
  const turn = watchLaunches(
    ({ tensors, kernel: { bindings, name } }) => {
      if (!tensors.some((t, i) => t.storage.root.kind === 'variable' && bindings[i]?.access !== 'read')) return;
      throw new StepError(`scan: the body must not write variables (${name}); carry what changes, or return it as y`);
    },
    () => (body as (carry: unknown, x: unknown) => unknown)(like(carry, states), like(xs, given)),
  );
  if (!Array.isArray(turn) || turn.length !== 2) {
    throw new StepError(`scan: the body must return [carry, y]; got ${describe(turn)}`);
  }
  const carries = listOf('the carry that the body returned', turn[0]);
  const ys = turn[1] === undefined ? [] : listOf('the y that the body returned', turn[1]);
  const changed = states.findIndex((state, i) => {
    const next = carries[i];
    return !next || !sameShape(next.shape, state.shape) || next.dtype !== state.dtype;
  });
  if (changed >= 0 || carries.length !== states.length) {
    const shown = (t: Tensor | undefined) => (t ? `${t.dtype} ${formatShape(t.shape)}` : 'nothing');
    const at = Math.max(changed, 0);
    throw new StepError(
      `scan: the carry must keep its shape and dtype: number ${at} is ${shown(states[at])}, and the body returned ${shown(carries[at])}`,
    );
  }
  for (const y of ys) floats(y, 'y');
  return { carries, ys, form: turn[1] };
}

function listOf(name: string, given: unknown): readonly Tensor[] {
  const list: readonly unknown[] = Array.isArray(given) ? given : [given];
  const other = list.findIndex((t) => !(t instanceof Tensor));
  if (other < 0) return list as readonly Tensor[];
  throw new StepError(`scan: ${name} must be a tensor or a list of tensors; got ${describe(list[other])}`);
}

/** `tensors` in the form of what was given: one, a list, or none. */
function like(given: unknown, tensors: readonly Tensor[]): Tensor | readonly Tensor[] | undefined {
  if (given === undefined) return undefined;
  return Array.isArray(given) ? [...tensors] : tensors[0];
}

function lengthOf(xs: readonly Tensor[]): number {
  const times = xs[0]?.shape[0];
  if (times !== undefined && xs.every(({ shape }) => shape[0] === times)) return times;
  throw new ShapeError(
    'scan',
    'xs must have one first axis, along which it runs',
    Object.fromEntries(xs.map((x, i) => [`xs${i}`, x.shape])),
  );
}

function floats(x: Tensor, name: string): Tensor {
  if (x.dtype !== 'f32' && x.dtype !== 'f16') {
    throw new ShapeError('scan', `the ${name} must be f32 or f16; it is ${x.dtype}`, { [name]: x.shape });
  }
  return x;
}

/** A new tensor over the same bytes, which does not know how it was made. */
function again({ storage, shape, dtype }: Tensor): Tensor {
  return new Tensor(storage, shape, dtype);
}

function zeros(x: Tensor): Tensor {
  return fill(x.device, x.shape, 0, x.dtype === 'f16' ? 'f16' : 'f32');
}

function copied(x: Tensor): Tensor {
  const y = empty(x);
  dispatch(copy, { x, y }, elementsOf(x.device, x.size));
  return y;
}

/** Writes the states of the next turn. What lies where another state does is taken from there first. */
function replace(states: readonly Tensor[], by: readonly Tensor[]): void {
  const isState = (x: Tensor) => states.some(({ storage }) => storage === x.storage);
  const next = by.map((x, i) => (x.storage !== states[i]?.storage && isState(x) ? copied(x) : x));
  states.forEach((y, i) => {
    const x = next[i] as Tensor;
    if (x.storage !== y.storage) dispatch(copy, { x, y }, elementsOf(y.device, y.size));
  });
}

/** The number of the turn, on the GPU. */
function counter(device: Tensor['device'], value: number): Tensor {
  const turn = emptyOn(device, [1], 'u32' satisfies DType);
  dispatch(begin, { turn }, { value: Math.max(value, 0) });
  return turn;
}

function advance(turn: Tensor, reverse: boolean): void {
  dispatch(count, { turn }, { by: reverse ? 2 ** 32 - 1 : 1 });
}

/** `y = xs[turn]`. */
function pick(xs: Tensor, turn: Tensor, shape: Shape): Tensor {
  const y = empty(xs, shape);
  const { element, n } = unitsOf(y);
  dispatch(pickKernels[element], { x: xs, turn, y }, { n });
  return y;
}

/** `ys[turn] = x`. */
function put(x: Tensor, turn: Tensor, ys: Tensor): void {
  const { element, n } = unitsOf(x);
  dispatch(putKernels[element === 'u32' ? 'T' : element], { x, turn, y: ys }, { n });
}

function unitsOf(x: Tensor): { element: 'T' | 'vec4<T>' | 'u32'; n: number } {
  if (x.dtype !== 'f32' && x.dtype !== 'f16') return { element: 'u32', n: x.size };
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
const copy = /*#__PURE__*/ kernel({
  name: 'scan-carry',
  bind: { x: 'read vec4<T>', y: 'write vec4<T>' },
  params: elementParams,
  override: elementOverride,
  grid: elementGrid,
  wgsl: /*#__PURE__*/ elementLoop('y[i] = x[i];'),
});
const increase = /*#__PURE__*/ kernel({
  name: 'scan-add',
  bind: { x: 'read vec4<T>', y: 'update vec4<T>' },
  params: elementParams,
  override: elementOverride,
  grid: elementGrid,
  wgsl: /*#__PURE__*/ elementLoop('y[i] += x[i];'),
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
const putKernel = (element: 'T' | 'vec4<T>') =>
  kernel({
    name: 'scan-put',
    bind: { x: `read ${element}`, turn: 'read u32', y: `write ${element}` },
    params: { n: 'u32' },
    grid: ({ n }) => [Math.ceil(n / 64)],
    wgsl: each('y[turn[0] * params.n + i] = x[i];'),
  });
const putKernels = { T: /*#__PURE__*/ putKernel('T'), 'vec4<T>': /*#__PURE__*/ putKernel('vec4<T>') };
