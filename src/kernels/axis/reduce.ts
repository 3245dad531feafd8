import { type Binding, type Device, type Kernel, kernel } from '../../gpu/index.ts';
import {
  differentiableLinear,
  dispatch,
  elementGrid,
  elementLoop,
  elementOverride,
  empty,
  over,
  type Tensor,
  unchanged,
} from '../../tensor/graph/index.ts';
import { type DType, isFloat, type Shape, ShapeError, size } from '../../tensor/values/index.ts';
import {
  type ReduceOptions,
  runsOf,
  spreadOver,
  spreadParams,
  spreadPlace,
  type Units,
  unitsOf,
} from './reduce-axes.ts';
import {
  type AxisRows,
  rowSum,
  rowSumVec4,
  rowsPerGroup,
  rowThreadOverrides,
  rowThreads,
  threadPerRow,
} from './row-threads.ts';
import { FEW_STEPS, inRuns } from './runs.ts';

/**
 * Sum over axes. The gradient is `dy`, repeated. Of i32 and u32 it is of their dtype, modulo 2³²; of bool it counts what is true, in i32.
 *
 * ```ts
 * const x = tensor(device, [1, 2, 3, 4, 5, 6], [2, 3]);
 * await read(sum(x)); // [21]
 * await read(sum(x, { axes: 0 })); // [5, 7, 9]
 * ```
 */
export function sum(x: Tensor, options: ReduceOptions = {}): Tensor {
  const runs = runsOf('sum', x, options);
  if (isFloat(x.dtype)) return sumDifferentiable(x, runs, 1);
  const y = sumRuns(over(x, x.shape, 'i32'), runs, 1, 'i32');
  return x.dtype === 'u32' ? over(y, y.shape, 'u32') : y;
}

/**
 * Mean over axes: `sum(x) / n`. The gradient is `dy / n`, repeated. Of i32, u32 and bool it is f32: of bool, the part that is true.
 *
 * @throws ShapeError when there is nothing to average.
 */
export function mean(x: Tensor, options: ReduceOptions = {}): Tensor {
  const runs = runsOf('mean', x, options);
  const count = runs.reduce((product, { rows }) => product * rows.length, 1);
  if (count === 0) throw new ShapeError('mean', 'the mean of no elements is undefined', { x: x.shape });
  if (isFloat(x.dtype)) return sumDifferentiable(x, runs, 1 / count);
  const each = { rows: { outer: x.size, length: 1, inner: 1 }, shape: x.shape };
  return sumRuns(x, runs.length > 0 ? runs : [each], 1 / count, 'f32');
}

/**
 * Sums of the columns, `x [R, C]` → `[C]`, for backwards: without a gradient of its own. Leading axes count as rows.
 * Over many rows it runs in two launches, the first with partial sums; the order of the additions is always the same.
 */
export function sumRows(x: Tensor, dtype: DType = x.dtype): Tensor {
  const cols = x.shape.at(-1) ?? 1;
  return sumAlong(x, { outer: 1, length: size(x.shape.slice(0, -1)), inner: cols }, [cols], 1, dtype);
}

/** A {@link sum} for backwards, without a gradient of its own, in the dtype that is asked for. */
export function summed(x: Tensor, options: ReduceOptions, dtype: DType): Tensor {
  return dtype === x.dtype ? sum(x, options) : sumRuns(x, runsOf('sum', x, options), 1, dtype);
}

function sumRuns(x: Tensor, runs: readonly { rows: AxisRows; shape: Shape }[], factor: number, dtype: DType): Tensor {
  return runs.reduce((part, { rows, shape }, i) => {
    const isLast = i === runs.length - 1;
    return sumAlong(part, rows, shape, isLast ? factor : 1, isLast || dtype === 'i32' ? dtype : 'f32');
  }, x);
}

/** The sum, times `factor`, over runs of axes. Between them it stays f32, and is rounded to the dtype of `x` once. */
function sumDifferentiable(x: Tensor, runs: readonly { rows: AxisRows; shape: Shape }[], factor: number): Tensor {
  if (runs.length === 0) return unchanged(x);
  return differentiableLinear(
    x,
    (t) => sumRuns(t, runs, factor, t.dtype),
    (dy) =>
      runs.reduceRight((d, { rows }, i) => {
        const wider = i === 0 ? empty(x) : empty(x, runs[i - 1]?.shape);
        const { units, params } = spreadOver(wider, rows);
        dispatch(spread[units], { dy: d, dx: wider }, { ...params, factor: i === 0 ? factor : 1 });
        return wider;
      }, dy),
  );
}

/**
 * `factor · sum` of each row. A thread adds no more than {@link FEW_STEPS} loads: longer rows are cut into strips, whose sums
 * (f32) are the rows of another launch, until there is one strip.
 */
