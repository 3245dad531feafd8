import { kernel } from '../../gpu/index.ts';
import { dispatch, fill, type Tensor } from '../../tensor/graph/index.ts';
import { checkShape, isFloat, ShapeError } from '../../tensor/values/index.ts';
import { checkNumber, checkOptions, checkTensors, max, min } from '../axis/index.ts';
import { equal, greaterEqual, lessEqual, logicalAnd } from '../comparison/index.ts';
import { add, cast, div, minimum, mul, sub, where } from '../elementwise/index.ts';
import { arange, indicesOf, reshape, scatterAdd } from '../layout/index.ts';

/**
 * How often each of the numbers 0 to `length - 1` is among `ids` (u32 or i32, of any shape): u32 `[length]`; other numbers are left out. With
 * `weights` of the shape of the ids it is their sum instead, f32 or f16, whose gradient is `take(dy, ids)`. NumPy's and PyTorch's, but for the
 * length, which is given: a step knows its shapes.
 *
 * ```ts
 * await readU32(bincount(tensor(device, new Uint32Array([1, 3, 1])), 4)); // [0, 2, 0, 1]
 * ```
 *
 * @throws ShapeError when the ids are neither u32 nor i32, or the weights have another shape.
 */
export function bincount(ids: Tensor, length: number, options: { readonly weights?: Tensor } = {}): Tensor {
  checkOptions('bincount', options, ['weights']);
  const { weights } = options;
  checkTensors('bincount', { ids, ...(weights && { weights }) });
  checkNumber('bincount', 'length', length);
  checkShape('bincount', [length]);
  const words = indicesOf('bincount', ids, { ids: ids.shape });
  if (weights) {
    if (weights.shape.join() !== ids.shape.join() || !isFloat(weights.dtype)) {
      throw new ShapeError('bincount', 'weights must be floats of the shape of the ids', {
        ids: ids.shape,
        weights: weights.shape,
      });
    }
    return reshape(scatterAdd(reshape(weights, [1, ids.size, 1]), reshape(words, [1, ids.size]), length), [length]);
  }
  const counts = fill(ids.device, [length], 0, 'u32');
  if (length > 0) dispatch(countKernel, { ids: words, counts }, { n: ids.size, length });
  return counts;
}

export interface Histogram {
  /** u32 `[bins]`. */
  readonly counts: Tensor;
  /** Of the dtype of x, or f32, `[bins + 1]`: where the bins begin, and where the last one ends. */
  readonly edges: Tensor;
}

/**
 * Counts numbers by intervals of one width, as NumPy's: `bins` of them from the least to the largest number, or over `range`. A number counts in
 * the bin where it lies or that begins with it; the last bin has its end too. What lies outside, and NaN, is left out. No gradient flows.
 *
 * ```ts
 * const { counts, edges } = histogram(tensor(device, [0, 0.1, 0.6, 1]), 2); // [2, 2] and [0, 0.5, 1]
 * ```
 *
 * @throws ShapeError when the range does not rise, or there are no bins, or no numbers and no range.
 */
export function histogram(
  x: Tensor,
  bins: number,
  options: { readonly range?: readonly [low: number, high: number] } = {},
): Histogram {
  checkOptions('histogram', options, ['range']);
  checkTensors('histogram', { x });
  checkNumber('histogram', 'bins', bins);
  checkShape('histogram', [bins]);
  if (bins === 0) throw new ShapeError('histogram', 'there must be a bin', { x: x.shape });
  const { range } = options;
  if (range && !(Number.isFinite(range[1] - range[0]) && range[0] < range[1])) {
    throw new ShapeError('histogram', `the range must rise, between finite numbers; it is ${range.join(' to ')}`);
  }
  const wide = cast(x, 'f32');
  const [low, high] = (range ?? [min(wide), max(wide)]).map((end) =>
    typeof end === 'number' ? fill(x.device, [], end) : end,
  ) as [Tensor, Tensor];
  // Of numbers that are all one, the bins are 1 wide together, as in NumPy.
  const isOne = equal(low, high);
  const from = where(isOne, sub(low, 0.5), low);
  const width = where(isOne, 1, sub(high, low));
  const place = mul(div(sub(wide, from), width), bins);
  const isInside = logicalAnd(greaterEqual(wide, from), lessEqual(wide, add(from, width)));
  const ids = where(isInside, minimum(cast(place, 'u32'), bins - 1), bins);
  const edges = add(from, mul(div(arange(x.device, bins + 1), bins), width));
  return { counts: bincount(ids, bins), edges: cast(edges, isFloat(x.dtype) ? x.dtype : 'f32') };
}

// An invocation for each id. Sums of whole numbers are the same in any order.
const countKernel = /*#__PURE__*/ kernel({
  name: 'bincount',
  bind: { ids: 'read u32', counts: 'update atomic<u32>' },
  params: { n: 'u32', length: 'u32' },
  override: { WG: 64 },
  grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
  wgsl: /* wgsl */ `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  if (i < params.n && ids[i] < params.length) { atomicAdd(&counts[ids[i]], 1u); }
}`,
});
