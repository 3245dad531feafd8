// Draws from distributions, by counting as in elementwise/random.ts: the same key, stream and shape give the same draws.
import { kernel, threefry } from '../../gpu/index.ts';
import { dispatch, emptyOn, type Tensor } from '../../tensor/graph/index.ts';
import { checkShape, type Shape, ShapeError, shown } from '../../tensor/values/index.ts';
import { argmax, argsort, checkFloats, checkNumber } from '../axis/index.ts';
import { less } from '../comparison/index.ts';
import {
  add,
  cast,
  checkKey,
  hash,
  type Operand,
  randomGumbel,
  randomUniform,
  tensorsOf,
} from '../elementwise/index.ts';

/**
 * Whole random numbers (u32), `low` to `high - 1`, all equally likely to 2⁻³² of each. PyTorch's `randint`. Otherwise as
 * {@link randomUniform}; the same on every platform.
 *
 * ```ts
 * const dice = randomInteger(tensor(device, new Uint32Array([seed, counter])), [10], 1, 7);
 * ```
 *
 * @throws ShapeError unless `0 ≤ low < high ≤ 2³²` are whole numbers, `key` is u32 `[2]` and `stream` a u32.
 */
export function randomInteger(key: Tensor, shape: Shape, low: number, high: number, stream = 0): Tensor {
  checkKey('randomInteger', key, stream);
  checkShape('randomInteger', shape);
  const isWhole = Number.isInteger(low) && Number.isInteger(high);
  if (!isWhole || low < 0 || high > 2 ** 32 || low >= high) {
    throw new ShapeError(
      'randomInteger',
      `low and high must be whole, 0 ≤ low < high ≤ 2³²; got ${shown(low)}, ${shown(high)}`,
    );
  }
  const y = emptyOn(key.device, shape, 'u32');
  // Of 2³² numbers, 0: that many do not fit.
  const range = (high - low) % 2 ** 32;
  dispatch(draw, { key, y }, { n: y.size, stream, shapeHash: hash(shape), low, range });
  return y;
}

/**
 * A mask (bool) of draws that are true with probability `p`, a number or a tensor that broadcasts to the shape. Drawn as
 * `randomUniform(key, shape, stream) < p`. No gradient flows.
 *
 * ```ts
 * const kept = randomBernoulli(key, [32, 196], 0.25);
 * ```
 *
 * @throws ShapeError when `p` does not broadcast to the shape, and as {@link randomUniform}.
 */
export function randomBernoulli(key: Tensor, shape: Shape, p: Operand, stream = 0): Tensor {
  checkKey('randomBernoulli', key, stream);
  checkShape('randomBernoulli', shape);
  tensorsOf('randomBernoulli', { p });
  if (typeof p === 'number' && !(p >= 0 && p <= 1))
    throw new ShapeError('randomBernoulli', `p must be from 0 to 1; it is ${p}`);
  const y = less(randomUniform(key, shape, stream), p);
  if (y.shape.length !== shape.length || y.shape.some((axis, i) => axis !== shape[i])) {
    throw new ShapeError('randomBernoulli', 'p must broadcast to the shape', { p: (p as Tensor).shape, shape });
  }
  return y;
}

/**
 * The numbers 0 to n − 1 in random order (u32 `[n]`): the order of 32 random bits each. PyTorch's `randperm`. `take(x, order)` shuffles.
 *
 * ```ts
 * const shuffled = take(x, randomPermutation(key, 50_000));
 * ```
 *
 * @throws ShapeError when `n` is no whole number, and as {@link randomUniform}.
 */
export function randomPermutation(key: Tensor, n: number, stream = 0): Tensor {
  checkKey('randomPermutation', key, stream);
  checkNumber('randomPermutation', 'n', n);
  checkShape('randomPermutation', [n]);
  return argsort(randomInteger(key, [n], 0, 2 ** 32, stream));
}

/**
 * One class (u32) drawn for each row of logits, with the probabilities `softmax(logits)`: `[…, C]` → `[…]`. The largest of the logits with
 * Gumbel noise added. For several draws each, repeat the rows; for probabilities, give their logarithm. No gradient flows.
 *
 * A row with NaN draws the first of them, as `argmax` does, where PyTorch throws. So do logits over a temperature of 0, which are infinities and
 * NaN: take `argmax(logits)` there.
 *
 * ```ts
 * const next = randomCategorical(key, scale(logits, 1 / temperature));
 * ```
 *
 * @throws ShapeError when there is no class, and as {@link randomUniform}.
 */
export function randomCategorical(key: Tensor, logits: Tensor, stream = 0): Tensor {
  checkKey('randomCategorical', key, stream);
  checkFloats('randomCategorical', { logits });
  if (!logits.shape.at(-1)) {
    throw new ShapeError('randomCategorical', 'logits must be […, C], with classes', { logits: logits.shape });
  }
  return argmax(add(cast(logits, 'f32'), randomGumbel(key, logits.shape, stream)));
}

// One invocation makes four numbers from two blocks of 64 bits, as those of elementwise/random.ts.
const draw = /*#__PURE__*/ kernel({
  name: 'random-integer',
  bind: { key: 'read u32', y: 'write u32' },
  params: { n: 'u32', stream: 'u32', shapeHash: 'u32', low: 'u32', range: 'u32' },
  override: { WG: 64 },
  use: [threefry],
  grid: ({ n }, { WG }) => [Math.ceil(n / (4 * WG))],
  wgsl: /* wgsl */ `
// The upper word of bits · range, from products of halves.
fn within(bits: u32) -> u32 {
  if (params.range == 0u) { return bits; }
  let low = (bits & 0xffffu) * (params.range & 0xffffu);
  let a = (bits >> 16u) * (params.range & 0xffffu) + (low >> 16u);
  let b = (bits & 0xffffu) * (params.range >> 16u) + (a & 0xffffu);
  return params.low + (bits >> 16u) * (params.range >> 16u) + (a >> 16u) + (b >> 16u);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let first = (flatGroup(g, size) * WG + l) * 4;
  if (first >= params.n) { return; }
  let own = threefry(vec2u(key[0], key[1]), vec2u(params.stream, params.shapeHash));
  let a = threefry(own, vec2u(first / 2, 3u));
  let b = threefry(own, vec2u(first / 2 + 1, 3u));
  let bits = array<u32, 4>(a.x, a.y, b.x, b.y);
  for (var k = 0u; k < min(4u, params.n - first); k++) { y[first + k] = within(bits[k]); }
}`,
});
