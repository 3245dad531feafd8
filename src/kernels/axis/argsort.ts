import { kernel, type Piece } from '../../gpu/index.ts';
import { checkOptions, checkTensors, dispatch, empty, type Tensor } from '../../tensor/graph/index.ts';
import { isFloat, type Shape, ShapeError, size } from '../../tensor/values/index.ts';

export interface SortOptions {
  /** The largest first; NaN, which counts as the largest, before all. Default: false. */
  readonly descending?: boolean;
}

/**
 * Indices (u32) that sort the last axis in ascending order: `x[y[0]] ≤ x[y[1]] ≤ …`. Stable: equal elements keep their
 * order, and −0 equals 0. NaN comes last; in descending order it comes first; false comes before true. `[…, N]` → `[…, N]`, of any dtype.
 * It has no gradient.
 *
 * ```ts
 * await readU32(argsort(tensor(device, [0.3, 0.1, 0.2]))); // [1, 2, 0]
 * ```
 *
 * @throws ShapeError for a scalar.
 */
export function argsort(x: Tensor, options: SortOptions = {}): Tensor {
  checkTensors('argsort', { x });
  checkOptions('argsort', options, ['descending']);
  const cols = x.shape.at(-1);
  if (cols === undefined) throw new ShapeError('argsort', 'a scalar has no axis to sort along', { x: x.shape });
  const rows = x.size / Math.max(cols, 1);
  const y = empty(x, x.shape, 'u32');
  if (y.size === 0) return y;

  const kernels = isFloat(x.dtype) ? ofFloat : x.dtype === 'i32' ? ofI32 : ofU32;
  const constants = { DESCENDING: Number(options.descending ?? false) };
  dispatch(kernels.blocks, { x, y }, { rows, cols, block: Math.min(BLOCK, cols) }, constants);
  let sorted = y;
  for (let run = BLOCK; run < cols; run *= 2) {
    const merged = empty(y);
    dispatch(kernels.merge, { x, sorted, merged }, { n: y.size, cols, run }, constants);
    sorted = merged;
  }
  return sorted;
}

/**
 * Where each destination finds its sources. `order` lists the sources of each row by ascending id, `starts` where those of
 * each destination begin in it: destination `d` has `order[starts[d]] … order[starts[d + 1] - 1]`, in their own order.
 * `ids [B, K]` → `order [B, K]`, `starts [B, count + 1]`. Ids from `count` on belong to nobody.
 */
export function groupById(ids: Tensor, count: number): { order: Tensor; starts: Tensor } {
  const [rows, cols] = ids.shape as readonly [number, number];
  const order = argsort(ids);
  const shape: Shape = [rows, count + 1];
  const starts = empty(ids, shape);
  dispatch(lowerBounds, { ids, order, starts }, { n: size(shape), cols, count });
  return { order, starts };
}

/**
 * Up to this length, an element's place is found by counting the smaller ones: N² comparisons, but side by side, in one
 * launch with hardly a barrier. Longer rows are sorted in blocks of it and merged.
 */
const BLOCK = 256;

/** `orderKey(i)`: element i of `x` as a u32 of the same order. `sortKey(i)`: one by which smaller ones come first. */
const floatKey: Piece = {
  name: 'floatKey',
  wgsl: `
fn orderKey(i: u32) -> u32 {
  let bits = bitcast<u32>(f32(x[i]));
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) { return 0xffffffffu; }
  if (magnitude == 0u) { return 0x80000000u; }
  return bits ^ select(0x80000000u, 0xffffffffu, bits > magnitude);
}`,
};
const i32Key: Piece = {
  name: 'i32Key',
  wgsl: 'fn orderKey(i: u32) -> u32 { return bitcast<u32>(x[i]) ^ 0x80000000u; }',
};
const u32Key: Piece = { name: 'u32Key', wgsl: 'fn orderKey(i: u32) -> u32 { return x[i]; }' };

const sortKey = 'fn sortKey(i: u32) -> u32 { return select(orderKey(i), ~orderKey(i), DESCENDING == 1u); }';