function sumAlong(x: Tensor, rows: AxisRows, shape: Shape, factor: number, dtype: DType = x.dtype): Tensor {
  let part = x;
  let rest = rows;
  for (;;) {
    const { units, constants, strips } = stripsOf(x.device, rest, part === x);
    if (strips <= 1) {
      const y = empty(x, shape, dtype);
      launchSum(part, y, units, { ...rest, chunk: rest.length, strips: 1, factor }, constants);
      return y;
    }
    const { length } = loadsOf(rest, units);
    const chunk = Math.ceil(length / strips);
    const used = Math.ceil(length / chunk);
    const partial = empty(x, [rest.outer, used, rest.inner], dtype === 'i32' ? dtype : 'f32');
    launchSum(part, partial, units, { ...rest, chunk, strips: used, factor: 1 }, constants);
    part = partial;
    rest = { ...rest, length: used };
  }
}

/** At most `max` rows of `x [n, C]`, f32, each the sum of some that follow each other; `x` itself where there are no more. */
export function fewerRows(x: Tensor, max: number): Tensor {
  const [n = 0, C = 1] = x.shape;
  if (n <= max) return x;
  const rows = { outer: 1, length: n, inner: C };
  const { units, constants, strips } = stripsOf(x.device, rows, true);
  const { length } = loadsOf(rows, units);
  const chunk = Math.ceil(length / Math.max(2, strips));
  const used = Math.ceil(length / chunk);
  const y = empty(x, [used, C], 'f32');
  launchSum(x, y, units, { ...rows, chunk, strips: used, factor: 1 }, constants);
  return fewerRows(y, max);
}

/** Into how many strips rows are cut, and the constants of their launch. */
function stripsOf(device: Device, rows: AxisRows, isFirst: boolean) {
  const units = unitsOf(rows);
  const { outer, length, inner } = loadsOf(rows, units);
  const isCpu = threadPerRow(device) !== undefined;
  // On a CPU every strip of a row is one thread's: joining threads takes as long to compile as all the rest.
  const alone = isCpu && units === 'rows';
  const max = alone ? 1 : !isFirst || isCpu || inner < 8 ? 64 : 1;
  const constants = rowThreads(device, { outer, length, inner }, max);
  const min = Math.ceil(length / (FEW_STEPS * constants.THREADS));
  if (!isFirst) return { units, constants, strips: min };
  const groups = Math.max(1, Math.ceil((outer * inner) / rowsPerGroup(constants)));
  // A thread adds some 32 loads by itself; more go to other workgroups, until the device is busy.
  const busy = alone
    ? Math.min(length < 1024 ? 1 : Math.ceil(length / 32), Math.ceil(512 / Math.max(1, outer)))
    : Math.min(Math.ceil(length / (32 * constants.THREADS)), Math.ceil(device.profile.workgroupsWanted / groups));
  return { units, constants, strips: Math.max(min, busy) };
}

type Constants = ReturnType<typeof rowThreads>;

function launchSum(
  x: Tensor,
  y: Tensor,
  units: Units,
  { chunk, strips, factor, ...rows }: AxisRows & { chunk: number; strips: number; factor: number },
  constants: Constants,
): void {
  // In f32, sums of strips are the same kernel again, compiled once.
  const isHalf = x.dtype === 'f16' || y.dtype === 'f16';
  const stored = ({ dtype }: Tensor) =>
    isFloat(dtype) ? (isHalf && dtype === 'f16' ? 'T' : 'f32') : dtype === 'i32' ? dtype : 'u32';
  dispatch(
    sumKernel(units, stored(x), stored(y)),
    { x, y },
    { ...sizes(rows, units), chunk, strips, factor },
    constants,
  );
}

/** The lines as loads: how many a line takes, how many lines there are to an invocation's. */
function loadsOf(lines: AxisRows, units: Units): AxisRows {
  return { ...sizes(lines, units), length: units === 'rows' ? Math.ceil(lines.length / 4) : lines.length };
}

/** The rows as params: lengths in elements, as rows may begin anywhere; neighbours in loads. */
function sizes({ outer, length, inner }: AxisRows, units: Units): AxisRows {
  return { outer, length, inner: units === 'columns' ? inner / 4 : inner };
}

type Stored = 'T' | 'f32' | 'i32' | 'u32';
type SumKernel = Kernel<
  { readonly x: Binding; readonly y: Binding },
  { readonly [name in 'outer' | 'length' | 'inner' | 'chunk' | 'strips']: 'u32' } & { readonly factor: 'f32' },
  typeof rowThreadOverrides
>;
const sumKernels = new Map<string, SumKernel>();

