import { joinSum, kernel, notNumbers } from '../../gpu/index.ts';
import {
  differentiable,
  dispatch,
  elementGrid,
  elementLoop,
  elementOverride,
  elementParams,
  elementsOf,
  empty,
  type Tensor,
} from '../../tensor/graph/index.ts';
import { ShapeError, sameShape } from '../../tensor/values/index.ts';
import { checkChoice, checkFloats, inRuns, sum, total } from '../axis/index.ts';
import { abs, castFloat, mul, square, sub } from '../elementwise/index.ts';
/** Whether a loss is averaged or added up. */
export type Reduction = 'mean' | 'sum';

/**
 * Mean (or sum) of absolute differences of equal shapes: `y = mean |a - b|`, a scalar.
 *
 * The gradient is `sign(a - b)`, 0 where both are equal (NaN where the difference is), over the number of elements. A mean of
 * nothing is 0.
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
  checkChoice(op, 'reduction', reduction, ['mean', 'sum']);
  checkFloats(op, { a, b });
  if (!sameShape(a.shape, b.shape)) {
    throw new ShapeError(op, 'both tensors must have the same shape', { a: a.shape, b: b.shape });
  }
  const n = a.size;
  const factor = reduction === 'mean' ? 1 / Math.max(1, n) : 1;
  const elements = elementsOf(a.device, n);
  const parts = empty(a, elementGrid(elements, elementOverride), 'f32');
  dispatch(forward, { a, b, parts }, { ...elements, n }, { ABSOLUTE });
  const y = total(parts, factor);

  return differentiable(
    y,
    [a, b],
    (dy) => {
      const da = empty(a);
      const db = empty(b);
      dispatch(backward, { a, b, dy, dx: da }, { ...elements, factor }, { ABSOLUTE });
      dispatch(backward, { a, b, dy, dx: db }, { ...elements, factor: -factor }, { ABSOLUTE });
      return [da, db];
    },
    (c, d) => mul(sum((ABSOLUTE ? abs : square)(castFloat(sub(c, d), 'f32'))), factor),
  );
}

// Each workgroup leaves one partial sum.
const forward = /*#__PURE__*/ kernel({
  name: 'difference',
  bind: { a: 'read vec4<T>', b: 'read vec4<T>', parts: 'write f32' },
  params: { ...elementParams, n: 'u32' },
  override: { ...elementOverride, ABSOLUTE: 0 },
  use: [joinSum],
  grid: elementGrid,
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let group = flatGroup(g, size);
  let first = group * WG * params.perThread;
  let end = min(params.vec4s, first + WG * params.perThread);
  var sums = vec4f();
  ${
    /*#__PURE__*/ inRuns(
      { sums: 'vec4f' },
      { counter: 'i', from: '(first + l)', to: 'end', by: 'WG' },
      `    let d = vec4f(a[i]) - vec4f(b[i]);
    let value = select(d * d, abs(d), ABSOLUTE == 1u);
    // Padding after the last element is undefined.
    sums += select(vec4f(), value, 4u * i + vec4u(0u, 1u, 2u, 3u) < vec4u(params.n));`,
    )
  }
  let sum = joinSum(dot(sums, vec4f(1.0)), l);
  if (l == 0u && first < params.vec4s) { parts[group] = sum; }
}`,
});

const backward = /*#__PURE__*/ kernel({
  name: 'difference backward',
  bind: { a: 'read vec4<T>', b: 'read vec4<T>', dy: 'read f32', dx: 'write vec4<T>' },
  params: { ...elementParams, factor: 'f32' },
  override: { ...elementOverride, ABSOLUTE: 0 },
  use: [notNumbers],
  grid: elementGrid,
  wgsl: /*#__PURE__*/ elementLoop(`    let d = vec4f(a[i]) - vec4f(b[i]);
    let signs = vec4f(signOf(d.x), signOf(d.y), signOf(d.z), signOf(d.w));
    dx[i] = vec4<T>(dy[0] * params.factor * select(2.0, 1.0, ABSOLUTE == 1u) * select(d, signs, ABSOLUTE == 1u));`),
});
