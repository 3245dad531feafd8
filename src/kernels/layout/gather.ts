import { kernel } from '../../gpu/index.ts';
import { differentiableLinear, dispatch, empty, type Tensor } from '../../tensor/graph/index.ts';
import { aroundAxis, isFloat, normalizeAxis, type Shape, ShapeError, shown, size } from '../../tensor/values/index.ts';
import {
  checkTensors,
  eachRow,
  groupById,
  inRuns,
  LOOPS_FOR_ALL,
  rowConstants,
  rowGrid,
  rowOverrides,
  rowPlace,
} from '../axis/index.ts';
import { moveAxis } from './axes.ts';
import { indicesOf } from './indices.ts';
import { reshape } from './layout.ts';

/**
 * Rows by index, per batch element: `y[b, k] = x[b, ids[b, k]]`, `x [B, N, …]`, `ids [B, K]` (u32, or i32, where negative ones count from the
 * end) → `[B, K, …]`. An index may come up any number of times; one that is not below N gives zeros, and gets no gradient. The gradient is
 * `scatterAdd(dy, ids, N)`. For rows kept by a mask, `keepRows` has a cheaper one.
 *
 * ```ts
 * const x = tensor(device, [1, 2, 3, 4, 5, 6], [1, 3, 2]);
 * await read(takeRows(x, tensor(device, new Uint32Array([2, 0]), [1, 2]))); // [5, 6, 1, 2]
 * ```
 *
 * @throws ShapeError unless `ids` is u32 or i32 `[B, K]` with the B of `x`.
 */
export function takeRows(x: Tensor, ids: Tensor): Tensor {
  checkTensors('takeRows', { x, ids });
  const [batch, count, ...rest] = x.shape;
  if (batch === undefined || count === undefined) {
    throw new ShapeError('takeRows', 'x must be [B, N, …]', { x: x.shape, ids: ids.shape });
  }
  const at = checkIds('takeRows', ids, { x: x.shape, ids: ids.shape }, batch, count);
  return takenRows(x, at, [...ids.shape, ...rest]);
}

/**
 * Adds rows up by index, per batch element: `y[b, n] = Σ src[b, k]` over all k with `ids[b, k] = n`; `src [B, K, …]`,
 * `ids [B, K]` (u32 or i32, as in {@link takeRows}) → `[B, size, …]`. Rows that no index names are zero, an index that is not below `size` is left out.
 * Of floats, summed in f32, i32 or u32, which wrap around. Without atomics: rows are added in their order, so the same inputs give the same bits. The gradient is `takeRows(dy, ids)`.
 *
 * ```ts
 * const ids = tensor(device, new Uint32Array([1, 1, 3]), [1, 3]);
 * await read(scatterAdd(tensor(device, [1, 2, 3], [1, 3]), ids, 4)); // [0, 3, 0, 3]
 * ```
 *
 * @throws ShapeError unless `ids` is u32 or i32 `[B, K]` and `src` starts with the same axes, and is not bool.
 */
export function scatterAdd(src: Tensor, ids: Tensor, size: number): Tensor {
  checkTensors('scatterAdd', { src, ids });
  if (src.dtype === 'bool')
    throw new ShapeError('scatterAdd', "bool has no sums: cast(src, 'i32')", { src: src.shape });
  const at = checkIds('scatterAdd', ids, { src: src.shape, ids: ids.shape }, src.shape[0], size);
  if (!Number.isInteger(size) || size < 0) {
    throw new ShapeError('scatterAdd', `${shown(size)} is no number of rows`, { src: src.shape, ids: ids.shape });
  }
  if (src.shape[1] !== ids.shape[1]) {
    throw new ShapeError('scatterAdd', 'src must have a row for each id', { src: src.shape, ids: ids.shape });
  }
  return differentiableLinear(
    src,
    (t) => scattered(t, at, size),
    (dy) => rowsAt(dy, at, src.shape),
  );
}

/**
 * Rows of a table: `y[…] = table[ids[…]]`, `table [V, D]`, `ids […]` (u32 or i32) → `[…, D]`. An id that is not below V, or is below 0, gives zeros.
 * In the gradient `[V, D]`, what belongs to the same id adds up, in the order of `ids`.
 *
 * ```ts
 * const table = tensor(device, [0, 0, 1, 1, 2, 2], [3, 2]);
 * await read(embedding(table, tensor(device, new Uint32Array([2, 1])))); // [2, 2, 1, 1]
 * ```
 *
 * @throws ShapeError unless `table` is `[V, D]` and `ids` is u32 or i32.
 */