// AxisRows are cut into strips of `chunk` loads. A workgroup takes WG / THREADS strips: neighbours of a row, or one of each of some
// neighbouring columns.
function sumKernel(units: Units, from: Stored, to: Stored): SumKernel {
  const key = `${units} ${from} ${to}`;
  const known = sumKernels.get(key);
  if (known) return known;
  const F = units === 'ones' ? 'f32' : 'vec4f';
  const result = units === 'columns' ? (`vec4<${to}>` as const) : to;
  const join = units === 'columns' ? rowSumVec4 : rowSum;
  // Sums of i32 are the same text.
  const typed = (wgsl: string) => (to === 'i32' ? wgsl.replace(/f(?=32)|(?<=vec4)f/g, 'i') : wgsl);
  const made: SumKernel = kernel({
    name: 'sum',
    bind: { x: units === 'ones' ? `read ${from}` : `read vec4<${from}>`, y: `write ${result}` },
    params: { outer: 'u32', length: 'u32', inner: 'u32', chunk: 'u32', strips: 'u32', factor: 'f32' },
    override: rowThreadOverrides,
    use: [{ ...join, wgsl: typed(join.wgsl) }],
    grid: ({ outer, inner, strips }, constants) => {
      const rows = rowsPerGroup(constants);
      return [units === 'rows' ? Math.ceil((outer * strips) / rows) : Math.ceil((outer * inner) / rows) * strips];
    },
    wgsl: typed(`
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let group = flatGroup(g, size);
${units === 'rows' ? stripOfRow : stripOfColumn}
  let inside = row < params.outer * params.inner;
  let start = rowStart(row, params.length, params.inner);
  let j = strip * params.chunk;
  var total = ${F}();
  if (inside) {
${units === 'rows' ? sumOfRow : sumOfColumn(F)}
  }
  let all = ${join.name}(${units === 'rows' ? 'dot(total, vec4f(1))' : 'total'}, l);
  if (inside && threadOf(l) == 0u) {
    y[(row / params.inner * params.strips + strip) * params.inner + row % params.inner] = ${result}(all * f32(params.factor));
  }
}`),
  });
  sumKernels.set(key, made);
  return made;
}

const stripOfRow = `  let strip = (group * (WG / THREADS) + rowOf(l)) % params.strips;
  let row = (group * (WG / THREADS) + rowOf(l)) / params.strips;`;
const stripOfColumn = `  let strip = group % params.strips;
  let row = group / params.strips * (WG / THREADS) + rowOf(l);`;

function sumOfColumn(F: string): string {
  return inRuns(
    { total: F },
    { counter: 'k', from: 'j + threadOf(l)', to: 'min(params.length, j + params.chunk)', by: 'THREADS' },
    `total += ${F}(x[start + k * params.inner]);`,
  );
}

// Rows begin and end anywhere. Whole vec4s are shared by strips and threads; what is left at both ends is the first one's.
const sumOfRow = `    let end = start + params.length;
    let whole = (start + 3u) / 4u;
${
  /*#__PURE__*/ inRuns(
    { total: 'vec4f' },
    { counter: 'k', from: 'whole + j + threadOf(l)', to: 'min(end / 4u, whole + j + params.chunk)', by: 'THREADS' },
    'total += vec4f(x[k]);',
  )
}
    if (j == 0u && threadOf(l) == 0u) {
      let head = start / 4u;
      let tail = end / 4u;
      // Both ends, by one load: each takes long to compile.
      for (var k = head; k <= tail; k += max(1u, tail - head)) {
        let at = k * 4u + vec4u(0u, 1u, 2u, 3u);
        if (k < whole || (k == tail && at.x < end)) {
          total += select(vec4f(), vec4f(x[k]), (at >= vec4u(start)) & (at < vec4u(end)));
        }
      }
    }`;

function makeSpread(units: Units) {
  const stored = units === 'ones' ? 'T' : 'vec4<T>';
  return kernel({
    name: 'sum-backward',
    bind: { dy: units === 'columns' ? 'read vec4<T>' : 'read T', dx: `write ${stored}` },
    params: { ...spreadParams, factor: 'f32' },
    override: elementOverride,
    grid: elementGrid,
    wgsl: elementLoop(`${spreadPlace[units]}
    dx[i] = ${units === 'columns' ? 'vec4<T>(vec4f(dy[row]) * params.factor)' : `${stored}(T(f32(dy[row]) * params.factor))`};`),
  });
}

const spread = {
  rows: /*#__PURE__*/ makeSpread('rows'),
  columns: /*#__PURE__*/ makeSpread('columns'),
  ones: /*#__PURE__*/ makeSpread('ones'),
};