const sorters = (element: 'T' | 'i32' | 'u32', key: Piece) => ({
  // An invocation takes one element of a block and counts those that come before it, a tile of the block at a time.
  blocks: kernel({
    name: 'argsort',
    bind: { x: `read ${element}`, y: 'write u32' },
    params: { rows: 'u32', cols: 'u32', block: 'u32' },
    override: { WG: 64, DESCENDING: 0 },
    use: [key],
    grid: ({ rows, cols, block }, { WG }) => [rows * Math.ceil(cols / block) * Math.ceil(block / WG)],
    wgsl: /* wgsl */ `
${sortKey}
var<workgroup> keys: array<vec4u, WG / 4>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let tiles = (params.block + WG - 1) / WG;
  let blocks = (params.cols + params.block - 1) / params.block;
  let tile = flatGroup(g, size);
  // A wrapped grid may have some workgroups too many.
  let row = tile / (tiles * blocks);
  if (row >= params.rows) { return; }
  let block = tile / tiles % blocks;
  let first = row * params.cols + block * params.block;
  let length = min(params.block, params.cols - block * params.block);

  let i = tile % tiles * WG + l;
  let own = sortKey(first + min(i, length - 1));
  var ranks = vec4u();
  for (var start = 0u; start < length; start += WG) {
    workgroupBarrier();
    // Beyond the end lies the last key, at places where it counts for nothing.
    if (l < WG / 4) {
      let at = min(vec4u(start + 4 * l) + vec4u(0, 1, 2, 3), vec4u(length - 1)) + first;
      keys[l] = vec4u(sortKey(at.x), sortKey(at.y), sortKey(at.z), sortKey(at.w));
    }
    workgroupBarrier();
    // Of equal keys those at lower places come first.
    for (var j = 0u; j < min(WG, length - start); j += 4u) {
      let others = keys[j / 4u];
      let places = vec4u(start + j) + vec4u(0u, 1u, 2u, 3u);
      let isBefore = (others < vec4u(own)) | ((others == vec4u(own)) & (places < vec4u(i)));
      ranks += vec4u(isBefore & (places < vec4u(length)));
    }
  }
  let rank = (ranks.x + ranks.y) + (ranks.z + ranks.w);
  if (i < length) { y[first + rank] = block * params.block + i; }
}`,
  }),

  // Runs of sorted indices are merged in pairs: an invocation finds by bisection how many of the other run come first.
  merge: kernel({
    name: 'argsort-merge',
    bind: { x: `read ${element}`, sorted: 'read u32', merged: 'write u32' },
    params: { n: 'u32', cols: 'u32', run: 'u32' },
    override: { WG: 64, DESCENDING: 0 },
    use: [key],
    grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
    wgsl: /* wgsl */ `
${sortKey}
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  if (i >= params.n) { return; }
  let row = i / params.cols * params.cols;
  let at = i - row;
  let run = at / params.run;
  let own = sorted[i];
  let key = sortKey(row + own);
  let isSecond = run % 2 == 1;
  let otherStart = min(select(run + 1, run - 1, isSecond) * params.run, params.cols);
  var low = otherStart;
  var high = min(otherStart + params.run, params.cols);
  while (low < high) {
    let middle = (low + high) / 2;
    let other = sortKey(row + sorted[row + middle]);
    // Of equal elements, those of the first run come first.
    if (other < key || (isSecond && other == key)) { low = middle + 1; } else { high = middle; }
  }
  let pair = run / 2 * 2 * params.run;
  merged[row + pair + at - run * params.run + low - otherStart] = own;
}`,
  }),
});
const ofFloat = /*#__PURE__*/ sorters('T', floatKey);
const ofI32 = /*#__PURE__*/ sorters('i32', i32Key);
const ofU32 = /*#__PURE__*/ sorters('u32', u32Key);

// An invocation finds by bisection how many ids of its row are smaller than its destination.
const lowerBounds = /*#__PURE__*/ kernel({
  name: 'group-by-id',
  bind: { ids: 'read u32', order: 'read u32', starts: 'write u32' },
  params: { n: 'u32', cols: 'u32', count: 'u32' },
  override: { WG: 64 },
  grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
  wgsl: /* wgsl */ `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  if (i >= params.n) { return; }
  let row = i / (params.count + 1) * params.cols;
  let id = i % (params.count + 1);
  var low = 0u;
  var high = params.cols;
  while (low < high) {
    let middle = (low + high) / 2;
    if (ids[row + order[row + middle]] < id) { low = middle + 1; } else { high = middle; }
  }
  starts[i] = low;
}`,
});
