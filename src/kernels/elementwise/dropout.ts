import { kernel, threefry } from '../../gpu/index.ts';
import { differentiableLinear, dispatch, empty, type Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import { checkFloats, checkNumber } from '../axis/index.ts';
import { checkKey, hash } from './random.ts';

/**
 * Zeros in the places where `randomUniform(key, x.shape, stream)` is below `rate`, all else divided by `1 − rate` (Srivastava et al.,
 * 2014): the mean stays. What is dropped may hold anything. The gradient is `dy`, dropped and divided alike: numbers are made
 * again, not kept. The layer {@link Dropout} has a rate and a stream of its own.
 *
 * ```ts
 * const y = dropout(x, tensor(device, new Uint32Array([seed, counter])), 0.1);
 * ```
 *
 * @throws ShapeError unless `key` is u32 `[2]`, `stream` a u32, and `rate` from 0 to 1.
 */
export function dropout(x: Tensor, key: Tensor, rate: number, stream = 0): Tensor {
  checkFloats('dropout', { x });
  checkNumber('dropout', 'rate', rate);
  checkKey('dropout', key, stream);
  if (!(rate >= 0 && rate <= 1)) throw new ShapeError('dropout', `the rate must be from 0 to 1; it is ${rate}`);
  const drop = (from: Tensor): Tensor => {
    const y = empty(from);
    // At a rate of 1 nothing is left that could be divided.
    const params = { vec4s: Math.ceil(x.size / 4), stream, shapeHash: hash(x.shape), rate };
    dispatch(dropKernel, { x: from, key, y }, { ...params, factor: rate < 1 ? 1 / (1 - rate) : 0 });
    return y;
  };
  return differentiableLinear(x, drop, drop);
}

// One invocation makes four numbers from two blocks of 64 bits, as randomUniform does.
const dropKernel = /*#__PURE__*/ kernel({
  name: 'dropout',
  bind: { x: 'read vec4<T>', key: 'read u32', y: 'write vec4<T>' },
  params: { vec4s: 'u32', stream: 'u32', shapeHash: 'u32', rate: 'f32', factor: 'f32' },
  override: { WG: 64 },
  use: [threefry],
  grid: ({ vec4s }, { WG }) => [Math.ceil(vec4s / WG)],
  wgsl: /* wgsl */ `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  if (i >= params.vec4s) { return; }
  let own = threefry(vec2u(key[0], key[1]), vec2u(params.stream, params.shapeHash));
  let a = threefry(own, vec2u(2 * i, 0u));
  let b = threefry(own, vec2u(2 * i + 1, 0u));
  let u = vec4f(unitUniform(a.x), unitUniform(a.y), unitUniform(b.x), unitUniform(b.y));
  y[i] = select(vec4<T>(), vec4<T>(vec4f(x[i]) * params.factor), u >= vec4f(params.rate));
}`,
});
