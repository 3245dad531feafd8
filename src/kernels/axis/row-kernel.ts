import { type Binding, type Device, type Kernel, kernel, type Piece, type Scalar } from '../../gpu/index.ts';
import { dispatch, type Tensor } from '../../tensor/graph/index.ts';
import {
  type AxisRows,
  rowMax,
  rowMaxVec4,
  rowSum,
  rowSumVec4,
  rowsPerGroup,
  rowThreadOverrides,
  rowThreadPlace,
  rowThreads,
  threadPerRow,
} from './row-threads.ts';
import { inRuns, loopsFor, type RunOptions, type Walk } from './runs.ts';

/**
 * How the rows of an axis lie in memory, and so how a kernel reads them. F is the type of one load, P that of its places in the
 * row, S that of one value per row; FI and SI are F and S as integers of the same bits.
 *
 * - `ones`: one element a load, for any stride (F and S are f32).
 * - `rows`: contiguous rows whose length is a multiple of 4 (F is vec4f, S f32).
 * - `columns`: a vec4 holds one element of each of four adjacent rows (F and S are vec4f).
 * - `ragged`: contiguous rows of any other length, such as 197 tokens; for CPUs. An invocation takes four rows, which together are
 *   whole vec4s: where two rows meet inside of a vec4, it carries the first one's part over to the next (F is vec4f, S f32).
 */
type Layout = 'ones' | 'rows' | 'columns' | 'ragged';

/** WGSL for what is done to a row, in terms of F and S. Beside it a body has `row`, its number, and `start`, `lead` below. */
export interface RowCode {
  /**
   * A loop over the row: in `code` the elements are variables (F) with the names of their bindings, at `place` (P) of it. What
   * it adds to by `+=`, variables of type F that are 0 before, is added up in runs: see {@link inRuns}. Sums that are made in
   * another way are named.
   */
  readonly each: (code: string, others?: OtherSums) => string;
  /** As `each`, but no step of it is done where a condition of the row does not hold. */
  readonly eachIf: (condition: string, code: string) => string;
  /** In `each`: `expression` (F), or `otherwise` where an element belongs to another row. */
  readonly inRow: (expression: string, otherwise: string) => string;
  /** Elements of a binding (F) at a step of `each`, or `otherwise` where the row has none. */
  readonly atStep: (binding: string, step: string, otherwise: string) => string;
  /** A loop that writes to a binding what `expression` (F) is of the elements. */
  readonly write: (to: string, expression: string) => string;
  /** Sum or maximum (S) over what each invocation of the row has in a variable of type F. */
  readonly sum: (value: string) => string;
  readonly max: (value: string) => string;
  /** The element of a binding (f32) at a place (u32) of the row, which must be there. Only where rows are contiguous. */
  readonly at: (binding: string, place: string) => string;
}

export interface RowSpec {
  readonly name: string;
  /** What has the shape of the rows. */
  readonly elements: Readonly<Record<string, 'read T' | 'write T'>>;
  /** Read by the place in the row, the same for all rows. Only where rows are contiguous. */
  readonly along?: readonly string[];
  /** One number per row, read or written by the body at `row`; written where `lead`. Only where rows are contiguous. */
  readonly perRow?: Readonly<Record<string, Binding>>;
  readonly params?: Readonly<Record<string, Scalar>>;
  readonly use?: readonly Piece[];
  readonly rule?: Kernel['rule'];
  readonly body: (code: RowCode) => string;
}

/** `loops` are the fewest. */
type OtherSums = RunOptions & { readonly sums: readonly string[] };

type RowKernel = Kernel<Record<string, Binding>, Record<string, Scalar>, typeof rowThreadOverrides>;

/**
 * An op over every row of an axis, written once for all layouts. The kernel for the layout that suits the rows and the device
 * is made when it is first launched.
 */
