import { kernel } from '../../gpu/index.ts';
import {
  differentiable,
  differentiableAll,
  differentiableLinear,
  dispatch,
  empty,
  fill,
  type Tensor,
} from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import {
  argsort,
  eachRow,
  FEW_STEPS,
  inRuns,
  rowConstants,
  rowGrid,
  rowOverrides,
  rowPlace,
  sumRows,
} from '../axis/index.ts';
import { reshape, takeInto } from '../layout/index.ts';
/** Which of N patches a masked autoencoder sees, per image: He et al., 2021, section 3. */
export interface ShuffleMask {
  /** u32 `[B, N]`: the patches by ascending noise. */
  readonly idsShuffle: Tensor;
  /** u32 `[B, N]`: the place of each patch in `idsShuffle`, its inverse. */
  readonly idsRestore: Tensor;
  /** f32 `[B, N]`: 0 where a patch is kept, 1 where it is removed. */
  readonly mask: Tensor;
  /** u32 `[B, keep]`: the first of `idsShuffle`. */
  readonly idsKeep: Tensor;
}

/**
 * Random masking: the `keep` patches with the smallest noise are kept, in the order of their noise. `noise [B, N]`; of
 * equal values the first counts as smaller, NaN as larger than all.
 *
 * ```ts
 * const masking = shuffleMask(randomUniform(key, [B, 196]), 49);
 * const visible = keepRows(tokens, masking); // [B, 49, C]
 * const full = unshuffle(visible, maskToken, masking.idsRestore); // [B, 196, C]
 * ```
 *
 * @throws ShapeError unless `noise` is `[B, N]` and `0 ≤ keep ≤ N`.
 */
export function shuffleMask(noise: Tensor, keep: number): ShuffleMask {
  const [batch, count] = noise.shape;
  if (batch === undefined || count === undefined || noise.shape.length !== 2) {
    throw new ShapeError('shuffleMask', 'the noise must be [B, N]', { noise: noise.shape });
  }
  if (!Number.isInteger(keep) || keep < 0 || keep > count) {
    throw new ShapeError('shuffleMask', `${keep} of ${count} patches cannot be kept`, { noise: noise.shape });
  }
  const idsShuffle = argsort(noise);
  const idsRestore = empty(idsShuffle);
  const mask = empty(noise, noise.shape, 'f32');
  const idsKeep = empty(idsShuffle, [batch, keep]);
  dispatch(invert, { idsShuffle, idsRestore, mask, idsKeep }, { n: noise.size, count, keep });
  return { idsShuffle, idsRestore, mask, idsKeep };
}

/**
 * The kept rows: `takeRows(x, idsKeep)`, `x [B, N, …]` → `[B, keep, …]`, with a gradient of one launch, because
 * `idsRestore` says where each row went: `dx[b, n] = dy[b, idsRestore[b, n]]`, and zero if it was removed.
 *
 * @throws ShapeError when the mask is not for the B and N of `x`.
 */
export function keepRows(x: Tensor, { idsKeep, idsRestore }: Pick<ShuffleMask, 'idsKeep' | 'idsRestore'>): Tensor {
  const [batch, count, ...rest] = x.shape;
  if (idsRestore.shape[0] !== batch || idsRestore.shape[1] !== count || idsKeep.shape[0] !== batch) {
    throw new ShapeError('keepRows', 'x must be [B, N, …] with the B and N of the mask', {
      x: x.shape,
      idsKeep: idsKeep.shape,
      idsRestore: idsRestore.shape,
    });
  }
  const taken = (from: Tensor, ids: Tensor): Tensor => {
    const y = empty(x, [...ids.shape, ...rest]);
    takeInto(from, ids, y);
    return y;
  };
  return differentiableLinear(
    x,
    (t) => taken(t, idsKeep),
    (dy) => taken(dy, idsRestore),
  );
}

/**
 * Puts kept rows back in their places, with copies of a token in all others:
 * `y[b, n] = visible[b, r]` with `r = idsRestore[b, n]` if `r < K`, else `token`. `visible [B, K, D]`, `token [1, 1, D]`,
 * `idsRestore [B, N]` (u32) → `[B, N, D]`. The gradient of `visible` is that of its rows, the gradient of `token` the sum
 * over its copies. Each row of `idsRestore` must name every number below K once, as that of {@link shuffleMask} does.
 *
 * @throws ShapeError when the shapes do not fit, or `idsRestore` is not u32.
 */
