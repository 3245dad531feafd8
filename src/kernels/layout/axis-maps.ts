import { kernel } from '../../gpu/index.ts';
import { differentiable, dispatch, empty, type Tensor, tensor, unchanged } from '../../tensor/graph/index.ts';
import { isFloat, type Shape, size } from '../../tensor/values/index.ts';
import { eachRow, inRuns, LOOPS_FOR_ALL, rowConstants, rowGrid, rowOverrides, rowPlace } from '../axis/index.ts';

/** Which place along an axis of x each place of the result takes; {@link NOWHERE} for none. `undefined`: all, as they are. */
export type AxisMap = Uint32Array | undefined;

/** In an {@link AxisMap}: nothing of x. */
export const NOWHERE = 0xffffffff;

/** An axis map from a function of the place in the result; anything that is no place of x (`length`) is nowhere. */
export function axisMap(made: number, length: number, source: (i: number) => number): Uint32Array {
  return Uint32Array.from({ length: made }, (_, i) => {
    const at = source(i);
    return at >= 0 && at < length ? at : NOWHERE;
  });
}

/**
 * `y[i₀, i₁, …] = x[map₀[i₀], map₁[i₁], …]`, and `value` where any of them is nowhere: one launch for up to six axes that do not stay together. The gradient
 * is one launch as well: the same with the inverse maps, or, where places are taken several times, sums over those.
 */
export function mapped(x: Tensor, maps: readonly AxisMap[], value = 0): Tensor {
  if (maps.every((map) => map === undefined)) return unchanged(x);
  const shape = x.shape.map((axis, i) => maps[i]?.length ?? axis);
  const axes = mergedAxes(x.shape, maps);
  if (axes.length > OUTER + 1) {
    // Axis after axis is the same: first the later ones.
    const used = maps.flatMap((map, i) => (map ? [i] : []));
    const middle = used[used.length >> 1] as number;
    const later = maps.map((map, i) => (i < middle ? undefined : map));
    const earlier = maps.map((map, i) => (i < middle ? map : undefined));
    return mapped(mapped(x, later, value), earlier, value);
  }
  const y = empty(x, shape);
  const last = axes.pop() as MergedAxis;
  const inVec4s =
    isFloat(x.dtype) && !last.map && last.length % 4 === 0 && axes.every(({ step }) => step % 4 === 0 || step === 0);
  const per = inVec4s ? 4 : 1;
  const tables = laidOut([...axes, last].map(({ map }) => map));
  const rows = { rows: last.made === 0 ? 0 : y.size / last.made, width: last.made / per };
  const bits = isFloat(x.dtype) ? (new Uint32Array(Float32Array.of(value).buffer)[0] as number) : value >>> 0;
  dispatch(
    mapKernels[inVec4s ? 'vec4<T>' : isFloat(x.dtype) ? 'T' : 'u32'],
    { x, places: tensor(x.device, tables.values), y },
    { ...rows, value: bits, ...outerParams(axes, tables.starts, per), startRow: tables.starts.at(-1) as number },
    { ...rowConstants(x.device, rows), RANK: axes.length },
  );
  return differentiable(y, [x], (dy) => [summedBack(dy, x.shape, maps)]);
}

/** The transpose of {@link mapped}: `dx[j] = Σ dy[i]` over the places i that take j, along every axis. */
function summedBack(dy: Tensor, shape: Shape, maps: readonly AxisMap[]): Tensor {
  const lists = maps.map((map, i) => map && placesOf(map, shape[i] as number));
  if (lists.every((list) => !list || list.isInverse)) {
    return mapped(
      dy,
      lists.map((list) => list?.inverse),
    );
  }
  const dx = empty(dy, shape);
  // Seen from dy: along an axis with a list, the steps are those of the lists' places.
  const axes = mergedAxes(
    dy.shape,
    lists.map((list) => list?.inverse),
  );
  const last = axes.pop() as MergedAxis;
  const all = [...axes, last];
  const byInverse = new Map(lists.flatMap((list) => (list ? [[list.inverse, list]] : [])));
  const listOf = ({ map }: MergedAxis) => (map ? byInverse.get(map) : undefined);
  const orders = laidOut(all.map((axis) => listOf(axis)?.order));
  const starts = laidOut(
    all.map((axis, i) => listOf(axis)?.starts.map((start) => start + (orders.starts[i] as number))),
  );
  const rows = { rows: last.made === 0 ? 0 : dx.size / last.made, width: last.made };
  dispatch(
    sumKernel,
    { dy, starts: tensor(dy.device, starts.values), order: tensor(dy.device, orders.values), dx },
    { ...rows, ...outerParams(axes, starts.starts, 1), startRow: starts.starts.at(-1) as number },
    { ...rowConstants(dy.device, rows), RANK: axes.length },
  );
  return differentiable(dx, [dy], (u) => [mapped(u, maps)]);
}