export function rowKernel(
  spec: RowSpec,
): (tensors: Readonly<Record<string, Tensor>>, rows: AxisRows, params?: Readonly<Record<string, number>>) => void {
  const made = new Map<string, RowKernel>();
  return (tensors, rows, params = {}) => {
    const { device } = Object.values(tensors)[0] as Tensor;
    const layout = layoutOf(device, rows);
    const loads = { ...rows };
    if (layout === 'rows') loads.length /= 4;
    if (layout === 'columns') loads.inner /= 4;
    const constants =
      layout === 'ragged'
        ? { WG: 8, THREADS: 1, ROWS_ADJACENT: 0 }
        : rowThreads(device, loads, 64, layout === 'ones' ? 32 : 8);
    const steps = (layout === 'ragged' ? rows.length / 4 : loads.length) / constants.THREADS;
    const loops = loopsFor(steps);
    const key = `${layout} ${loops}`;
    let one = made.get(key);
    if (!one) made.set(key, (one = makeKernel(spec, layout, loops)));
    dispatch(one, tensors, { ...loads, ...params }, constants);
  };
}

/** Four ragged rows to an invocation are too few invocations for a GPU, and for a CPU unless there are some hundred rows. */
const MANY_RAGGED = 128;

function layoutOf(device: Device, { outer, length, inner }: AxisRows): Layout {
  if (inner > 1) return inner % 4 === 0 ? 'columns' : 'ones';
  if (length % 4 === 0) return 'rows';
  return threadPerRow(device) && outer >= MANY_RAGGED && length >= 4 ? 'ragged' : 'ones';
}

const vec4s = 'alias F = vec4f; alias P = vec4u; alias FI = vec4i; alias Stored = vec4<T>;';
const units: Readonly<Record<Layout, string>> = {
  ones: 'alias F = f32; alias P = u32; alias S = f32; alias FI = i32; alias SI = i32; alias Stored = T; const PER = 1u;',
  columns: `${vec4s} alias S = vec4f; alias SI = vec4i; const PER = 1u;`,
  rows: `${vec4s} alias S = f32; alias SI = i32; const PER = 4u;`,
  ragged: `${vec4s} alias S = f32; alias SI = i32; const PER = 1u;`,
};

