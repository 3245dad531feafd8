import { kernel } from '../../gpu/index.ts';
import { dispatch, emptyOn, type Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import { BLOCK } from './clip.ts';

/** Words of a packed block: two values in each, and what they are to be multiplied by. */
export const PACKED_WORDS: number = BLOCK / 2 + 1;

/**
 * f32 values in half the bytes, for the way to other processes: u32 `[33 · ⌈n / 64⌉]` of any `n` values, in one launch. 64 values share a
 * power of two, by which the largest of them comes close to f16's largest, so that none overflows and those down to 2⁻²⁹ of it
 * keep 11 bits. Each block is 32 words of two f16 values, the first in the low bits, and the f32 by which they are to be multiplied: not a
 * number where one of the 64 is infinite or not a number. No device needs f16 arithmetic for it. It has no gradient.
 *
 * @throws ShapeError unless `x` is f32.
 */
export function packHalves(x: Tensor): Tensor {
  if (x.dtype !== 'f32') throw new ShapeError('packHalves', `x must be f32; it is ${x.dtype}`, { x: x.shape });
  const blocks = Math.ceil(x.size / BLOCK);
  const y = emptyOn(x.device, [blocks * PACKED_WORDS], 'u32');
  dispatch(packKernel, { x, y }, { n: x.size, blocks, vec4s: BLOCK / 4 });
  return y;
}

// A thread a block of `vec4s`, a number that the compiler does not know: it would unroll the loops, and take seconds. Once for the largest magnitude, as bits, which order as the values do; and once for the values.
const packKernel = /*#__PURE__*/ kernel({
  name: 'pack halves',
  bind: { x: 'read vec4<f32>', y: 'write u32' },
  params: { n: 'u32', blocks: 'u32', vec4s: 'u32' },
  override: { WG: 64 },
  grid: ({ blocks }, { WG }) => [Math.ceil(blocks / WG)],
  wgsl: `
fn values(i: u32) -> vec4f {
  if (i * 4u >= params.n) { return vec4f(); }
  return select(vec4f(), x[i], i * 4u + vec4u(0u, 1u, 2u, 3u) < vec4u(params.n));
}
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let block = flatGroup(g, size) * WG + l;
  if (block >= params.blocks) { return; }
  let first = block * params.vec4s;
  var largest = vec4u();
  for (var i = first; i < first + params.vec4s; i++) {
    largest = max(largest, bitcast<vec4u>(values(i)) & vec4u(0x7fffffffu));
  }
  let exponent = max(max(largest.x, largest.y), max(largest.z, largest.w)) >> 23u;
  // The largest comes to between 2^14 and 2^15; the factor and its inverse are powers of two, exact in f32.
  let power = min(268u - exponent, 253u);
  let factor = bitcast<f32>(power << 23u);
  let at = block * ${PACKED_WORDS}u;
  for (var i = 0u; i < params.vec4s; i++) {
    var v = vec4f();
    if (exponent < 255u) { v = values(first + i) * factor; }
    y[at + 2u * i] = pack2x16float(v.xy);
    y[at + 2u * i + 1u] = pack2x16float(v.zw);
  }
  y[at + ${PACKED_WORDS - 1}u] = select(0x7fc00000u, (254u - power) << 23u, exponent < 255u);
}`,
});
