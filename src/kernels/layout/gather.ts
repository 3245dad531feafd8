import { kernel } from '../../gpu/index.ts';
import { differentiable, dispatch, empty, type Tensor } from '../../tensor/graph/index.ts';
import { ShapeError, size } from '../../tensor/values/index.ts';
import {
  eachRow,
  groupById,
  inRuns,
  LOOPS_FOR_ALL,
  rowConstants,
  rowGrid,
  rowOverrides,
  rowPlace,
} from '../axis/index.ts';
import { reshape } from './layout.ts';

/**
 * Rows by index, per batch element: `y[b, k] = x[b, ids[b, k]]`, `x [B, N, …]`, `ids [B, K]` (u32) → `[B, K, …]`. An index
 * may come up any number of times; one that is not below N gives zeros, and gets no gradient. The gradient is
 * `scatterAdd(dy, ids, N)`. For rows kept by a mask, `keepRows` has a cheaper one.
 *
 * ```ts
 * const x = tensor(device, [1, 2, 3, 4, 5, 6], [1, 3, 2]);
 * await read(takeRows(x, tensor(device, new Uint32Array([2, 0]), [1, 2]))); // [5, 6, 1, 2]
 * ```
 *
 * @throws ShapeError unless `ids` is u32 `[B, K]` with the B of `x`.
 */
export function takeRows(x: Tensor, ids: Tensor): Tensor {
  const [batch, count, ...rest] = x.shape;
  if (batch === undefined || count === undefined) {
    throw new ShapeError('takeRows', 'x must be [B, N, …]', { x: x.shape, ids: ids.shape });
  }
  checkIds('takeRows', ids, { x: x.shape, ids: ids.shape }, batch);
  const y = empty(x, [...ids.shape, ...rest]);
  take(x, ids, y);
  return differentiable(y, [x], (dy) => [scattered(dy, ids, count)]);
}

/**
 * Adds rows up by index, per batch element: `y[b, n] = Σ src[b, k]` over all k with `ids[b, k] = n`; `src [B, K, …]`,
 * `ids [B, K]` (u32) → `[B, size, …]`. Rows that no index names are zero, an index that is not below `size` is left out.
 * Without atomics: rows are added in their order, so the same inputs give the same bits. The gradient is `takeRows(dy, ids)`.
 *
 * ```ts
 * const ids = tensor(device, new Uint32Array([1, 1, 3]), [1, 3]);
 * await read(scatterAdd(tensor(device, [1, 2, 3], [1, 3]), ids, 4)); // [0, 3, 0, 3]
 * ```
 *
 * @throws ShapeError unless `ids` is u32 `[B, K]` and `src` starts with the same axes.
 */
export function scatterAdd(src: Tensor, ids: Tensor, size: number): Tensor {
  checkIds('scatterAdd', ids, { src: src.shape, ids: ids.shape }, src.shape[0]);
  if (!Number.isInteger(size) || size < 0) {
    throw new ShapeError('scatterAdd', `${size} is no number of rows`, { src: src.shape, ids: ids.shape });
  }
  if (src.shape[1] !== ids.shape[1]) {
    throw new ShapeError('scatterAdd', 'src must have a row for each id', { src: src.shape, ids: ids.shape });
  }
  const y = scattered(src, ids, size);
  return differentiable(y, [src], (dy) => {
    const dsrc = empty(src);
    take(dy, ids, dsrc);
    return [dsrc];
  });
}

/**
 * Rows of a table: `y[…] = table[ids[…]]`, `table [V, D]`, `ids […]` (u32) → `[…, D]`. An id that is not below V gives zeros.
 * In the gradient `[V, D]`, what belongs to the same id adds up, in the order of `ids`.
 *
 * ```ts
 * const table = tensor(device, [0, 0, 1, 1, 2, 2], [3, 2]);
 * await read(embedding(table, tensor(device, new Uint32Array([2, 1])))); // [2, 2, 1, 1]
 * ```
 *
 * @throws ShapeError unless `table` is `[V, D]` and `ids` is u32.
 */
export function embedding(table: Tensor, ids: Tensor): Tensor {
  const shapes = { table: table.shape, ids: ids.shape };
  const [count, width] = table.shape;
  if (count === undefined || width === undefined || table.shape.length !== 2) {
    throw new ShapeError('embedding', 'the table must be [V, D]', shapes);
  }
  if (ids.dtype !== 'u32') throw new ShapeError('embedding', `ids must be u32, not ${ids.dtype}`, shapes);
  const y = empty(table, [...ids.shape, width]);
  const flat = reshape(ids, [1, ids.size]);
  take(reshape(table, [1, count, width]), flat, reshape(y, [1, ids.size, width]));
  return differentiable(y, [table], (dy) => [
    reshape(scattered(reshape(dy, [1, ids.size, width]), flat, count), table.shape),
  ]);
}