/** Of a map: the places of the result that take each place of x, and the map back where that is at most one. */
interface Places {
  readonly starts: Uint32Array;
  readonly order: Uint32Array;
  readonly inverse: Uint32Array;
  readonly isInverse: boolean;
}

function placesOf(map: Uint32Array, length: number): Places {
  const starts = new Uint32Array(length + 1);
  for (const at of map) if (at !== NOWHERE) starts[at + 1] = (starts[at + 1] as number) + 1;
  const isInverse = starts.every((count) => count <= 1);
  for (let j = 0; j < length; j++) starts[j + 1] = (starts[j + 1] as number) + (starts[j] as number);
  const next = starts.slice();
  const order = new Uint32Array(starts[length] as number);
  const inverse = new Uint32Array(length).fill(NOWHERE);
  map.forEach((at, i) => {
    if (at === NOWHERE) return;
    order[next[at] as number] = i;
    next[at] = (next[at] as number) + 1;
    inverse[at] = i;
  });
  return { starts, order, inverse, isInverse };
}

interface MergedAxis {
  /** Of the input, and of the result. */
  length: number;
  made: number;
  /** Elements of the input from one place to the next. */
  step: number;
  map: AxisMap;
}

/** The axes of an input, first to last; neighbours that stay as they are become one. */
function mergedAxes(shape: Shape, maps: readonly AxisMap[]): MergedAxis[] {
  const axes: MergedAxis[] = [];
  shape.forEach((length, i) => {
    const map = maps[i];
    const step = size(shape.slice(i + 1));
    const before = axes.at(-1);
    if (!map && before && !before.map) {
      axes[axes.length - 1] = { length: before.length * length, made: before.made * length, step, map };
    } else if (map || length !== 1) axes.push({ length, made: map?.length ?? length, step, map });
  });
  return axes;
}

/** Tables behind each other, and where each begins. */
function laidOut(tables: readonly AxisMap[]): { values: Uint32Array; starts: number[] } {
  const starts: number[] = [];
  let length = 0;
  for (const table of tables) {
    starts.push(table ? length : NOWHERE);
    length += table?.length ?? 0;
  }
  const values = new Uint32Array(Math.max(length, 1));
  tables.forEach((table, i) => {
    if (table) values.set(table, starts[i]);
  });
  return { values, starts };
}

/** Axes that rows have in front of them. */
const OUTER = 5;
const outers = [0, 1, 2, 3, 4] as const;
type OuterParams<V> = { readonly [name in `${'length' | 'step' | 'start'}${(typeof outers)[number]}`]: V };

function outerParams(axes: readonly MergedAxis[], starts: readonly number[], per: number): OuterParams<number> {
  const params: Record<string, number> = {};
  for (const k of outers) {
    params[`length${k}`] = axes[k]?.made ?? 1;
    params[`step${k}`] = (axes[k]?.step ?? 0) / per;
    params[`start${k}`] = axes[k] ? (starts[k] as number) : NOWHERE;
  }
  return params as OuterParams<number>;
}

const outerTypes: OuterParams<'u32'> = {
  ...{ length0: 'u32', length1: 'u32', length2: 'u32', length3: 'u32', length4: 'u32' },
  ...{ step0: 'u32', step1: 'u32', step2: 'u32', step3: 'u32', step4: 'u32' },
  ...{ start0: 'u32', start1: 'u32', start2: 'u32', start3: 'u32', start4: 'u32' },
};