function makeKernel(spec: RowSpec, layout: Layout, loops: number): RowKernel {
  const { name, elements, along = [], perRow = {}, params = {}, use = [], rule, body } = spec;
  const reads = Object.keys(elements).filter((one) => elements[one] === 'read T');
  const writes = Object.keys(elements).filter((one) => elements[one] === 'write T');
  const stored = layout === 'ones' ? 'T' : 'vec4<T>';
  const bind: Record<string, Binding> = { ...perRow };
  for (const one of reads) bind[one] = `read ${stored}`;
  for (const one of writes) bind[one] = `write ${stored}`;
  for (const one of along) bind[one] = layout === 'ragged' ? 'read T' : `read ${stored}`;
  const isRagged = layout === 'ragged';
  const inVec4s = layout === 'rows' || isRagged;
  const vec4s = layout === 'columns' ? 'Vec4' : '';
  const code: RowCode = isRagged
    ? raggedCode(reads, along, loops)
    : {
        each: (inside, others) =>
          walk(
            { counter: 'c', from: 'thread', to: 'count', by: 'THREADS' },
            `    let i = start + c * params.inner;
    let place = ${layout === 'rows' ? 'c * 4u + vec4u(0u, 1u, 2u, 3u)' : 'P(c)'};
    ${reads.map((one) => `let ${one} = F(${one}[i]);`).join(' ')}
    ${along.map((one) => `let ${one} = F(${one}[c]);`).join(' ')}
    ${inside}`,
            loops,
            others,
          ),
        eachIf: (condition, inside) => `{
  let count = select(0u, count, ${condition});
  ${code.each(inside)}
  }`,
        inRow: (expression) => expression,
        atStep: (binding, step, otherwise) =>
          `select(F(${otherwise}), F(${binding}[start + ${step} * params.inner]), ${step} < count)`,
        write: (to, expression) => code.each(`${to}[i] = Stored(${expression});`),
        sum: (value) => `rowSum${vec4s}(${inVec4s ? `acrossSum(${value})` : value}, l)`,
        max: (value) => `rowMax${vec4s}(${inVec4s ? `acrossMax(${value})` : value}, l)`,
        at: (binding, place) =>
          inVec4s ? `f32(${binding}[start + ${place} / 4u][${place} % 4u])` : `f32(${binding}[start + ${place}])`,
      };
  const text = body(code);
  const joins = { rowSum, rowSumVec4, rowMax, rowMaxVec4 };
  return kernel({
    name,
    bind,
    params: { outer: 'u32', length: 'u32', inner: 'u32', ...params } as Record<string, Scalar>,
    override: rowThreadOverrides,
    rule,
    use: [
      { name: `units of ${layout}`, wgsl: units[layout] },
      ...use,
      ...(inVec4s ? [acrossFours] : []),
      rowThreadPlace,
      ...Object.entries(joins).flatMap(([one, piece]) => (text.includes(`${one}(`) ? [piece] : [])),
    ],
    grid: ({ outer = 0, inner = 0 }, constants) => {
      return [Math.ceil((outer * inner) / rowsPerGroup(constants) / (isRagged ? 4 : 1))];
    },
    wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
${isRagged ? raggedRows(writes, text) : rows(text)}
}`,
  });
}

/** A loop, in runs where it adds something up. */
function walk(steps: Walk, body: string, loops: number, others?: OtherSums): string {
  const names = others?.sums ?? [...body.matchAll(/\b(\w+) \+=/g)].map(([, name]) => name as string);
  const sums = Object.fromEntries(names.map((name) => [name, 'F']));
  return inRuns(sums, steps, body, { ...others, loops: names.length > 0 ? Math.max(loops, others?.loops ?? 1) : 1 });
}

const acrossFours: Piece = {
  name: 'acrossFours',
  wgsl: `
fn acrossSum(v: vec4f) -> f32 { return (v.x + v.y) + (v.z + v.w); }
fn acrossMax(v: vec4f) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }`,
};

// A workgroup takes WG / THREADS rows. Those beyond the last have no elements; their threads only take part in sums.
function rows(text: string): string {
  return `  let row = flatGroup(g, size) * (WG / THREADS) + rowOf(l);
  let thread = threadOf(l);
  let inside = row < params.outer * params.inner;
  let lead = inside && thread == 0u;
  let start = rowStart(row, params.length, params.inner);
  let count = select(0u, params.length, inside);
  ${text}`;
}

function raggedRows(writes: readonly string[], text: string): string {
  return `  let firstRow = (flatGroup(g, size) * WG + l) * 4u;
  let lead = true;
  ${writes.map((one) => `var ${one}Carry = vec4f();`).join(' ')}
  for (var row = firstRow; row < min(firstRow + 4u, params.outer); row++) {
  let start = row * params.length;
  let end = start + params.length;
  ${text}
  }`;
}

function raggedCode(reads: readonly string[], along: readonly string[], loops: number): RowCode {
  const places = (one: string) => [...'xyzw'].map((k) => `f32(${one}[min(place.${k}, params.length - 1u)])`).join(', ');
  const code: RowCode = {
    each: (inside, others) =>
      walk(
        { counter: 'v', from: '(start / 4u)', to: '((end + 3u) / 4u)', by: '1u' },
        `    let at = v * 4u + vec4u(0u, 1u, 2u, 3u);
    ${reads.map((one) => `let ${one} = F(${one}[v]);`).join(' ')}
    let place = at - start;
    ${along.map((one) => `let ${one} = F(${places(one)});`).join(' ')}
    ${inside}`,
        loops,
        others,
      ),
    eachIf: (condition, inside) => `{
    let end = select(start, end, ${condition});
    ${code.each(inside)}
    }`,
    inRow: (expression, otherwise) =>
      `select(F(${otherwise}), ${expression}, (at >= vec4u(start)) & (at < vec4u(end)))`,
    atStep: (binding, step, otherwise) => {
      const at = `(${step} * 4u + vec4u(0u, 1u, 2u, 3u))`;
      return `select(F(${otherwise}), F(${binding}[${step}]), (${at} >= vec4u(start)) & (${at} < vec4u(end)))`;
    },
    write: (to, expression) =>
      code.each(`let value = select(${expression}, ${to}Carry, at < vec4u(start));
    if (v * 4u + 4u <= end || row + 1u == params.outer) { ${to}[v] = Stored(value); } else { ${to}Carry = value; }`),
    sum: (value) => `acrossSum(${value})`,
    max: (value) => `acrossMax(${value})`,
    at: (binding, place) => `f32(${binding}[(start + ${place}) / 4u][(start + ${place}) % 4u])`,
  };
  return code;
}
