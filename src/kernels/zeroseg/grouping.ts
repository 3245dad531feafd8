import { type Binding, expBelow, type Kernel, kernel, notNumbers } from '../../gpu/index.ts';
import { differentiable, differentiableAll, dispatch, empty, type Tensor } from '../../tensor/graph/index.ts';
import { aroundAxis, normalizeAxis, ShapeError, sameShape } from '../../tensor/values/index.ts';
import {
  checkOptions,
  inRuns,
  loopsFor,
  rowKernel,
  rowMax,
  rowSum,
  rowsPerGroup,
  rowThreadOverrides,
  rowThreadPlace,
  rowThreads,
  sum,
} from '../axis/index.ts';
import { add, div, mul, randomGumbel, sub } from '../elementwise/index.ts';
import { matmul } from '../matmul/index.ts';
export interface GumbelOptions {
  /** Gumbel noise of the shape of the logits. */
  readonly noise?: Tensor | undefined;
  /** Instead of `noise`: a key (u32 `[2]`) from which it is made on the GPU, as {@link randomGumbel} makes it. */
  readonly key?: Tensor | undefined;
  /** With `key`: which stream of random numbers. Default: 0. */
  readonly stream?: number;
  /** Temperature. Default: 1. */
  readonly tau?: number;
}

export interface GumbelSoftmaxOptions extends GumbelOptions {
  /** Default: the last. */
  readonly axis?: number;
}

export interface GroupOptions extends GumbelOptions {
  /** Whether a member belongs to one group only, in value (not in gradient). Default: true. */
  readonly hard?: boolean;
  /** Added to the number of members of each group. Default: 1. */
  readonly eps?: number;
}

/** Groups `[B, G, D]`, with the assignment that made them and the distribution it was taken from, `[B, G, N]`. */
export interface Grouped {
  readonly grouped: Tensor;
  /** Exactly 0 or 1 if hard; else `soft` itself. */
  readonly assign: Tensor;
  readonly soft: Tensor;
}

/**
 * Gumbel softmax (Jang et al., 2016): `soft = softmax((logits + noise) / tau)`, and `hard`, which is 1 at its maximum (the
 * first, of equal ones) and 0 elsewhere, exactly, while its gradient is that of `soft` (straight-through). Without noise
 * `hard` is the plain argmax. Where logits are NaN or ∞, both are NaN along the axis; where all are -∞, both are 0.
 *
 * The gradient is `dx = soft · (d - sum(d · soft)) / tau`, `d` being what arrives at both results.
 *
 * ```ts
 * const { hard } = gumbelSoftmax(tensor(device, [1, 3, 2]), { key: tensor(device, new Uint32Array([1, 2])) });
 * await read(hard); // one 1, two 0
 * ```
 */
export function gumbelSoftmax(logits: Tensor, given: GumbelSoftmaxOptions = {}): { soft: Tensor; hard: Tensor } {
  checkOptions('gumbelSoftmax', given, ['axis', 'noise', 'key', 'stream', 'tau']);
  const { axis = -1, ...options } = given;
  return chosen('gumbelSoftmax', logits, normalizeAxis('gumbelSoftmax', axis, logits.shape), options);
}

/**
 * Weights of a group's members: `y = a / (sum(a) + eps)` along the last axis, `a` `[..., G, N]`. With `eps` 1 (GroupViT) an
 * empty group stays empty. Where the sum is NaN or ∞, so are all weights NaN.
 *
 * The gradient goes through both: `da = (dy - sum(dy · y)) / (sum(a) + eps)`.
 *
 * ```ts
 * await read(assignNormalise(tensor(device, [1, 0, 1]))); // [0.33, 0, 0.33]
 * ```
 */
export function assignNormalise(a: Tensor, eps = 1): Tensor {
  const all = aroundAxis(a.shape, normalizeAxis('assignNormalise', -1, a.shape));
  const rows = { ...all, outer: a.size > 0 ? all.outer : 0 };
  const y = empty(a);
  const inverse = empty(a, a.shape.slice(0, -1), 'f32');
  normalise({ a, y, inverse }, rows, { eps });
  return differentiable(
    y,
    [a],
    (dy) => {
      const da = empty(a);
      normaliseBackward({ a, inverse, dy, da }, rows);
      return [da];
    },
    (t) => div(t, add(sum(t, { axes: -1, keepDims: true }), eps)),
  );
}