function checkIds(op: string, ids: Tensor, shapes: Record<string, readonly number[]>, batch: number | undefined): void {
  if (ids.dtype !== 'u32') throw new ShapeError(op, `ids must be u32, not ${ids.dtype}`, shapes);
  if (ids.shape.length !== 2 || ids.shape[0] !== batch) {
    throw new ShapeError(op, 'ids must be [B, K], with the first axis of the rows', shapes);
  }
}

/** @internal Writes `y[b, k] = x[b, ids[b, k]]`, zeros where there is no such row. */
export function take(x: Tensor, ids: Tensor, y: Tensor): void {
  const { element, width } = unitsOf(size(y.shape.slice(2)));
  const rows = { rows: ids.size, width };
  const counts = { count: x.shape[1] as number, taken: ids.shape[1] as number };
  dispatch(gather[element], { x, ids, y }, { ...rows, ...counts }, rowConstants(y.device, rows));
}

function scattered(src: Tensor, ids: Tensor, count: number): Tensor {
  const rest = src.shape.slice(2);
  const y = empty(src, [src.shape[0] as number, count, ...rest]);
  if (y.size === 0) return y;
  const { order, starts } = groupById(ids, count);
  const { element, width } = unitsOf(size(rest));
  const rows = { rows: (src.shape[0] as number) * count, width };
  dispatch(
    addUp[element],
    { src, order, starts, y },
    { ...rows, count, given: ids.shape[1] as number },
    rowConstants(y.device, rows),
  );
  return y;
}

/** Rows whose length is a multiple of 4 are moved as vec4s. */
function unitsOf(width: number): { element: 'T' | 'vec4<T>'; width: number } {
  return width % 4 === 0 ? { element: 'vec4<T>', width: width / 4 } : { element: 'T', width };
}

const gatherKernel = (element: 'T' | 'vec4<T>') =>
  kernel({
    name: 'take-rows',
    bind: { x: `read ${element}`, ids: 'read u32', y: `write ${element}` },
    params: { rows: 'u32', width: 'u32', count: 'u32', taken: 'u32' },
    override: rowOverrides,
    use: [rowPlace],
    grid: rowGrid,
    wgsl: eachRow(/* wgsl */ `
  let id = ids[row];
  if (id >= params.count) {
    for (var col = place.start; col < place.end; col += THREADS) { y[row * params.width + col] = ${element}(); }
    return;
  }
  let first = (row / params.taken * params.count + id) * params.width;
  for (var col = place.start; col < place.end; col += THREADS) { y[row * params.width + col] = x[first + col]; }`),
  });

const gather = { T: /*#__PURE__*/ gatherKernel('T'), 'vec4<T>': /*#__PURE__*/ gatherKernel('vec4<T>') };

// A row adds up the rows that groupById found for it.
const addUpKernel = (element: 'T' | 'vec4<T>', sum: 'f32' | 'vec4f') =>
  kernel({
    name: 'add-up-rows',
    bind: { src: `read ${element}`, order: 'read u32', starts: 'read u32', y: `write ${element}` },
    params: { rows: 'u32', width: 'u32', count: 'u32', given: 'u32' },
    override: rowOverrides,
    use: [rowPlace],
    grid: rowGrid,
    wgsl: eachRow(/* wgsl */ `
  let batch = row / params.count;
  let first = batch * params.given;
  // There is one start more than there are rows in each batch element.
  let start = starts[row + batch];
  let end = starts[row + batch + 1];
  for (var col = place.start; col < place.end; col += THREADS) {
    var total = ${sum}();
    ${inRuns(
      { total: sum },
      { counter: 'k', from: 'start', to: 'end', by: '1u' },
      `total += ${sum}(src[(first + order[first + k]) * params.width + col]);`,
      { loops: LOOPS_FOR_ALL },
    )}
    y[row * params.width + col] = ${element}(total);
  }`),
  });
const addUp = { T: /*#__PURE__*/ addUpKernel('T', 'f32'), 'vec4<T>': /*#__PURE__*/ addUpKernel('vec4<T>', 'vec4f') };
