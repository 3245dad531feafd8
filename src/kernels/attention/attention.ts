import { differentiable, dispatch, empty, type Tensor } from '../../tensor/graph/index.ts';
import { type Shape, ShapeError, sameShape } from '../../tensor/values/index.ts';
import { checkOptions } from '../axis/index.ts';
import type { AttentionParams } from './interface.ts';
import { type Subgroup, subgroupOf } from './subgroup-code.ts';
import { packedSubgroupBackward, subgroupBackward, subgroupForward, subgroupRows } from './subgroup-kernels.ts';
import { backwardKernel, backwardRows, forwardKernel, packedBackwardKernel, WIDEST_HEAD } from './tile-kernels.ts';

export interface AttentionOptions {
  /** What scores are multiplied by; default: head width ** -0.5. */
  readonly scale?: number;
  /** Query i sees keys 0..i only. */
  readonly causal?: boolean;
}

/**
 * Attention of heads: `y = softmax(scale · q · kᵀ) · v`, with `q [B, H, N, D]`, `k` and `v [B, H, M, D]`, `y [B, H, N, D]`. The
 * scores are never stored: memory grows with N + M, not with N · M (FlashAttention, Dao et al., 2022).
 *
 * A query whose scores hold NaN or ∞, or are all -∞, gives NaN. A query and a key that it does
 * not see have weight 0 together, so both must be finite: 0 · ∞ and 0 · NaN are NaN.
 *
 * With the weights `p` and `e = scale · p · (dy · vᵀ - sum(dy · y))` the gradients are `dq = e · k`, `dk = eᵀ · q`, `dv = pᵀ · dy`.
 *
 * ```ts
 * const q = tensor(device, [1, 0], [1, 1, 1, 2]);
 * const k = tensor(device, [1, 0, 0, 1], [1, 1, 2, 2]);
 * const v = tensor(device, [1, 2, 3, 4], [1, 1, 2, 2]);
 * await read(attention(q, k, v, { scale: Math.log(3) })); // weights 3/4 and 1/4: [1.5, 2.5]
 * ```
 *
 * @throws ShapeError when the shapes do not fit, a head is wider than 128, or there are queries without any key.
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  checkOptions('attention', options, ['scale', 'causal']);
  const shapes = { q: q.shape, k: k.shape, v: v.shape };
  const [images = 0, heads = 0, queries = 0, width = 0] = q.shape;
  const keys = k.shape[2] ?? 0;
  if (q.shape.length !== 4 || !sameShape(k.shape, [images, heads, keys, width]) || !sameShape(k.shape, v.shape)) {
    throw new ShapeError('attention', 'q must be [B, H, N, D], k and v [B, H, M, D]', shapes);
  }
  const rows = <O extends string>(name: O, length: number) =>
    layout(name, 0, heads * length * width, length * width, width);
  return separate(q, k, v, {
    ...sizes('attention', shapes, { images, heads, queries, keys, width }, options),
    ...rows('q', queries),
    ...rows('k', keys),
    ...rows('v', keys),
    ...rows('y', queries),
  });
}

/**
 * Self-attention of packed rows: `qkv [B, N, 3 C]` holds q, k and v of width C one after the other, each of `heads` heads beside
 * each other; `y [B, N, C]` holds the heads beside each other. As {@link attention} of each head; nothing is permuted.
 *
 * ```ts
 * const y = qkvAttention(linear(x, weight), 12); // x [B, N, C], weight [3 C, C]
 * ```
 *
 * @throws ShapeError when the last axis is not 3 times a multiple of `heads`, or a head is wider than 128.
 */
export function qkvAttention(qkv: Tensor, heads: number, options: AttentionOptions = {}): Tensor {
  checkOptions('qkvAttention', options, ['scale', 'causal']);
  const shapes = { qkv: qkv.shape };
  const [images = 0, rows = 0, packed = 0] = qkv.shape;
  const channels = packed / 3;
  const width = channels / heads;
  if (qkv.shape.length !== 3 || !Number.isInteger(width)) {
    throw new ShapeError('qkvAttention', `qkv must be [B, N, 3 C], with C a multiple of ${heads} heads`, shapes);
  }
  const third = <O extends string>(name: O, n: number) => layout(name, n * channels, rows * packed, width, packed);
  const params: AttentionParams = {
    ...sizes('qkvAttention', shapes, { images, heads, queries: rows, keys: rows, width }, options),
    ...third('q', 0),
    ...third('k', 1),
    ...third('v', 2),
    ...layout('y', 0, rows * channels, width, channels),
  };
  const { y, rowsOf } = forward(qkv, qkv, qkv, [images, rows, channels], params);
  return differentiable(y, [qkv], (dy) => {
    const dqkv = empty(qkv);
    const rows = rowsOf(dy);
    const subgroup = subgroupFor(qkv, params);
    if (subgroup) dispatch(packedSubgroupBackward(width, subgroup), { qkv, dy, rows, dqkv }, params);
    else dispatch(packedBackwardKernel(width), { q: qkv, k: qkv, v: qkv, dy, rows, dqkv }, params);
    return [dqkv];
  });
}