export function embedding(table: Tensor, ids: Tensor): Tensor {
  checkTensors('embedding', { table, ids });
  const shapes = { table: table.shape, ids: ids.shape };
  const [count, width] = table.shape;
  if (count === undefined || width === undefined || table.shape.length !== 2) {
    throw new ShapeError('embedding', 'the table must be [V, D]', shapes);
  }
  return taken(table, indicesOf('embedding', ids, shapes), 0);
}

/**
 * Elements of an axis by index, the same for all other axes: `y[…, k…, …] = x[…, ids[k…], …]`, with the axes of `ids` (u32 or i32, any shape) in
 * the place of the axis. NumPy's `take`, PyTorch's `index_select`. Negative indices count from the end; an index that is not below the length of the axis gives zeros, and
 * gets no gradient; in the gradient, what was taken several times adds up, in the order of `ids`. Of any dtype.
 *
 * ```ts
 * const x = tensor(device, [1, 2, 3, 4, 5, 6], [2, 3]);
 * await read(take(x, tensor(device, new Uint32Array([2, 0])), 1)); // [3, 1, 6, 4]
 * ```
 *
 * @throws ShapeError unless `ids` is u32 or i32.
 */
export function take(x: Tensor, ids: Tensor, axis = 0): Tensor {
  checkTensors('take', { x, ids });
  const at = normalizeAxis('take', axis, x.shape);
  return taken(x, indicesOf('take', ids, { x: x.shape, ids: ids.shape }, x.shape[at]), at);
}

/**
 * Elements of an axis by an index of their own for every place: `y[…, k, …] = x[…, ids[…, k, …], …]`; `ids` (u32 or i32) has the shape of
 * x but for that axis. NumPy's `take_along_axis`, PyTorch's `gather`: what applies the order that `argsort` finds. Negative indices count from the end; an index that is not
 * below the length of the axis gives zeros, and gets no gradient. Of any dtype.
 *
 * ```ts
 * const x = tensor(device, [3, 1, 2, 4, 6, 5], [2, 3]);
 * await read(takeAlongAxis(x, argsort(x))); // [1, 2, 3, 4, 5, 6]
 * ```
 *
 * @throws ShapeError unless `ids` is u32 or i32 and has the shape of x but for the axis.
 */
export function takeAlongAxis(x: Tensor, ids: Tensor, axis = -1): Tensor {
  checkTensors('takeAlongAxis', { x, ids });
  const at = normalizeAxis('takeAlongAxis', axis, x.shape);
  const shapes = { x: x.shape, ids: ids.shape };
  const words = indicesOf('takeAlongAxis', ids, shapes, x.shape[at]);
  if (ids.shape.length !== x.shape.length || !x.shape.every((one, i) => i === at || one === ids.shape[i])) {
    throw new ShapeError('takeAlongAxis', `ids must have the shape of x, but for axis ${at}`, shapes);
  }
  const [lines, places] = [moveAxis(x, at, -1), moveAxis(words, at, -1)];
  const rows = size(lines.shape.slice(0, -1));
  const y = takeRows(reshape(lines, [rows, x.shape[at] as number]), reshape(places, [rows, ids.shape[at] as number]));
  return moveAxis(reshape(y, places.shape), -1, at);
}

function taken(x: Tensor, ids: Tensor, axis: number): Tensor {
  const { outer, length, inner } = aroundAxis(x.shape, axis);
  const flat = reshape(ids, [1, ids.size]);
  const y = takenRows(reshape(x, [outer, length, inner]), flat, [outer, ids.size, inner]);
  return reshape(y, [...x.shape.slice(0, axis), ...ids.shape, ...x.shape.slice(axis + 1)]);
}

function takenRows(x: Tensor, ids: Tensor, shape: Shape): Tensor {
  return differentiableLinear(
    x,
    (t) => rowsAt(t, ids, shape),
    (dy) => scattered(dy, ids, x.shape[1] as number),
  );
}

function rowsAt(x: Tensor, ids: Tensor, shape: Shape): Tensor {
  const y = empty(x, shape);
  takeInto(x, ids, y);
  return y;
}

function checkIds(
  op: string,
  ids: Tensor,
  shapes: Record<string, readonly number[]>,
  batch: number | undefined,
  length: number,
): Tensor {
  if (ids.shape.length !== 2 || ids.shape[0] !== batch) {
    throw new ShapeError(op, 'ids must be [B, K], with the first axis of the rows', shapes);
  }
  return indicesOf(op, ids, shapes, length);
}