/**
 * GroupViT's grouping of members by their logits (Xu et al., 2022; steps 7 to 10 of spec §6.2, and the product of step 11):
 * every member chooses a group, `assign = gumbelSoftmax(logits)` over the groups, and a group is the mean of its members,
 * with `eps` phantoms at zero: `grouped = assignNormalise(assign, eps) · values`.
 *
 * `logits` `[B, G, N]`, `values` `[B, N, D]`. The gradient is that of this composition. Even where a hard assignment has one
 * group per member, matmul is the fast way: reading just the members of each group took about ten times as long on a CPU adapter.
 *
 * ```ts
 * const logits = tensor(device, [1, 1, 0, 0, 0, 1], [1, 2, 3]);
 * const values = tensor(device, [3, 6, 4], [1, 3, 1]);
 * const { grouped } = groupMembers(logits, values);
 * await read(grouped); // [(3 + 6) / 3, 4 / 2]
 * ```
 */
export function groupMembers(logits: Tensor, values: Tensor, options: GroupOptions = {}): Grouped {
  checkOptions('groupMembers', options, ['hard', 'eps', 'noise', 'key', 'stream', 'tau']);
  const { hard: isHard = true, eps = 1, ...gumbel } = options;
  const [B = 0, , N = 0] = logits.shape;
  const D = values.shape[2] ?? 0;
  if (logits.shape.length !== 3 || !sameShape(values.shape, [B, N, D])) {
    throw new ShapeError('groupMembers', 'logits must be [B, G, N] and values [B, N, D]', {
      logits: logits.shape,
      values: values.shape,
    });
  }
  const { soft, hard } = chosen('groupMembers', logits, 1, gumbel);
  const assign = isHard ? hard : soft;
  return { grouped: matmul(assignNormalise(assign, eps), values), assign, soft };
}

/** Softmax of logits with noise along an axis, and its maxima. */
function chosen(
  op: string,
  logits: Tensor,
  axis: number,
  { noise, key, stream, tau = 1 }: GumbelOptions,
): { soft: Tensor; hard: Tensor } {
  const rows = aroundAxis(logits.shape, axis);
  if (noise && !sameShape(noise.shape, logits.shape)) {
    throw new ShapeError(op, 'the noise must have the shape of the logits', {
      logits: logits.shape,
      noise: noise.shape,
    });
  }
  if (noise && key) throw new ShapeError(op, 'give noise, or a key to make it from, not both', { noise: noise.shape });
  if (!(tau > 0)) throw new ShapeError(op, `the temperature must be above 0; it is ${tau}`, { logits: logits.shape });
  if (rows.length === 0) throw new ShapeError(op, 'there is nothing to choose from', { logits: logits.shape });
  const gumbel = noise ?? (key && randomGumbel(key, logits.shape, stream));
  const params = { ...rows, inverseTau: 1 / tau };
  const constants = rowThreads(logits.device, rows);

  const soft = empty(logits);
  const hard = empty(logits);
  const loops = loopsFor(rows.length / constants.THREADS);
  if (gumbel) dispatch(chooseNoisy(loops), { x: logits, noise: gumbel, soft, hard }, params, constants);
  else dispatch(choosePlain(loops), { x: logits, soft, hard }, params, constants);

  const along = (a: Tensor, b: Tensor) => sum(mul(a, b), { axes: axis, keepDims: true });
  const backward = (dy: Tensor): Tensor => {
    const dx = empty(logits);
    chooseBackward({ soft, dy, dx }, rows, { inverseTau: 1 / tau });
    return differentiable(dx, [soft, dy], (u) => [
      mul(sub(mul(u, sub(dy, along(dy, soft))), mul(dy, along(u, soft))), 1 / tau),
      backward(u),
    ]);
  };
  differentiableAll([soft, hard], [logits], (arrived) => [
    backward(arrived.filter((d) => d !== undefined).reduce((a, b) => add(a, b))),
  ]);
  return { soft, hard };
}

/** Of all kernels here that {@link groupMembers} launches. A CPU has kernels without barriers. */
const rule = (areCheap: boolean) => (areCheap ? undefined : import('./grouping-at-once.ts'));

const rowParams = { outer: 'u32', length: 'u32', inner: 'u32', inverseTau: 'f32' } as const;
const choosePlain = /*#__PURE__*/ chooseKernels(
  'choose',
  { x: 'read T', soft: 'write T', hard: 'write T' },
  'f32(x[i])',
);
const chooseNoisy = /*#__PURE__*/ chooseKernels(
  'choose with noise',
  { x: 'read T', noise: 'read f32', soft: 'write T', hard: 'write T' },
  'f32(x[i]) + noise[i]',
);

