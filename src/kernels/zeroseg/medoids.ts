import { kernel, notNumbers } from '../../gpu/index.ts';
import { dispatch, empty, type Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
/**
 * Members that stand for all others: `similarity` `[B, N, N]` → u32 `[B, count]`, chosen one after the other, each the one that
 * raises the sum of every member's similarity to its nearest medoid the most (the build phase of k-medoids, Kaufman and Rousseeuw
 * 1990, https://doi.org/10.1002/9780470316801):
 *
 *     m_1 = argmax_m Σ_n s[n, m]        m_g = argmax_m Σ_n max(0, s[n, m] − max over h < g of s[n, m_h])
 *
 * so what is rare and far from all else gets a medoid of its own sooner than a second one goes to what is common, and a single
 * stray member does not. Of equally good ones the first; once nothing is gained, member 0. A gain that is NaN
 * counts as the most. It has no gradient.
 *
 * ```ts
 * const x = tensor(device, [1, 0, 0.9, 0.1, 0, 1], [1, 3, 2]);
 * await readU32(medoids(matmul(x, x, { transposeB: true }), 2)); // [1, 2]
 * ```
 *
 * @throws ShapeError unless `similarity` is `[B, N, N]` with N from 1, and `count` a whole number from 1.
 */
export function medoids(similarity: Tensor, count: number): Tensor {
  const [batch = 0, members = 0, others] = similarity.shape;
  if (similarity.shape.length !== 3 || members !== others || members === 0) {
    throw new ShapeError('medoids', 'similarity must be [B, N, N] with N from 1', { similarity: similarity.shape });
  }
  if (!Number.isInteger(count) || count < 1) {
    throw new ShapeError('medoids', `${count} is no number of medoids`, { similarity: similarity.shape });
  }
  const index = empty(similarity, [batch, count], 'u32');
  const near = empty(similarity, [batch, members], 'f32');
  dispatch(build, { similarity, near, index }, { batch, N: members, count });
  return index;
}

// A workgroup per image, an invocation per candidate; `near` holds each member's similarity to its nearest medoid so far.
const build = /*#__PURE__*/ kernel({
  name: 'medoids',
  bind: { similarity: 'read T', near: 'write f32', index: 'write u32' },
  params: { batch: 'u32', N: 'u32', count: 'u32' },
  override: { WG: 64 },
  use: [notNumbers],
  grid: ({ batch }) => [batch],
  wgsl: /* wgsl */ `
var<workgroup> gains: array<f32, WG>;
var<workgroup> candidates: array<u32, WG>;
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let image = flatGroup(g, size);
  if (image >= params.batch) { return; }
  let N = params.N;
  let first = image * N * N;
  for (var chosen = 0u; chosen < params.count; chosen++) {
    var best = 0.0;
    var which = l;
    for (var m = l; m < N; m += WG) {
      var gain = 0.0;
      for (var n = 0u; n < N; n++) {
        let s = f32(similarity[first + n * N + m]);
        let more = s - near[image * N + n];
        if (chosen == 0u) { gain += s; } else { gain += select(max(0.0, more), more, isNan(more)); }
      }
      // Nothing beats the first NaN.
      if (m == l || (!isNan(best) && (isNan(gain) || gain > best))) {
        best = gain;
        which = m;
      }
    }
    gains[l] = best;
    candidates[l] = which;
    workgroupBarrier();
    best = gains[0];
    which = candidates[0];
    for (var other = 1u; other < min(WG, N); other++) {
      let isEqual = select(gains[other] == best, isNan(gains[other]), isNan(best));
      let isBetter = !isNan(best) && (isNan(gains[other]) || gains[other] > best);
      if (isBetter || (isEqual && candidates[other] < which)) {
        best = gains[other];
        which = candidates[other];
      }
    }
    if (l == 0u) { index[image * params.count + chosen] = which; }
    for (var n = l; n < N; n += WG) {
      let s = f32(similarity[first + n * N + which]);
      let before = near[image * N + n];
      near[image * N + n] = select(select(max(s, before), before, isNan(before)), s, chosen == 0u || isNan(s));
    }
    storageBarrier();
    workgroupBarrier();
  }
}`,
});
