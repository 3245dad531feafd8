// What attention to a cache of keys and values needs: rows that go into it, and which places of it a query sees.
import { ArgumentError, kernel } from '../../gpu/index.ts';
import { differentiable, dispatch, empty, emptyOn, over, type Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';

/**
 * Writes rows `x [B, G, N, D]` over those of a variable `[B, G, L, D]`, inside the body of a step: row n goes to place `(position + n) mod L`.
 * `position` is u32, one for all or `[B]`. The result is the variable with the new rows.
 */
export function writeCacheRows(cache: Tensor, x: Tensor, position: Tensor): Tensor {
  const [, groups = 0, rows = 0, width = 0] = x.shape;
  const each = Number(position.size > 1);
  const params = { count: x.size, groups, rows, width, length: cache.shape[2] as number, each };
  dispatch(cacheRows, { x, position, cache }, params);
  return differentiable(over(cache), [x], () => {
    throw new ArgumentError('KeyValueCache: gradients do not flow through a cache; train with all tokens at once');
  });
}

/**
 * Of `rows` queries whose first is at `position` (u32, one for all or `[B]`), behind {@link writeCacheRows} of as many keys: their
 * `positions [P, N]` and a `mask [P, 1, N, L]` of u32, with P = 1 or B. Query n sees the places that hold positions 0 … `position` + n.
 */
export function cachePlaces(position: Tensor, rows: number, length: number): { positions: Tensor; mask: Tensor } {
  if (position.dtype !== 'u32') {
    throw new ShapeError('KeyValueCache', `the position must be u32; it is ${position.dtype}`, {
      position: position.shape,
    });
  }
  const positions = empty(position, [position.size, rows]);
  const mask = emptyOn(position.device, [position.size, 1, rows, length], 'u32');
  dispatch(places, { position, positions, mask }, { count: mask.size, rows, length });
  return { positions, mask };
}

// A thread moves one element.
const cacheRows = /*#__PURE__*/ kernel({
  name: 'cache-rows',
  bind: { x: 'read T', position: 'read u32', cache: 'update T' },
  params: { count: 'u32', groups: 'u32', rows: 'u32', width: 'u32', length: 'u32', each: 'u32' },
  override: { WG: 64 },
  grid: ({ count }, { WG }) => [Math.ceil(count / WG)],
  wgsl: /* wgsl */ `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  if (i >= params.count) { return; }
  let row = i / params.width;
  let head = row / params.rows;
  let place = (position[head / params.groups * params.each] + row - head * params.rows) % params.length;
  cache[(head * params.length + place) * params.width + i - row * params.width] = x[i];
}`,
});

// A thread has one query and one place. Whoever has the first place writes the query's position too.
const places = /*#__PURE__*/ kernel({
  name: 'cache-places',
  bind: { position: 'read u32', positions: 'write u32', mask: 'write u32' },
  params: { count: 'u32', rows: 'u32', length: 'u32' },
  override: { WG: 64 },
  grid: ({ count }, { WG }) => [Math.ceil(count / WG)],
  wgsl: /* wgsl */ `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  if (i >= params.count) { return; }
  let query = i / params.length;
  let place = i - query * params.length;
  let image = query / params.rows;
  let n = query - image * params.rows;
  let last = position[image] + params.rows - 1u;
  // How long ago the place was written, in positions.
  let age = (last % params.length + params.length - place) % params.length;
  mask[i] = u32(age <= last && age >= params.rows - 1u - n);
  if (place == 0u) { positions[query] = position[image] + n; }
}`,
});

/** @throws ShapeError unless keys, values and position fit a cache, `[B, G, L, D]`. */
export function checkCache(cache: Tensor, k: Tensor, v: Tensor, position: Tensor): void {
  const shapes = { cache: cache.shape, k: k.shape, v: v.shape, position: position.shape };
  const [batch, groups, length = 0, width] = cache.shape;
  const [, , rows = 0] = k.shape;
  for (const x of [k, v]) {
    const isSame = x.shape.length === 4 && [batch, groups, rows, width].every((axis, i) => axis === x.shape[i]);
    if (!isSame) throw new ShapeError('KeyValueCache', 'k and v must be [B, G, N, D], the cache [B, G, L, D]', shapes);
    if (x.dtype !== cache.dtype) {
      throw new ShapeError(
        'KeyValueCache',
        `k and v must have the dtype of the cache (${x.dtype} and ${cache.dtype})`,
        shapes,
      );
    }
  }
  if (rows > length) throw new ShapeError('KeyValueCache', `${rows} rows do not fit into a cache of ${length}`, shapes);
  if (position.size !== 1 && position.size !== batch) {
    throw new ShapeError('KeyValueCache', 'the position must be one for all, or [B]', shapes);
  }
}