/** The kernel for a number of loops, made when it is first launched. */
function chooseKernels<const B extends Record<string, Binding>>(name: string, bind: B, logit: string) {
  const made = new Map<number, ReturnType<typeof chooseKernel<B>>>();
  return (loops: number): ReturnType<typeof chooseKernel<B>> => {
    let one = made.get(loops);
    if (!one) made.set(loops, (one = chooseKernel(name, bind, logit, loops)));
    return one;
  };
}

// THREADS invocations share a row of the axis. Each keeps its first maximum and the sum of exponentials below it; of threads
// with the same maximum the one with the lowest index wins.
function chooseKernel<const B extends Record<string, Binding>>(
  name: string,
  bind: B,
  logit: string,
  loops: number,
): Kernel<B, typeof rowParams, typeof rowThreadOverrides> {
  return kernel({
    name,
    bind,
    params: rowParams,
    override: rowThreadOverrides,
    rule,
    use: [rowThreadPlace, rowMax, rowSum, expBelow, notNumbers],
    grid: ({ outer, inner }, constants) => [Math.ceil((outer * inner) / rowsPerGroup(constants))],
    wgsl: `
fn logit(i: u32) -> f32 { return (${logit}) * params.inverseTau; }
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let row = flatGroup(g, size) * (WG / THREADS) + rowOf(l);
  let thread = threadOf(l);
  let count = select(0u, params.length, row < params.outer * params.inner);
  let first = rowStart(row, params.length, params.inner);
  var top = -3.40282346e38;
  var at = params.length;
  var sum = 0.0;
  ${inRuns(
    { sum: 'f32' },
    { counter: 'k', from: 'thread', to: 'count', by: 'THREADS' },
    `    let z = logit(first + k * params.inner);
    if (z > top || (z == top && at == params.length)) {
      sum = sum * expBelow(top - z) + 1.0;
      top = z;
      at = k;
    } else { sum += expBelow(z - top); }`,
    { loops, kept: ['top'], join: (sum, before) => `${before(sum)} * expBelow(${before('top')} - top) + ${sum}` },
  )}
  let best = rowMax(top, l);
  sum = rowSum(sum * expBelow(top - best), l);
  // Indices are exact in f32 up to 2^24.
  let winner = u32(-rowMax(select(-16777216.0, -f32(at), top == best), l));
  let one = select(select(1.0 / sum, 0.0, sum == 0.0), nanFrom(sum), !isFinite(sum) || !isFinite(best));
  let taken = select(1.0, one, isNan(one));
  for (var k = thread; k < count; k += THREADS) {
    let i = first + k * params.inner;
    soft[i] = T(expBelow(logit(i) - best) * one);
    hard[i] = T(select(0.0, taken, k == winner || isNan(one)));
  }
}`,
  });
}

const chooseBackward = /*#__PURE__*/ rowKernel({
  name: 'choose backward',
  elements: { soft: 'read T', dy: 'read T', dx: 'write T' },
  params: { inverseTau: 'f32' },
  rule,
  body: ({ each, inRow, sum, write }) => `
  var totals = F(0.0);
  ${each(`totals += ${inRow('soft * dy', '0.0')};`)}
  let total = ${sum('totals')};
  ${write('dx', 'soft * (dy - total) * params.inverseTau')}`,
});

const normalise = /*#__PURE__*/ rowKernel({
  name: 'assign-normalise',
  elements: { a: 'read T', y: 'write T' },
  perRow: { inverse: 'write f32' },
  params: { eps: 'f32' },
  use: [notNumbers],
  rule,
  body: ({ each, inRow, sum, write }) => `
  var totals = F(0.0);
  ${each(`totals += ${inRow('a', '0.0')};`)}
  let total = ${sum('totals')} + params.eps;
  // A sum that overflows would make every weight 0.
  let divisor = select(nanFrom(total), total, isFinite(total));
  ${write('y', 'a / divisor')}
  if (lead) { inverse[row] = 1.0 / divisor; }`,
});

const normaliseBackward = /*#__PURE__*/ rowKernel({
  name: 'assign-normalise backward',
  elements: { a: 'read T', dy: 'read T', da: 'write T' },
  perRow: { inverse: 'read f32' },
  rule,
  body: ({ each, inRow, sum, write }) => `
  var totals = F(0.0);
  ${each(`totals += ${inRow('dy * a', '0.0')};`)}
  let one = inverse[row];
  let total = ${sum('totals')} * one;
  ${write('da', '(dy - total) * one')}`,
});
