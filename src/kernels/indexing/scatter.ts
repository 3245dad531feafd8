import { kernel } from '../../gpu/index.ts';
import { dispatch, empty, type Tensor } from '../../tensor/graph/index.ts';
import { normalizeAxis, ShapeError, size } from '../../tensor/values/index.ts';
import { checkTensors, commonType, groupById } from '../axis/index.ts';
import { equal } from '../comparison/index.ts';
import { add, cast, where } from '../elementwise/index.ts';
import { indicesOf, moveAxis, reshape, scatterAdd, takeRows } from '../layout/index.ts';

/**
 * Adds elements along an axis, each at an index of its own: `y[…, ids[…, k, …], …] = x[…] + src[…, k, …]`, summed where an index comes up
 * several times. PyTorch's `scatter_add`, the counterpart of {@link takeAlongAxis}. `src` and `ids` (u32 or i32) have one shape, that of `x` but
 * for the axis. Negative indices count from the end; an index that is not below the length of the axis is left out. The gradients are `dy` for `x`, and
 * `takeAlongAxis(dy, ids)` for `src`.
 *
 * ```ts
 * const x = tensor(device, [0, 0, 0, 1, 1, 1], [2, 3]);
 * const ids = tensor(device, [2, 2, 0, 1], [2, 2], 'u32');
 * await read(scatterAddAlongAxis(x, ids, tensor(device, [1, 2, 3, 4], [2, 2]))); // [0, 0, 3, 4, 5, 1]
 * ```
 *
 * @throws ShapeError when the shapes or dtypes do not fit, `x` and `src` are bool, or `ids` is neither u32 nor i32.
 */
export function scatterAddAlongAxis(x: Tensor, ids: Tensor, src: Tensor, axis = -1): Tensor {
  const { at, lines, rows, length, ids: words } = scattering('scatterAddAlongAxis', x, ids, src, axis);
  const [to, added] = meeting('scatterAddAlongAxis', x, src);
  const sums = scatterAdd(rows(added), rows(words), length);
  return add(to, moveAxis(reshape(sums, lines), -1, at));
}

/**
 * Puts elements along an axis, each at an index of its own: `y[…, ids[…, k, …], …] = src[…, k, …]`, and `x` where no index points. NumPy's
 * `put_along_axis`, PyTorch's `scatter`. Where an index comes up several times, the last one counts. Shapes as in
 * {@link scatterAddAlongAxis}. Gradients go to what is in the result.
 *
 * ```ts
 * const ids = tensor(device, [2, 0], [2], 'u32');
 * await read(scatterAlongAxis(tensor(device, [1, 2, 3]), ids, tensor(device, [8, 9]))); // [9, 2, 8]
 * ```
 *
 * @throws ShapeError when the shapes do not fit, or `ids` is neither u32 nor i32.
 */
export function scatterAlongAxis(x: Tensor, ids: Tensor, src: Tensor, axis = -1): Tensor {
  const { at, lines, rows, length, ids: words } = scattering('scatterAlongAxis', x, ids, src, axis);
  const places = rows(words);
  const count = places.shape[0] as number;
  const sources = empty(words, [count, length]);
  const given = places.shape[1] as number;
  dispatch(lastSources, { ...groupById(places, length), sources }, { n: sources.size, count: length, given });
  const put = takeRows(rows(src), sources);
  const back = (y: Tensor) => moveAxis(reshape(y, lines), -1, at);
  return where(equal(back(sources), 0xffffffff), x, back(put));
}

/**
 * Adds slices of `src` to those of `x` that a list of indices names: `y[…, ids[k], …] = x[…] + src[…, k, …]`, summed where an index comes
 * up several times. PyTorch's `index_add`, the counterpart of {@link take}. `ids` is u32 or i32 `[K]`, `src` has the shape of `x` but for the axis,
 * which is K. Dtypes as in {@link scatterAddAlongAxis}. An index that is not below the length of the axis is left out. The gradients are `dy` for `x`, and `take(dy, ids, axis)` for
 * `src`.
 *
 * ```ts
 * const ids = tensor(device, [1, 1], [2], 'u32');
 * await read(indexAdd(tensor(device, [1, 2, 3]), ids, tensor(device, [10, 20]))); // [1, 32, 3]
 * ```
 *
 * @throws ShapeError when the shapes or dtypes do not fit, `x` and `src` are bool, or `ids` is neither u32 nor i32.
 */
export function indexAdd(x: Tensor, ids: Tensor, src: Tensor, axis = 0): Tensor {
  checkTensors('indexAdd', { x, ids, src });
  const at = normalizeAxis('indexAdd', axis, x.shape);
  const shapes = { x: x.shape, ids: ids.shape, src: src.shape };
  const words = indicesOf('indexAdd', ids, shapes, x.shape[at]);
  if (ids.shape.length !== 1 || !fits(x, src, at) || src.shape[at] !== ids.size) {
    throw new ShapeError('indexAdd', `ids must be [K], and src have the shape of x but for axis ${at}: K`, shapes);
  }
  const [to, added] = meeting('indexAdd', x, src);
  const slices = moveAxis(added, at, 0);
  const rest = slices.shape.slice(1);
  const length = x.shape[at] as number;
  const sums = scatterAdd(reshape(slices, [1, ids.size, ...rest]), reshape(words, [1, ids.size]), length);
  return add(to, moveAxis(reshape(sums, [length, ...rest]), 0, at));
}

/** What sums are added to, and what is summed, in one dtype. */
function meeting(op: string, x: Tensor, src: Tensor): readonly [x: Tensor, src: Tensor] {
  const dtype = commonType(op, { x, src }, (one) => one !== 'bool');
  return [cast(x, dtype), cast(src, dtype)];
}

/** What both scatters see: the axis last, all others as rows. `lines` is the shape of the result with the axis last. */
function scattering(op: string, x: Tensor, ids: Tensor, src: Tensor, axis: number) {
  checkTensors(op, { x, ids, src });
  const at = normalizeAxis(op, axis, x.shape);
  const shapes = { x: x.shape, ids: ids.shape, src: src.shape };
  const words = indicesOf(op, ids, shapes, x.shape[at]);
  if (!fits(x, ids, at) || !fits(x, src, at) || ids.shape[at] !== src.shape[at]) {
    throw new ShapeError(op, `ids and src must have one shape, that of x but for axis ${at}`, shapes);
  }
  const others = x.shape.filter((_, i) => i !== at);
  const length = x.shape[at] as number;
  const rows = (t: Tensor) => reshape(moveAxis(t, at, -1), [size(others), t.shape[at] as number]);
  return { at, lines: [...others, length], rows, length, ids: words };
}

/** Whether a tensor has the shape of `x` but for one axis. */
function fits(x: Tensor, { shape }: Tensor, at: number): boolean {
  return shape.length === x.shape.length && x.shape.every((one, i) => i === at || one === shape[i]);
}

// The last source of each destination, of those that groupById has listed for it; 2³² − 1 for none.
const lastSources = /*#__PURE__*/ kernel({
  name: 'last-sources',
  bind: { order: 'read u32', starts: 'read u32', sources: 'write u32' },
  params: { n: 'u32', count: 'u32', given: 'u32' },
  override: { WG: 64 },
  grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
  wgsl: /* wgsl */ `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  if (i >= params.n) { return; }
  let row = i / params.count;
  // There is one start more than there are destinations in each row.
  let end = starts[i + row + 1u];
  sources[i] = 0xffffffffu;
  if (end > starts[i + row]) { sources[i] = order[row * params.given + end - 1u]; }
}`,
});