/** @internal Writes `y[b, k] = x[b, ids[b, k]]`, zeros where there is no such row. One row of ids may be for all b. */
export function takeInto(x: Tensor, ids: Tensor, y: Tensor): void {
  const units = unitsOf(size(y.shape.slice(2)));
  const { element, width } = isFloat(x.dtype) ? units : { element: 'u32' as const, width: size(y.shape.slice(2)) };
  const [batch, given] = y.shape as readonly [number, number];
  const rows = { rows: batch * given, width };
  const counts = { count: x.shape[1] as number, taken: given };
  dispatch(gather[element], { x, ids, y }, { ...rows, ...counts }, constantsOf(y, ids, rows));
}

function scattered(src: Tensor, ids: Tensor, count: number): Tensor {
  const rest = src.shape.slice(2);
  const y = empty(src, [src.shape[0] as number, count, ...rest]);
  if (y.size === 0) return y;
  const { order, starts } = groupById(ids, count);
  const { element, width } = isFloat(src.dtype) ? unitsOf(size(rest)) : { element: 'u32' as const, width: size(rest) };
  const rows = { rows: (src.shape[0] as number) * count, width };
  const counts = { count, given: ids.shape[1] as number };
  dispatch(addUp[element], { src, order, starts, y }, { ...rows, ...counts }, constantsOf(y, ids, rows));
  return y;
}

function constantsOf(y: Tensor, ids: Tensor, rows: { rows: number; width: number }) {
  return { ...rowConstants(y.device, rows), SHARED: Number(ids.shape[0] !== y.shape[0]) };
}

/** Rows whose length is a multiple of 4 are moved as vec4s. */
function unitsOf(width: number): { element: 'T' | 'vec4<T>'; width: number } {
  return width % 4 === 0 ? { element: 'vec4<T>', width: width / 4 } : { element: 'T', width };
}

const gatherKernel = (element: 'T' | 'vec4<T>' | 'u32') =>
  kernel({
    name: 'take-rows',
    bind: { x: `read ${element}`, ids: 'read u32', y: `write ${element}` },
    params: { rows: 'u32', width: 'u32', count: 'u32', taken: 'u32' },
    override: { ...rowOverrides, SHARED: 0 },
    use: [rowPlace],
    grid: rowGrid,
    wgsl: eachRow(/* wgsl */ `
  let batch = row / params.taken;
  let id = ids[row - select(0u, batch * params.taken, SHARED == 1u)];
  if (id >= params.count) {
    for (var col = place.start; col < place.end; col += THREADS) { y[row * params.width + col] = ${element}(); }
    return;
  }
  let first = (batch * params.count + id) * params.width;
  for (var col = place.start; col < place.end; col += THREADS) { y[row * params.width + col] = x[first + col]; }`),
  });

const gather = {
  T: /*#__PURE__*/ gatherKernel('T'),
  'vec4<T>': /*#__PURE__*/ gatherKernel('vec4<T>'),
  u32: /*#__PURE__*/ gatherKernel('u32'),
};

// A row adds up the rows that groupById found for it.
const addUpKernel = (element: 'T' | 'vec4<T>' | 'u32', sum: 'f32' | 'vec4f' | 'u32') =>
  kernel({
    name: 'add-up-rows',
    bind: { src: `read ${element}`, order: 'read u32', starts: 'read u32', y: `write ${element}` },
    params: { rows: 'u32', width: 'u32', count: 'u32', given: 'u32' },
    override: { ...rowOverrides, SHARED: 0 },
    use: [rowPlace],
    grid: rowGrid,
    wgsl: eachRow(/* wgsl */ `
  let batch = row / params.count;
  let first = batch * params.given;
  // There is one start more than there are rows in each batch element.
  let list = select(row + batch, row - batch * params.count, SHARED == 1u);
  let start = starts[list];
  let end = starts[list + 1];
  let ordered = select(first, 0u, SHARED == 1u);
  for (var col = place.start; col < place.end; col += THREADS) {
    var total = ${sum}();
    ${inRuns(
      { total: sum },
      { counter: 'k', from: 'start', to: 'end', by: '1u' },
      `total += ${sum}(src[(first + order[ordered + k]) * params.width + col]);`,
      { loops: LOOPS_FOR_ALL },
    )}
    y[row * params.width + col] = ${element}(total);
  }`),
  });
const addUp = {
  T: /*#__PURE__*/ addUpKernel('T', 'f32'),
  'vec4<T>': /*#__PURE__*/ addUpKernel('vec4<T>', 'vec4f'),
  // Whole numbers wrap around alike, with a sign or without.
  u32: /*#__PURE__*/ addUpKernel('u32', 'u32'),
};
