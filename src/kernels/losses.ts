import { kernel } from '../gpu/kernel.ts';
import { joinSum } from '../gpu/prelude.ts';
import { differentiable } from '../tensor/grad.ts';
import { dispatch, empty } from '../tensor/record.ts';
import { ShapeError, sameShape } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { total } from './total.ts';

export { type CrossEntropyOptions, crossEntropy } from './cross-entropy.ts';
export { type ReconstructionOptions, reconstruction } from './reconstruction.ts';
export {
  type DistillOptions,
  distill,
  type SegmentMatch,
  type SegmentMatchOptions,
  segmentMatch,
} from './segment-match.ts';

/** Whether a loss is averaged or added up. */
export type Reduction = 'mean' | 'sum';

/**
 * Mean (or sum) of absolute differences of equal shapes: `y = mean |a - b|`, a scalar.
 *
 * The gradient is `sign(a - b)`, 0 where both are equal, over the number of elements. A mean of nothing is 0.
 *
 * ```ts
 * await read(l1(tensor(device, [1, 2]), tensor(device, [3, 2]))); // [1]
 * ```
 */
export function l1(a: Tensor, b: Tensor, reduction: Reduction = 'mean'): Tensor {
  return difference('l1', a, b, reduction, 1);
}

/**
 * Mean (or sum) of squared differences of equal shapes: `y = mean (a - b)²`, a scalar.
 *
 * The gradient is `2 (a - b)` over the number of elements. A mean of nothing is 0.
 *
 * ```ts
 * await read(mse(tensor(device, [1, 2]), tensor(device, [3, 2]))); // [2]
 * ```
 */
export function mse(a: Tensor, b: Tensor, reduction: Reduction = 'mean'): Tensor {
  return difference('mse', a, b, reduction, 0);
}

function difference(op: string, a: Tensor, b: Tensor, reduction: Reduction, ABSOLUTE: 0 | 1): Tensor {
  if (!sameShape(a.shape, b.shape)) {
    throw new ShapeError(op, 'both tensors must have the same shape', { a: a.shape, b: b.shape });
  }
  const n = a.size;
  const factor = reduction === 'mean' ? 1 / Math.max(1, n) : 1;
  const parts = empty(a, [groups(n)], 'f32');
  dispatch(forward, { a, b, parts }, { n }, { ABSOLUTE });
  const y = total(parts, factor);

  return differentiable(y, [a, b], (dy) => {
    const da = empty(a);
    const db = empty(b);
    dispatch(backward, { a, b, dy, dx: da }, { n, factor }, { ABSOLUTE });
    dispatch(backward, { a, b, dy, dx: db }, { n, factor: -factor }, { ABSOLUTE });
    return [da, db];
  });
}

const WORKGROUP = 256;

/** Workgroups of the first launch: enough for any GPU, few enough for one workgroup to add up. */
function groups(n: number): number {
  return Math.min(1024, Math.ceil(n / (4 * WORKGROUP)));
}

// All invocations together stride over the elements; each workgroup leaves one partial sum.
const forward = kernel({
  name: 'difference',
  bind: { a: 'read T', b: 'read T', parts: 'write f32' },
  params: { n: 'u32' },
  override: { WG: WORKGROUP, ABSOLUTE: 0 },
  use: [joinSum],
  grid: ({ n }) => [groups(n)],
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  var sum = 0.0;
  for (var i = g.x * WG + l; i < params.n; i += size.x * WG) {
    let d = f32(a[i]) - f32(b[i]);
    sum += select(d * d, abs(d), ABSOLUTE == 1u);
  }
  sum = joinSum(sum, l);
  if (l == 0u) { parts[g.x] = sum; }
}`,
});

// One invocation per element.
const backward = kernel({
  name: 'difference backward',
  bind: { a: 'read T', b: 'read T', dy: 'read f32', dx: 'write T' },
  params: { n: 'u32', factor: 'f32' },
  override: { WG: 64, ABSOLUTE: 0 },
  grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  if (i >= params.n) { return; }
  let d = f32(a[i]) - f32(b[i]);
  dx[i] = T(dy[0] * params.factor * select(2.0 * d, sign(d), ABSOLUTE == 1u));
}`,
});
