import { joinSum, kernel, type Piece } from '../../gpu/index.ts';
import { dispatch, emptyOn, range, type Tensor } from '../../tensor/graph/index.ts';
import { inRuns, threadPerRow } from '../axis/index.ts';
/** Floats in a block: a parameter starts at a multiple of 256 bytes, so that a block holds values of one only. */
export const BLOCK = 64;

/** Gradients in one flat buffer, and a word per block of {@link BLOCK} floats: see {@link blockWord}. */
export interface FlatGradients {
  /** f32 or f16 `[n]`, whole blocks. */
  readonly gradients: Tensor;
  readonly blocks: Tensor;
}

/** How many floats of a block are values (the rest is padding and never read), and whether weight decay applies to them. */
export function blockWord(values: number, decays: boolean): number {
  return values + (decays ? 256 : 0);
}

/** Reads {@link blockWord}. */
export const blockWords: Piece = {
  name: 'blockWords',
  wgsl: `
fn decays(word: u32) -> bool { return (word & 256u) != 0u; }
// Which floats of four are values: 'i' counts the vec4s of a buffer, 'word' is that of block i / 16.
fn holds(word: u32, i: u32) -> vec4<bool> { return i % 16u * 4u + vec4u(0u, 1u, 2u, 3u) < vec4u(word & 255u); }`,
};

/** What the gradients of a step are like. */
export interface Clipping {
  /** Their L2 norm, after scaling: a scalar. Infinite or not a number if any of them is. */
  readonly norm: Tensor;
  /** By what they are to be multiplied: a scalar; −1 where the norm is not finite. */
  readonly factor: Tensor;
}

/**
 * The L2 norm over all gradients, each multiplied by `hyper[3]`, and the factor that brings it down to `maxNorm`:
 * `hyper[3] · min(1, maxNorm / (norm + 1e-6))`. One launch a buffer, and one more. The order of the additions is always the same.
 */
export function clipGradients(
  buffers: readonly FlatGradients[],
  hyper: Tensor,
  maxNorm: number = Number.POSITIVE_INFINITY,
): Clipping {
  const alone = threadPerRow(hyper.device);
  const partsPer = buffers.map(({ gradients }) => groups(gradients.size));
  const total = partsPer.reduce((sum, n) => sum + n, 0);
  const parts = emptyOn(hyper.device, [total]);
  let at = 0;
  buffers.forEach((buffer, i) => {
    const n = partsPer[i] as number;
    dispatch(
      squaredNorm,
      { ...buffer, parts: range(parts, at * 4, [n]) },
      { n: buffer.gradients.size / 4 },
      { WG: alone?.WG ?? 64 },
    );
    at += n;
  });
  const norm = emptyOn(hyper.device, []);
  const factor = emptyOn(hyper.device, []);
  // 0 stands for no limit: an infinite uniform is not portable.
  const limit = Number.isFinite(maxNorm) ? maxNorm : 0;
  dispatch(clipFactor, { parts, hyper, norm, factor }, { n: total, limit }, { WG: alone ? 1 : 256 });
  return { norm, factor };
}

/** Workgroups of a buffer: 64 or a multiple, so that the partial sums of each buffer start where a binding may. */
function groups(n: number): number {
  return 64 * Math.min(16, Math.max(1, Math.ceil(n / 262144)));
}

// Both are wide for a GPU. On a CPU a workgroup of eight is as fast as one of 64 and compiles in half the time, and the last sum
// is so short that one invocation makes it: in a fifth of the time to compile of 256, whose every halving is code of its own.

// Each workgroup takes a range of vec4s, an invocation one in WG of them, and leaves one partial sum.
const squaredNorm = /*#__PURE__*/ kernel({
  name: 'squared-norm',
  bind: { gradients: 'read vec4<T>', blocks: 'read u32', parts: 'write f32' },
  params: { n: 'u32' },
  override: { WG: 64 },
  use: [joinSum, blockWords],
  grid: ({ n }) => [groups(n * 4)],
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  var sum = vec4f();
  let run = (params.n / WG + size.x) / size.x * WG;
  ${
    /*#__PURE__*/ inRuns(
      { sum: 'vec4f' },
      { counter: 'first', from: '(g.x * run)', to: 'min((g.x + 1u) * run, params.n)', by: 'WG' },
      `    let inside = holds(blocks[(first + l) / 16u], first + l);
    if (inside.x && first + l < params.n) {
      let value = select(vec4f(), vec4f(gradients[first + l]), inside);
      sum += value * value;
    }`,
      { loops: 3 },
    )
  }
  let all = joinSum(sum.x + sum.y + sum.z + sum.w, l);
  if (l == 0u) { parts[g.x] = all; }
}`,
});

// One workgroup.
const clipFactor = /*#__PURE__*/ kernel({
  name: 'clip',
  bind: { parts: 'read f32', hyper: 'read f32', norm: 'write f32', factor: 'write f32' },
  params: { n: 'u32', limit: 'f32' },
  override: { WG: 256 },
  use: [joinSum],
  grid: () => [1],
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) l: u32) {
  var sum = 0.0;
  ${/*#__PURE__*/ inRuns({ sum: 'f32' }, { counter: 'i', from: 'l', to: 'params.n', by: 'WG' }, 'sum += parts[i];', { loops: 3 })}
  sum = joinSum(sum, l);
  if (l != 0u) { return; }
  let length = sqrt(sum) * abs(hyper[3]);
  norm[0] = length;
  var scale = hyper[3];
  if (params.limit > 0.0) { scale *= min(1.0, params.limit / (length + 1e-6)); }
  // By its bits: a compiler may take it that nothing is infinite.
  let finite = (bitcast<u32>(length) & 0x7f800000u) != 0x7f800000u;
  factor[0] = select(-1.0, scale, finite);
}`,
});
