// Random numbers are made where they are used, by counting: number i of a tensor is a function of the key (the seed of the
// step, u32 [2]), the stream (which tensor of the step), the distribution, the shape, and i. All of it but the key is
// part of the recording, so a step with a new key at each call has new numbers at each call, and an old key brings the old
// ones back. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011.

import { kernel, type Piece, threefry } from '../../gpu/index.ts';
import { dispatch, emptyOn, type Tensor } from '../../tensor/graph/index.ts';
import { checkShape, type Shape, ShapeError, shown } from '../../tensor/values/index.ts';
import { checkTensors } from '../axis/index.ts';
import { exactLog } from './exact-log.ts';
/**
 * Uniform random numbers in (0, 1), never 0 or 1: odd multiples of 2⁻²⁴, the same bits on every platform. `key` is the
 * seed (u32 `[2]`). Another stream or another shape gives other, independent numbers. There is no gradient.
 *
 * ```ts
 * const noise = randomUniform(tensor(device, new Uint32Array([seed, counter])), [32, 196]);
 * ```
 *
 * @throws ShapeError unless `key` is u32 `[2]` and `stream` a u32.
 */
export function randomUniform(key: Tensor, shape: Shape, stream = 0): Tensor {
  return random('randomUniform', key, shape, stream, 0);
}

/**
 * Normal random numbers, mean 0 and variance 1: Box and Muller's `√(−2 ln u) · cos 2πv` and `… · sin 2πv`. Otherwise as
 * {@link randomUniform}; platforms may differ in the rounding of the last bits. The largest possible is 6.7.
 */
export function randomNormal(key: Tensor, shape: Shape, stream = 0): Tensor {
  return random('randomNormal', key, shape, stream, 1);
}

/**
 * Gumbel(0, 1) random numbers, `−ln(−ln u)`: added to logits, their argmax is a draw from softmax(logits). Otherwise as
 * {@link randomUniform}; platforms may differ in the rounding of the last bits. They lie in [−3.1, 22.2]: u comes from 32
 * bits, and `−ln u` is exact to rounding where u is close to 1.
 */
export function randomGumbel(key: Tensor, shape: Shape, stream = 0): Tensor {
  return random('randomGumbel', key, shape, stream, 2);
}

function random(op: string, key: Tensor, shape: Shape, stream: number, distribution: 0 | 1 | 2): Tensor {
  checkKey(op, key, stream);
  checkShape(op, shape);
  const y = emptyOn(key.device, shape);
  dispatch(draw, { key, y }, { n: y.size, stream, shapeHash: hash(shape) }, { DISTRIBUTION: distribution });
  return y;
}

/** @throws ShapeError unless `key` is u32 `[2]` and `stream` a u32. */
export function checkKey(op: string, key: Tensor, stream: number): void {
  checkTensors(op, { key }, 'the key comes first, two numbers of u32');
  if (key.dtype !== 'u32' || key.size !== 2) {
    throw new ShapeError(op, `the key must be a tensor of two u32, the seed of the step; it is ${key.dtype}`, {
      key: key.shape,
    });
  }
  if (!Number.isInteger(stream) || stream < 0 || stream >= 2 ** 32) {
    throw new ShapeError(op, `${shown(stream)} is no stream: 0 to 2³² − 1`);
  }
}

/** Different for different shapes, in all likelihood: FNV-1a over the axes. */
export function hash(shape: Shape): number {
  return shape.reduce((h, axis) => Math.imul(h ^ axis, 0x01000193) >>> 0, 0x811c9dc5 ^ shape.length) >>> 0;
}

const exponential: Piece = {
  name: 'exponential',
  needs: [exactLog],
  wgsl: `
// In (0, 1) with 32 bits near 0: the 24 leading bits of an odd number, so that nothing is rounded.
fn fineUniform(bits: u32) -> f32 {
  let odd = bits | 1u;
  let dropped = max(8u, countLeadingZeros(odd)) - countLeadingZeros(odd);
  return f32((odd >> dropped) << dropped) * 2.3283064365386963e-10;
}
// -ln(1 - v), v uniform: exponentially distributed, in [2^-32, 22.2].
fn exponential(bits: u32) -> f32 {
  if (bits < 0x40000000u) { return -logNearOne(-fineUniform(bits)); }
  return -exactLog(fineUniform(~bits));
}`,
};

const twoPiCircle: Piece = {
  name: 'circle',
  // The built-in ones may be off by 2⁻¹¹. Taylor's series between −π/4 and π/4, then quarter turns.
  wgsl: `
// A point of the unit circle: its quarter from the upper two bits, its place there, about the middle, from the next 23.
fn circle(bits: u32) -> vec2f {
  let a = (f32((bits << 2u) >> 9u) - 4194303.5) * (1.5707963267948966 / 8388608.0);
  let z = a * a;
  let c = 1.0 + z * (-0.5 + z * (4.1666667e-2 + z * (-1.3888889e-3 + z * 2.4801587e-5)));
  let s = a + a * z * (-1.6666667e-1 + z * (8.3333333e-3 + z * (-1.9841270e-4 + z * 2.7557319e-6)));
  let quarter = bits >> 30u;
  let turned = select(vec2f(c, s), vec2f(-s, c), (quarter & 1u) == 1u);
  return select(turned, -turned, (quarter & 2u) == 2u);
}`,
};

// One invocation makes four numbers from two blocks of 64 bits, under a key of its own for this tensor.
const draw = /*#__PURE__*/ kernel({
  name: 'random',
  bind: { key: 'read u32', y: 'write f32' },
  params: { n: 'u32', stream: 'u32', shapeHash: 'u32' },
  override: { WG: 64, DISTRIBUTION: 0 },
  use: [threefry, exponential, twoPiCircle],
  grid: ({ n }, { WG }) => [Math.ceil(n / (4 * WG))],
  wgsl: /* wgsl */ `
fn numbers(bits: vec2u) -> vec2f {
  if (DISTRIBUTION == 0) { return vec2f(unitUniform(bits.x), unitUniform(bits.y)); }
  if (DISTRIBUTION == 1) { return sqrt(2.0 * exponential(bits.x)) * circle(bits.y); }
  return vec2f(-exactLog(exponential(bits.x)), -exactLog(exponential(bits.y)));
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let first = (flatGroup(g, size) * WG + l) * 4;
  if (first >= params.n) { return; }
  let own = threefry(vec2u(key[0], key[1]), vec2u(params.stream, params.shapeHash));
  let a = numbers(threefry(own, vec2u(first / 2, DISTRIBUTION)));
  let b = numbers(threefry(own, vec2u(first / 2 + 1, DISTRIBUTION)));
  y[first] = a.x;
  if (first + 1 < params.n) { y[first + 1] = a.y; }
  if (first + 2 < params.n) { y[first + 2] = b.x; }
  if (first + 3 < params.n) { y[first + 3] = b.y; }
}`,
});