/**
 * Attention of rows to other rows: `q [B, N, C]`, `k` and `v [B, M, C]`, `y [B, N, C]`, all with `heads` heads beside each other.
 * As {@link attention} of each head; nothing is permuted.
 *
 * @throws ShapeError when the shapes do not fit, C is no multiple of `heads`, a head is wider than 128, or there are queries
 * without any key.
 */
export function crossAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  heads: number,
  options: { readonly scale?: number } = {},
): Tensor {
  checkOptions('crossAttention', options, ['scale']);
  const shapes = { q: q.shape, k: k.shape, v: v.shape };
  const [images = 0, queries = 0, channels = 0] = q.shape;
  const keys = k.shape[1] ?? 0;
  const width = channels / heads;
  if (q.shape.length !== 3 || !sameShape(k.shape, [images, keys, channels]) || !sameShape(k.shape, v.shape)) {
    throw new ShapeError('crossAttention', 'q must be [B, N, C], k and v [B, M, C]', shapes);
  }
  if (!Number.isInteger(width)) {
    throw new ShapeError('crossAttention', `C must be a multiple of ${heads} heads`, shapes);
  }
  const rows = <O extends string>(name: O, length: number) => layout(name, 0, length * channels, width, channels);
  return separate(q, k, v, {
    ...sizes('crossAttention', shapes, { images, heads, queries, keys, width }, options),
    ...rows('q', queries),
    ...rows('k', keys),
    ...rows('v', keys),
    ...rows('y', queries),
  });
}

/** The variant for CPU adapters, if it can be used: rows are read four values at a time. */
function subgroupFor(
  { device }: Tensor,
  { causal, scale, images, heads, queries, keys, ...places }: AttentionParams,
): Subgroup | undefined {
  return Object.values(places).every((place) => place % 4 === 0) ? subgroupOf(device) : undefined;
}

/** Attention with q, k and v in tensors of their own. */
function separate(q: Tensor, k: Tensor, v: Tensor, params: AttentionParams): Tensor {
  const { y, rowsOf } = forward(q, k, v, q.shape, params);
  return differentiable(y, [q, k, v], (dy) => {
    const [dq, dk, dv] = [empty(q), empty(k), empty(v)];
    const tensors = { q, k, v, dy, rows: rowsOf(dy), dq, dk, dv };
    const subgroup = subgroupFor(q, params);
    if (subgroup) dispatch(subgroupBackward(params.width, subgroup), tensors, params);
    else dispatch(backwardKernel(params.width), tensors, params);
    return [dq, dk, dv];
  });
}

/** Launches the forward. `rowsOf` launches what the backward needs of each query. */
function forward(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  shape: Shape,
  params: AttentionParams,
): { y: Tensor; rowsOf: (dy: Tensor) => Tensor } {
  const { images, heads, queries, width } = params;
  const y = empty(q, shape);
  const stats = empty(q, [images, heads, queries, 2], 'f32');
  const tensors = { q, k, v, y, stats };
  const subgroup = subgroupFor(q, params);
  if (subgroup) dispatch(subgroupForward(width, subgroup), tensors, params);
  else dispatch(forwardKernel(width), tensors, params);
  return {
    y,
    rowsOf: (dy) => {
      const rows = empty(q, [images, heads, queries, 3], 'f32');
      if (subgroup) dispatch(subgroupRows, { y, dy, stats, rows }, params);
      else dispatch(backwardRows, { y, dy, stats, rows }, params);
      return rows;
    },
  };
}

function sizes(
  op: string,
  shapes: Readonly<Record<string, Shape>>,
  extents: { images: number; heads: number; queries: number; keys: number; width: number },
  { scale, causal = false }: AttentionOptions,
): typeof extents & { causal: number; scale: number } {
  const { queries, keys, width } = extents;
  if (width < 1 || width > WIDEST_HEAD) {
    throw new ShapeError(op, `a head must be 1 to ${WIDEST_HEAD} wide, not ${width}`, shapes);
  }
  if (queries > 0 && keys === 0) throw new ShapeError(op, 'queries need at least one key', shapes);
  return { ...extents, causal: causal ? 1 : 0, scale: scale ?? width ** -0.5 };
}

function layout<O extends string>(
  name: O,
  start: number,
  image: number,
  head: number,
  row: number,
): Record<`${O}${'Start' | 'Image' | 'Head' | 'Row'}`, number> {
  const places = { [`${name}Start`]: start, [`${name}Image`]: image, [`${name}Head`]: head, [`${name}Row`]: row };
  return places as ReturnType<typeof layout<O>>;
}
