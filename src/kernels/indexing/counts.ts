import { kernel } from '../../gpu/index.ts';
import { dispatch, fill, type Tensor } from '../../tensor/graph/index.ts';
import { describe, isFloat, ShapeError } from '../../tensor/values/index.ts';
import { checkOptions, checkTensors, max, min } from '../axis/index.ts';
import { equal, greaterEqual, isFinite as isFiniteMask, lessEqual, logicalAnd } from '../comparison/index.ts';
import { add, cast, div, minimum, mul, statisticType, sub, where } from '../elementwise/index.ts';
import { arange, indicesOf, reshape, scatterAdd } from '../layout/index.ts';
import { searchSorted } from './search-sorted.ts';

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
  checkCount('bincount', 'length', length, 0);
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

/** @throws ShapeError for what is no whole number from `least` on. */
function checkCount(op: string, name: string, count: unknown, least: number): void {
  if (Number.isSafeInteger(count) && (count as number) >= least) return;
  throw new ShapeError(op, `${name} must be a whole number from ${least}; it is ${describe(count)}`);
}

function isFiniteNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

export interface Histogram {
  /** u32 `[bins]`. */
  readonly counts: Tensor;
  /** Of the dtype of x, or f32, `[bins + 1]`: where the bins begin, and where the last one ends. */
  readonly edges: Tensor;
}

/**
 * Counts numbers by intervals of one width, as NumPy's: `bins` of them from the least to the largest finite number, or over `range`. A number counts in
 * the bin where it lies or that begins with it, by the edges in f32; the last bin has its end too. What lies outside, and NaN, is left out. No gradient flows.
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
  checkCount('histogram', 'bins', bins, 1);
  const { range } = options;
  if (
    range !== undefined &&
    !(
      Array.isArray(range) &&
      range.length === 2 &&
      range.every(isFiniteNumber) &&
      Math.fround(range[0]) < Math.fround(range[1])
    )
  ) {
    throw new ShapeError(
      'histogram',
      `range must be two finite numbers that rise in f32, [low, high]; it is ${describe(range)}`,
      {
        x: x.shape,
      },
    );
  }
  if (!range && x.size === 0) {
    throw new ShapeError('histogram', 'of no numbers there is no range; give one: { range: [low, high] }', {
      x: x.shape,
    });
  }
  const wide = cast(x, 'f32');
  const known = isFiniteMask(wide);
  const [low, high] = (
    range ?? [min(where(known, wide, Number.POSITIVE_INFINITY)), max(where(known, wide, Number.NEGATIVE_INFINITY))]
  ).map((end) => (typeof end === 'number' ? fill(x.device, [], end) : end)) as [Tensor, Tensor];
  // Of numbers that are all one, the bins are 1 wide together, as in NumPy.
  const isOne = equal(low, high);
  const from = where(isOne, sub(low, 0.5), low);
  const to = where(isOne, add(high, 0.5), high);
  const part = div(arange(x.device, bins + 1), bins);
  // By halves, so that no width overflows.
  const half = mul(part, sub(mul(to, 0.5), mul(from, 0.5)));
  const edges = where(equal(part, 1), to, add(add(from, half), half));
  // By the edges that are given, not by a quotient that may round to below one of them.
  const after = cast(searchSorted(edges, wide, { right: true }), 'i32');
  const isInside = logicalAnd(greaterEqual(wide, from), lessEqual(wide, to));
  const ids = where(isInside, minimum(sub(after, 1), bins - 1), bins);
  return { counts: bincount(ids, bins), edges: cast(edges, statisticType(x)) };
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
