import { kernel, type Piece } from '../gpu/kernel.ts';
import { differentiable } from '../tensor/grad.ts';
import { dispatch, empty } from '../tensor/record.ts';
import { aroundAxis, normalizeAxis, ShapeError } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { laneConstants, laneMax, laneOverrides, laneSum, linesPerGroup } from './lanes.ts';

/**
 * Softmax along an axis: `y = exp(x - max x) / sum(exp(x - max x))`. An entry of -∞ gives exactly 0; a line of nothing else
 * gives zeros.
 *
 * The gradient needs only the result: `dx = y · (dy - sum(dy · y))`.
 *
 * ```ts
 * await read(softmax(tensor(device, [0, 0, Math.log(2)]))); // [0.25, 0.25, 0.5]
 * ```
 *
 * @throws ShapeError when the axis does not exist or is empty.
 */
export function softmax(x: Tensor, axis = -1): Tensor {
  return along('softmax', x, axis);
}

/**
 * Logarithm of the softmax along an axis: `y = x - max x - log(sum(exp(x - max x)))`, exact where the softmax is 0.
 *
 * The gradient is `dx = dy - exp(y) · sum(dy)`.
 *
 * @throws ShapeError when the axis does not exist or is empty.
 */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  return along('logSoftmax', x, axis);
}

function along(op: keyof typeof kernels, x: Tensor, axis: number): Tensor {
  const lines = aroundAxis(x.shape, normalizeAxis(op, axis, x.shape));
  if (lines.length === 0) throw new ShapeError(op, `axis ${axis} is empty`, { x: x.shape });
  const constants = laneConstants(lines);
  const y = empty(x);
  dispatch(kernels[op].forward, { x, y }, { ...lines }, constants);
  return differentiable(y, [x], (dy) => {
    const dx = empty(x);
    dispatch(kernels[op].backward, { y, dy, dx }, { ...lines }, constants);
    return [dx];
  });
}

// Far enough below the maximum the result is 0 in f32: WGSL promises nothing of exp(-∞).
const expBelow: Piece = {
  name: 'expBelow',
  wgsl: 'fn expBelow(d: f32) -> f32 { return select(0.0, exp(max(d, -104.0)), d > -104.0); }',
};

// A workgroup takes WG / LANES lines, which it reads three times: for the maximum, for the sum, for the result. The second and
// third time they are in the cache.
function lineKernel<const B extends Readonly<Record<string, 'read T' | 'write T'>>>(
  name: string,
  bind: B,
  use: readonly Piece[],
  body: string,
) {
  return kernel({
    name,
    bind,
    params: { outer: 'u32', length: 'u32', inner: 'u32' },
    override: laneOverrides,
    use,
    grid: ({ outer, inner }, constants) => [Math.ceil((outer * inner) / linesPerGroup(constants))],
    wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let line = flatGroup(g, size) * (WG / LANES) + lineOf(l);
  let inside = line < params.outer * params.inner;
  let start = lineStart(line, params.length, params.inner) + laneOf(l) * params.inner;
  // Lines beyond the last have no elements; their lanes only take part in the sums.
  let end = select(0u, start + (params.length - min(params.length, laneOf(l))) * params.inner, inside);
  let hop = LANES * params.inner;
${body}
}`,
  });
}

const topAndTotal = `
  var top = -3.4e38;
  for (var i = start; i < end; i += hop) { top = max(top, f32(x[i])); }
  top = laneMax(top, l);
  var total = 0.0;
  for (var i = start; i < end; i += hop) { total += expBelow(f32(x[i]) - top); }
  total = laneSum(total, l);`;

const kernels = {
  softmax: {
    forward: lineKernel(
      'softmax',
      { x: 'read T', y: 'write T' },
      [laneMax, laneSum, expBelow],
      `${topAndTotal}
  let factor = select(0.0, 1.0 / total, total > 0.0);
  for (var i = start; i < end; i += hop) { y[i] = T(expBelow(f32(x[i]) - top) * factor); }`,
    ),
    backward: lineKernel(
      'softmax-backward',
      { y: 'read T', dy: 'read T', dx: 'write T' },
      [laneSum],
      `
  var total = 0.0;
  for (var i = start; i < end; i += hop) { total += f32(y[i]) * f32(dy[i]); }
  total = laneSum(total, l);
  for (var i = start; i < end; i += hop) { dx[i] = T(f32(y[i]) * (f32(dy[i]) - total)); }`,
    ),
  },
  logSoftmax: {
    forward: lineKernel(
      'log-softmax',
      { x: 'read T', y: 'write T' },
      [laneMax, laneSum, expBelow],
      `${topAndTotal}
  let logTotal = log(total);
  for (var i = start; i < end; i += hop) { y[i] = T((f32(x[i]) - top) - logTotal); }`,
    ),
    backward: lineKernel(
      'log-softmax-backward',
      { y: 'read T', dy: 'read T', dx: 'write T' },
      [laneSum, expBelow],
      `
  var total = 0.0;
  for (var i = start; i < end; i += hop) { total += f32(dy[i]); }
  total = laneSum(total, l);
  for (var i = start; i < end; i += hop) { dx[i] = T(f32(dy[i]) - expBelow(f32(y[i])) * total); }`,
    ),
  },
};
