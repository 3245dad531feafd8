// Running sums, running products, and the linear recurrence that is the gradient of these, along any axis.
import { type Binding, type Kernel, kernel, notNumbers, type Scalar } from '../../gpu/index.ts';
import { differentiable, dispatch, empty, type Tensor } from '../../tensor/graph/index.ts';
import type { AxisRows } from '../axis/index.ts';
import { add, mul } from '../elementwise/index.ts';

/** From which end, and whether each place holds what came before it only. */
export interface Direction {
  readonly reverse: boolean;
  readonly exclusive: boolean;
}

/** What a state is before the first element, and what the next one makes of it: F is f32, or i32 of i32. */
const states = {
  sum: { reads: ['b'], start: 'F(0)', next: 's + F(b[at])' },
  product: { reads: ['a'], start: 'F(1)', next: 's * F(a[at])' },
  linear: { reads: ['a', 'b'], start: 'F(0)', next: 'F(a[at]) * s + F(b[at])' },
  // From the first element itself: what is less than all numbers is infinite.
  max: {
    reads: ['b'],
    start: 'F(b[row + select(begin, end - 1u, REVERSE == 1u) * params.inner])',
    next: 'larger(s, F(b[at]))',
  },
} as const;
/** The larger one of floats, of which NaN is the largest, and of i32. */
const ofFloats = 'fn larger(a: f32, b: f32) -> f32 { return select(select(max(a, b), b, isNan(b)), a, isNan(a)); }';
const ofWhole = 'fn larger(a: i32, b: i32) -> i32 { return max(a, b); }';
type Rule = keyof typeof states;
type Operands = Readonly<Partial<Record<'a' | 'b', Tensor>>>;

/** So many elements one thread takes one after the other. More are cut into chunks, whose own results are run over first. */
const CHUNK = 64;

/** `s[i] = next(s[i - 1])` along the axis of the rows. It has no gradient. */
export function running(rule: Rule, of: Operands, rows: AxisRows, direction: Direction): Tensor {
  const like = (of.a ?? of.b) as Tensor;
  const y = empty(like);
  const isWhole = like.dtype === 'i32';
  const chunks = rows.length <= 2 * CHUNK ? 1 : Math.ceil(rows.length / CHUNK);
  const params = { ...rows, chunks, chunk: chunks === 1 ? rows.length : CHUNK };
  const constants = { REVERSE: Number(direction.reverse), EXCLUSIVE: Number(direction.exclusive) };
  if (chunks === 1) {
    dispatch(kernelOf(rule, 'whole', isWhole), { ...of, y }, params, constants);
    return y;
  }
  const parts = partsOf(rule, of, rows, chunks, constants.REVERSE);
  const carry = running(rule, parts, { ...rows, length: chunks }, { ...direction, exclusive: true });
  dispatch(kernelOf(rule, 'chunks', isWhole), { ...of, carry, y }, params, constants);
  return y;
}

/** The product of each row of floats, `[outer · inner]` of them, in f32; 1 of none. It has no gradient. */
export function productOfRows(x: Tensor, rows: AxisRows): Tensor {
  const chunks = Math.max(1, Math.ceil(rows.length / CHUNK));
  const { a } = partsOf('product', { a: x }, rows, chunks, 0);
  return chunks === 1 ? (a as Tensor) : productOfRows(a as Tensor, { ...rows, length: chunks });
}

/** What each chunk makes of the first state; of a linear one also what it multiplies the state by that comes in. */
function partsOf(rule: Rule, of: Operands, rows: AxisRows, chunks: number, REVERSE: number): Operands {
  const like = (of.a ?? of.b) as Tensor;
  const part = () => empty(like, [rows.outer, chunks, rows.inner], like.dtype === 'i32' ? 'i32' : 'f32');
  const parts: Operands = Object.fromEntries(states[rule].reads.map((one) => [one, part()]));
  const to = { ...(parts.a && { partA: parts.a }), ...(parts.b && { partB: parts.b }) };
  dispatch(
    kernelOf(rule, 'parts', like.dtype === 'i32'),
    { ...of, ...to },
    { ...rows, chunks, chunk: CHUNK },
    { REVERSE, EXCLUSIVE: 0 },
  );
  return parts;
}