/** WGSL that takes a row apart, the last axis in front of it first: `each` has the place `at` along axis k. */
function takeApart(each: (k: number) => string): string {
  return /*#__PURE__*/ [4, 3, 2, 1, 0]
    .map(
      (k) => `  if (RANK > ${k}u) {
    let next = rest / params.length${k};
    let at = rest - next * params.length${k};
    rest = next;
    ${each(k)}
  }`,
    )
    .join('\n');
}

// Rows are the last axis of the result; the others are taken apart from the last on.
const mapKernel = (element: 'T' | 'vec4<T>' | 'u32') =>
  kernel({
    name: 'map-axes',
    bind: { x: `read ${element}`, places: 'read u32', y: `write ${element}` },
    params: { rows: 'u32', width: 'u32', value: 'u32', ...outerTypes, startRow: 'u32' },
    override: { ...rowOverrides, RANK: 0 },
    use: [rowPlace],
    grid: rowGrid,
    wgsl: `
const NOWHERE = ${NOWHERE}u;
fn placeOf(start: u32, i: u32) -> u32 {
  if (start == NOWHERE) { return i; }
  return places[start + i];
}
${eachRow(/* wgsl */ `
  var rest = row;
  var first = 0u;
  var inside = true;
${takeApart(
  (k) => `let found${k} = placeOf(params.start${k}, at);
    inside = inside && found${k} != NOWHERE;
    first += found${k} * params.step${k};`,
)}
  for (var col = place.start; col < place.end; col += THREADS) {
    var value = ${element}(${element === 'u32' ? 'params.value' : 'T(bitcast<f32>(params.value))'});
    let source = placeOf(params.startRow, col);
    if (inside && source != NOWHERE) { value = x[first + source]; }
    y[row * params.width + col] = value;
  }`)}`,
  });
const mapKernels = {
  T: /*#__PURE__*/ mapKernel('T'),
  'vec4<T>': /*#__PURE__*/ mapKernel('vec4<T>'),
  u32: /*#__PURE__*/ mapKernel('u32'),
};

// Rows are the last axis of dx. What an element sums is a product of lists, one an axis; most have one entry.
const sumKernel = /*#__PURE__*/ kernel({
  name: 'map-axes-backward',
  bind: { dy: 'read T', starts: 'read u32', order: 'read u32', dx: 'write T' },
  params: { rows: 'u32', width: 'u32', ...outerTypes, startRow: 'u32' },
  override: { ...rowOverrides, RANK: 0 },
  use: [rowPlace],
  grid: rowGrid,
  wgsl: `
const NOWHERE = ${NOWHERE}u;
// The first entry of the list of a place, and how many there are. Without a list the place itself is the one.
fn listOf(start: u32, i: u32) -> vec2u {
  if (start == NOWHERE) { return vec2u(i, 1u); }
  return vec2u(starts[start + i], starts[start + i + 1u] - starts[start + i]);
}
fn entry(start: u32, i: u32) -> u32 {
  if (start == NOWHERE) { return i; }
  return order[i];
}
${
  /*#__PURE__*/ eachRow(/* wgsl */ `
  var rest = row;
  var count = 1u;
${/*#__PURE__*/ outers.map((k) => `  var list${k} = vec2u(0u, 1u);`).join('\n')}
${
  /*#__PURE__*/ takeApart(
    (k) => `list${k} = listOf(params.start${k}, at);
    count *= list${k}.y;`,
  )
}
  for (var col = place.start; col < place.end; col += THREADS) {
    let own = listOf(params.startRow, col);
    var total = 0.0;
    ${
      /*#__PURE__*/ inRuns(
        { total: 'f32' },
        { counter: 'e', from: '0u', to: 'count * own.y', by: '1u' },
        `var left = e / own.y;
      var source = entry(params.startRow, own.x + e % own.y);
${
  /*#__PURE__*/ outers
    .map(
      (k) => `      if (RANK > ${k}u) {
        source += entry(params.start${k}, list${k}.x + left % list${k}.y) * params.step${k};
        left /= list${k}.y;
      }`,
    )
    .join('\n')
}
      total += f32(dy[source]);`,
        { loops: LOOPS_FOR_ALL },
      )
    }
    dx[row * params.width + col] = T(total);
  }`)
}`,
});