export function unshuffle(visible: Tensor, token: Tensor, idsRestore: Tensor): Tensor {
  const [batch, kept, width] = visible.shape;
  const [, count] = idsRestore.shape;
  const shapes = { visible: visible.shape, token: token.shape, idsRestore: idsRestore.shape };
  if (batch === undefined || kept === undefined || width === undefined || visible.shape.length !== 3) {
    throw new ShapeError('unshuffle', 'visible must be [B, K, D]', shapes);
  }
  if (token.size !== width || token.shape.at(-1) !== width) {
    throw new ShapeError('unshuffle', 'the token must be [1, 1, D]', shapes);
  }
  if (idsRestore.dtype !== 'u32' || idsRestore.shape.length !== 2 || idsRestore.shape[0] !== batch) {
    throw new ShapeError('unshuffle', `idsRestore must be u32 [B, N]; it is ${idsRestore.dtype}`, shapes);
  }
  if (count === undefined || count < kept) {
    throw new ShapeError('unshuffle', 'there must be a place for each visible row', shapes);
  }
  const y = empty(visible, [batch, count, width]);
  const places = { rows: batch * count, width };
  dispatch(restore, { visible, token, idsRestore, y }, { ...places, count, kept }, rowConstants(y.device, places));

  return differentiable(y, [visible, token], (dy) => {
    const rows = batch * count;
    if (rows === 0 || width === 0) return [empty(visible), zeros(token)];
    const chunk = Math.max(8, Math.min(FEW_STEPS, Math.ceil(rows / CHUNKS)));
    const chunks = Math.ceil(rows / chunk);
    const dvisible = empty(visible);
    const partial = empty(token, [chunks, width], 'f32');
    dispatch(restoreBackward, { dy, idsRestore, dvisible, partial }, { rows, count, kept, width, chunk });
    const dtoken = reshape(sumRows(partial, token.dtype), token.shape);
    differentiableAll([dvisible, dtoken], [dy], ([u, v]) => [
      unshuffle(u ?? zeros(visible), v ?? zeros(token), idsRestore),
    ]);
    return [dvisible, dtoken];
  });
}

function zeros(x: Tensor): Tensor {
  return fill(x.device, x.shape, 0, x.dtype === 'f16' ? 'f16' : 'f32');
}

/** Partial sums of the token's gradient: enough to keep a GPU busy, few enough for one more launch to add them up. */
const CHUNKS = 256;

// One invocation a place in the order of the noise.
const invert = /*#__PURE__*/ kernel({
  name: 'shuffle-mask',
  bind: { idsShuffle: 'read u32', idsRestore: 'write u32', mask: 'write f32', idsKeep: 'write u32' },
  params: { n: 'u32', count: 'u32', keep: 'u32' },
  override: { WG: 64 },
  grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
  wgsl: /* wgsl */ `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  if (i >= params.n) { return; }
  let batch = i / params.count;
  let place = i % params.count;
  let id = idsShuffle[i];
  let at = batch * params.count + id;
  idsRestore[at] = place;
  mask[at] = select(0.0, 1.0, place >= params.keep);
  if (place < params.keep) { idsKeep[batch * params.keep + place] = id; }
}`,
});

const restore = /*#__PURE__*/ kernel({
  name: 'unshuffle',
  bind: { visible: 'read T', token: 'read T', idsRestore: 'read u32', y: 'write T' },
  params: { rows: 'u32', width: 'u32', count: 'u32', kept: 'u32' },
  override: rowOverrides,
  use: [rowPlace],
  grid: rowGrid,
  wgsl: /*#__PURE__*/ eachRow(/* wgsl */ `
  let seen = idsRestore[row];
  if (seen < params.kept) {
    let first = (row / params.count * params.kept + seen) * params.width;
    for (var col = place.start; col < place.end; col += THREADS) { y[row * params.width + col] = visible[first + col]; }
  } else {
    for (var col = place.start; col < place.end; col += THREADS) { y[row * params.width + col] = token[col]; }
  }`),
});

// A workgroup takes WG columns of a chunk of rows: what belongs to a visible row is sent there, the rest is added up.
const restoreBackward = /*#__PURE__*/ kernel({
  name: 'unshuffle-backward',
  bind: { dy: 'read T', idsRestore: 'read u32', dvisible: 'write T', partial: 'write f32' },
  params: { rows: 'u32', count: 'u32', kept: 'u32', width: 'u32', chunk: 'u32' },
  override: { WG: 64 },
  grid: ({ rows, width, chunk }, { WG }) => [Math.ceil(rows / chunk) * Math.ceil(width / WG)],
  wgsl: /* wgsl */ `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let strips = (params.width + WG - 1) / WG;
  let group = flatGroup(g, size);
  let chunk = group / strips;
  let col = group % strips * WG + l;
  let start = chunk * params.chunk;
  if (start >= params.rows || col >= params.width) { return; }
  var total = 0.0;
  ${
    /*#__PURE__*/ inRuns(
      { total: 'f32' },
      { counter: 'row', from: 'start', to: 'min(start + params.chunk, params.rows)', by: '1u' },
      `    let value = dy[row * params.width + col];
    let place = idsRestore[row];
    if (place < params.kept) {
      dvisible[(row / params.count * params.kept + place) * params.width + col] = value;
    } else {
      total += f32(value);
    }`,
    )
  }
  partial[chunk * params.width + col] = total;
}`,
});