/** `s[i] = a[i] · s[i - 1] + b[i]`. Its gradients are recurrences from the other end. */
export function recurrence(a: Tensor, b: Tensor, rows: AxisRows, direction: Direction): Tensor {
  const before = { ...direction, exclusive: true };
  return differentiable(running('linear', { a, b }, rows, direction), [a, b], (dy) => {
    const db = backOf(a, dy, rows, direction);
    return [mul(db, recurrence(a, b, rows, before)), db];
  });
}

/** What arrives at `b` of a {@link recurrence}: `db[i] = dy[i] + a[i + 1] · db[i + 1]`. */
export function backOf(a: Tensor, dy: Tensor, rows: AxisRows, { reverse, exclusive }: Direction): Tensor {
  const back = { reverse: !reverse, exclusive: true };
  return exclusive ? recurrence(a, dy, rows, back) : add(dy, recurrence(a, mul(a, dy), rows, back));
}

type RunningKernel = Kernel<
  Record<string, Binding>,
  Record<string, Scalar>,
  { WG: number; REVERSE: number; EXCLUSIVE: number }
>;
const kernels = new Map<string, RunningKernel>();

function kernelOf(rule: Rule, stage: 'whole' | 'chunks' | 'parts', isWhole: boolean): RunningKernel {
  const key = `${rule} ${stage} ${isWhole}`;
  let made = kernels.get(key);
  if (!made) kernels.set(key, (made = makeKernel(rule, stage, isWhole)));
  return made;
}

/** Whether a chunk has none before it. */
const isFirst = 'select(begin == 0u, end == params.length, REVERSE == 1u)';

// A thread takes one chunk of one row; neighbours have neighbouring rows where the axis is not the last.
function makeKernel(rule: Rule, stage: 'whole' | 'chunks' | 'parts', isWhole: boolean): RunningKernel {
  const [F, T] = isWhole ? (['i32', 'i32'] as const) : (['f32', 'T'] as const);
  const { reads, start, next } = states[rule];
  const isPart = stage === 'parts';
  const bind: Record<string, Binding> = Object.fromEntries(reads.map((one) => [one, `read ${T}` as const]));
  if (stage === 'chunks') bind['carry'] = `read ${F}`;
  if (isPart) for (const one of reads) bind[`part${one.toUpperCase()}`] = `write ${F}`;
  else bind['y'] = `write ${T}`;
  const both = isPart && rule === 'linear';
  const isExtreme = rule === 'max';
  return kernel({
    name: isPart ? `running-${rule}-parts` : `running-${rule}`,
    bind,
    params: { outer: 'u32', length: 'u32', inner: 'u32', chunks: 'u32', chunk: 'u32' },
    override: { WG: 64, REVERSE: 0, EXCLUSIVE: 0 },
    use: isExtreme && !isWhole ? [notNumbers] : [],
    grid: (({ outer = 0, inner = 0, chunks = 0 }, { WG }) => [
      Math.ceil((outer * chunks * inner) / WG),
    ]) as RunningKernel['grid'],
    wgsl: `
alias F = ${F};
alias To = ${T};
${isExtreme ? (isWhole ? ofWhole : ofFloats) : ''}
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  let slice = i / params.inner;
  let outer = slice / params.chunks;
  if (outer >= params.outer) { return; }
  let begin = (slice - outer * params.chunks) * params.chunk;
  let end = min(begin + params.chunk, params.length);
  let row = outer * params.length * params.inner + i - slice * params.inner;
  var s = ${stage === 'chunks' ? (isExtreme ? `select(carry[i], ${start}, ${isFirst})` : 'carry[i]') : start};
  ${both ? 'var factor = 1.0;' : ''}
  for (var k = begin; k < end; k++) {
    let at = row + select(k, begin + (end - 1u - k), REVERSE == 1u) * params.inner;
    let made = ${next};
    ${isPart ? '' : 'y[at] = To(select(made, s, EXCLUSIVE == 1u));'}
    ${both ? 'factor *= f32(a[at]);' : ''}
    s = made;
  }
  ${isPart ? `part${reads.at(-1)?.toUpperCase()}[i] = s;` : ''}
  ${both ? 'partA[i] = factor;' : ''}
}`,
  }) as unknown as RunningKernel;
}
