import { kernel } from '../gpu/kernel.ts';
import { differentiable } from '../tensor/grad.ts';
import { dispatch, empty } from '../tensor/record.ts';
import { ShapeError } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { laneConstants, laneMax, laneOverrides, lanePlace, laneSum, linesPerGroup } from './lanes.ts';
import { total, weightedMean } from './total.ts';

export interface CrossEntropyOptions {
  /** Rows with this class do not count, as 255 in label maps. Default: all count. */
  readonly ignoreIndex?: number | undefined;
  /** Default: `'mean'`, over the rows that count. */
  readonly reduction?: 'mean' | 'sum';
}

/**
 * Cross entropy of logits `[N, C]` and classes, u32 `[N]`: the mean over rows of `log(sum_c exp(x_c)) - x_class`. If no row
 * counts it is 0. A class that does not exist makes it not a number.
 *
 * The gradient is `softmax(x) - one_hot(class)` over the number of rows that count.
 *
 * ```ts
 * const logits = tensor(device, [0, 0, 1, 3], [2, 2]);
 * await read(crossEntropy(logits, tensor(device, new Uint32Array([0, 1])))); // [0.41]
 * ```
 */
export function crossEntropy(logits: Tensor, classes: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const [N = 0, C = 0] = logits.shape;
  if (logits.shape.length !== 2 || classes.shape.length !== 1 || classes.shape[0] !== N) {
    throw new ShapeError('crossEntropy', 'logits must be [N, C] and classes [N]', {
      logits: logits.shape,
      classes: classes.shape,
    });
  }
  if (classes.dtype !== 'u32') {
    throw new ShapeError('crossEntropy', `classes must be u32; these are ${classes.dtype}`, { classes: classes.shape });
  }
  if (C === 0) throw new ShapeError('crossEntropy', 'there must be at least one class', { logits: logits.shape });
  const { ignoreIndex, reduction = 'mean' } = options;
  const constants = laneConstants(logits.device, { outer: N, length: C, inner: 1 });
  // No class is as large as that: the launch could not hold its logits.
  const params = { N, C, ignored: ignoreIndex ?? 0xffffffff };

  const parts = empty(logits, [N], 'f32');
  const counts = empty(logits, [N], 'f32');
  const statistics = empty(logits, [N, 2], 'f32');
  dispatch(forward, { logits, classes, parts, counts, statistics }, params, constants);
  const mean = weightedMean(parts, counts);
  const y = reduction === 'mean' ? mean.y : total(parts, 1);

  return differentiable(y, [logits], (dy) => {
    const dLogits = empty(logits);
    // What is bound in place of the count is never read without MEAN.
    const inverse = reduction === 'mean' ? mean.inverse : dy;
    const all = { logits, classes, counts, statistics, inverse, dy, dLogits };
    dispatch(backward, all, { n: N * C, C }, { MEAN: Number(reduction === 'mean') });
    return [dLogits];
  });
}

// LANES neighbouring invocations share a row. The maximum and the logarithm of the sum stay apart: added, large logits would
// round the logarithm away.
const forward = kernel({
  name: 'cross-entropy',
  bind: { logits: 'read T', classes: 'read u32', parts: 'write f32', counts: 'write f32', statistics: 'write f32' },
  params: { N: 'u32', C: 'u32', ignored: 'u32' },
  override: laneOverrides,
  use: [lanePlace, laneMax, laneSum],
  grid: ({ N }, constants) => [Math.ceil(N / linesPerGroup(constants))],
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let row = flatGroup(g, size) * (WG / LANES) + lineOf(l);
  let lane = laneOf(l);
  let inside = row < params.N;
  let count = select(0u, params.C, inside);
  let first = row * params.C;
  var top = -3.40282346e38;
  for (var c = lane; c < count; c += LANES) { top = max(top, f32(logits[first + c])); }
  top = laneMax(top, l);
  var sum = 0.0;
  for (var c = lane; c < count; c += LANES) { sum += exp(f32(logits[first + c]) - top); }
  sum = laneSum(sum, l);
  if (!inside || lane != 0u) { return; }
  let class_ = classes[row];
  statistics[2u * row] = top;
  statistics[2u * row + 1u] = log(sum);
  counts[row] = f32(class_ != params.ignored);
  if (class_ == params.ignored) { parts[row] = 0.0; }
  else if (class_ < params.C) { parts[row] = (top - f32(logits[first + class_])) + log(sum); }
  else { parts[row] = bitcast<f32>(0x7fc00000u | class_); }
}`,
});

// One invocation per logit.
const backward = kernel({
  name: 'cross-entropy backward',
  bind: {
    logits: 'read T',
    classes: 'read u32',
    counts: 'read f32',
    statistics: 'read f32',
    inverse: 'read f32',
    dy: 'read f32',
    dLogits: 'write T',
  },
  params: { n: 'u32', C: 'u32' },
  override: { WG: 64, MEAN: 1 },
  grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  if (i >= params.n) { return; }
  let row = i / params.C;
  let p = exp(f32(logits[i]) - statistics[2u * row] - statistics[2u * row + 1u]) - f32(i % params.C == classes[row]);
  dLogits[i] = T(dy[0] * select(1.0, inverse[0], MEAN == 1u) * counts[row] * p);
}`,
});
