import type { Device } from '../../gpu/index.ts';
import { differentiable, dispatch, empty, type Tensor } from '../../tensor/graph/index.ts';
import { describe, type Shape, ShapeError, sameShape, shown } from '../../tensor/values/index.ts';
import { checkFloats, checkOperands, checkOptions, checkTensors, sum } from '../axis/index.ts';
import { repeat, reshape, split } from '../layout/index.ts';
import type { AttentionParams } from './interface.ts';
import { type KernelMask, kernelMask, maskShape } from './mask.ts';
import { fromHeads, maskedAttention, maskGradient, toHeads } from './masked-attention.ts';
import { type Subgroup, subgroupOf } from './subgroup-code.ts';
import { packedSubgroupBackward, subgroupBackward, subgroupForward, subgroupRows } from './subgroup-kernels.ts';
import { backwardKernel, maskedBackwardKernels, packedBackwardKernel, rowsKernel } from './tile-backward.ts';
import { forwardKernel, maskedForwardKernel, WIDEST_HEAD } from './tile-kernels.ts';

export interface AttentionOptions {
  /** What scores are multiplied by; default: head width ** -0.5. */
  readonly scale?: number;
  /** `true`: query i sees keys 0..i only. `'end'`: the last query sees all M keys, the one before M - 1: with keys of earlier steps in front. */
  readonly causal?: boolean | 'end';
  /**
   * Broadcasts to `[B, H, N, M]`. Of u32: which keys each query sees, where it is not 0. Of floats: what is added to the scores, with a
   * gradient. A query that sees no key gives zeros.
   */
  readonly mask?: Tensor | undefined;
}

/**
 * Attention of heads: `y = softmax(scale · q · kᵀ + mask) · v`, with `q [B, H, N, D]`, `k` and `v [B, G, M, D]`, `y [B, H, N, D]`. Where G is
 * less than H, each head of k and v serves H / G neighbouring heads of q (grouped queries, https://arxiv.org/abs/2305.13245). The
 * scores are never stored: memory grows with N + M, not with N · M (FlashAttention, Dao et al., 2022), whatever a mask is broadcast to. They
 * are stored for heads wider than 128, for the gradient of a mask, and with a mask of 16 queries or fewer, or, on a CPU, of up to 2²⁴ scores.
 *
 * Without a mask, a query whose scores hold NaN or ∞, or are all -∞, gives NaN. A query and a key that it does
 * not see have weight 0 together, so both must be finite: 0 · ∞ and 0 · NaN are NaN.
 *
 * With the weights `p` and `e = scale · p · (dy · vᵀ - sum(dy · y))` the gradients are `dq = e · k`, `dk = eᵀ · q`, `dv = pᵀ · dy`.
 *
 * ```ts
 * const q = tensor(device, [1, 0], [1, 1, 1, 2]);
 * const k = tensor(device, [1, 0, 0, 1], [1, 1, 2, 2]);
 * const v = tensor(device, [1, 2, 3, 4], [1, 1, 2, 2]);
 * await read(attention(q, k, v, { scale: Math.log(3) })); // weights 3/4 and 1/4: [1.5, 2.5]
 * await read(attention(q, k, v, { mask: tensor(device, [0, 1], [2], 'u32') })); // [3, 4]
 * ```
 *
 * @throws ShapeError when the shapes do not fit, G does not divide H, there are queries without any key, or `'end'` with fewer keys than
 * queries.
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  checkOperands('attention', { q, k, v });
  checkOptions('attention', options, ['scale', 'causal', 'mask']);
  const shapes = { q: q.shape, k: k.shape, v: v.shape };
  const [images = 0, heads = 0, queries = 0, width = 0] = q.shape;
  const [, groups = 0, keys = 0] = k.shape;
  if (q.shape.length !== 4 || !sameShape(k.shape, [images, groups, keys, width]) || !sameShape(k.shape, v.shape)) {
    throw new ShapeError('attention', 'q must be [B, H, N, D], k and v [B, G, M, D]', shapes);
  }
  const each = groups === heads ? 1 : heads / groups;
  if (!Number.isInteger(each)) {
    throw new ShapeError('attention', `the heads of k must divide those of q (${groups} and ${heads})`, shapes);
  }
  const how = { images: images * groups, heads: each, queries, keys, width };
  const given = sizes('attention', shapes, how, options);
  const mask = givenMask('attention', options.mask, [images, heads, queries, keys], shapes, groups);
  if (isStored(q.device, given, mask)) return maskedAttention(q, k, v, { ...given, mask: mask?.mask });
  const rows = <O extends string>(name: O, head: number, length: number) =>
    layout(name, 0, head === 0 ? length * width : each * head, head, width);
  // Heads that share a head of k are as many heads of one image, all with the same k.
  return separate(
    q,
    k,
    v,
    {
      ...given,
      ...rows('q', queries * width, queries),
      ...rows('k', each === 1 ? keys * width : 0, keys),
      ...rows('v', each === 1 ? keys * width : 0, keys),
      ...rows('y', queries * width, queries),
    },
    { to: (x) => x, back: (y) => y },
    mask,
  );
}

/**
 * Self-attention of packed rows: `qkv [B, N, 3 C]` holds q, k and v of width C one after the other, each of `heads` heads beside
 * each other; `y [B, N, C]` holds the heads beside each other. As {@link attention} of each head; nothing is permuted.
 *
 * ```ts
 * const y = qkvAttention(linear(x, weight), 12); // x [B, N, C], weight [3 C, C]
 * ```
 *
 * @throws ShapeError when the last axis is not 3 times a multiple of `heads`, or as {@link attention}.
 */
export function qkvAttention(qkv: Tensor, heads: number, options: AttentionOptions = {}): Tensor {
  checkFloats('qkvAttention', { qkv });
  checkOptions('qkvAttention', options, ['scale', 'causal', 'mask']);
  const shapes = { qkv: qkv.shape };
  const [images = 0, rows = 0, packed = 0] = qkv.shape;
  const channels = packed / 3;
  const width = Number.isInteger(heads) ? channels / heads : Number.NaN;
  if (qkv.shape.length !== 3 || !Number.isInteger(width)) {
    throw new ShapeError('qkvAttention', `qkv must be [B, N, 3 C], with C a multiple of ${shown(heads)} heads`, shapes);
  }
  const third = <O extends string>(name: O, n: number) => layout(name, n * channels, rows * packed, width, packed);
  const given = sizes('qkvAttention', shapes, { images, heads, queries: rows, keys: rows, width }, options);
  const mask = givenMask('qkvAttention', options.mask, [images, heads, rows, rows], shapes, 1);
  const parts = (x: Tensor) => split(x, 2, [channels, channels, channels]) as [Tensor, Tensor, Tensor];
  if (mask || isStored(qkv.device, given, mask)) return ofRows(...parts(qkv), given, mask);
  const params: AttentionParams = {
    ...given,
    ...third('q', 0),
    ...third('k', 1),
    ...third('v', 2),
    ...layout('y', 0, rows * channels, width, channels),
  };
  const { y, rowsOf } = forward(qkv, qkv, qkv, [images, rows, channels], params);
  const backward = (dy: Tensor) => {
    const dqkv = empty(qkv);
    const rows = rowsOf(dy);
    const subgroup = subgroupFor(qkv, params);
    if (subgroup) dispatch(packedSubgroupBackward(width, subgroup), { qkv, dy, rows, dqkv }, params);
    else dispatch(packedBackwardKernel(params, isFour(params)), { q: qkv, k: qkv, v: qkv, dy, rows, dqkv }, params);
    return [dqkv];
  };
  return differentiable(y, [qkv], backward, (x) => {
    const [q, k, v] = parts(x as Tensor).map((part) => toHeads(part, heads)) as [Tensor, Tensor, Tensor];
    return fromHeads(maskedAttention(q, k, v, { ...given, mask: undefined }));
  });
}

/**
 * Attention of rows to other rows: `q [B, N, C]`, `k` and `v [B, M, C]`, `y [B, N, C]`, all with `heads` heads beside each other.
 * As {@link attention} of each head; nothing is permuted.
 *
 * @throws ShapeError when the shapes do not fit, C is no multiple of `heads`, or as {@link attention}.
 */
export function crossAttention(q: Tensor, k: Tensor, v: Tensor, heads: number, options: AttentionOptions = {}): Tensor {
  checkOperands('crossAttention', { q, k, v });
  checkOptions('crossAttention', options, ['scale', 'causal', 'mask']);
  const shapes = { q: q.shape, k: k.shape, v: v.shape };
  const [images = 0, queries = 0, channels = 0] = q.shape;
  const keys = k.shape[1] ?? 0;
  const width = Number.isInteger(heads) ? channels / heads : Number.NaN;
  if (q.shape.length !== 3 || !sameShape(k.shape, [images, keys, channels]) || !sameShape(k.shape, v.shape)) {
    throw new ShapeError('crossAttention', 'q must be [B, N, C], k and v [B, M, C]', shapes);
  }
  if (!Number.isInteger(width)) {
    throw new ShapeError('crossAttention', `C must be a multiple of ${shown(heads)} heads`, shapes);
  }
  const given = sizes('crossAttention', shapes, { images, heads, queries, keys, width }, options);
  const mask = givenMask('crossAttention', options.mask, [images, heads, queries, keys], shapes, 1);
  return ofRows(q, k, v, given, mask);
}

/** Attention of rows with all heads beside each other. */
function ofRows(q: Tensor, k: Tensor, v: Tensor, given: Given, mask: GivenMask | undefined): Tensor {
  const { heads, queries, keys, width } = given;
  const form: Form = { to: (x) => toHeads(x, heads), back: fromHeads };
  if (isStored(q.device, given, mask)) {
    return form.back(maskedAttention(form.to(q), form.to(k), form.to(v), { ...given, mask: mask?.mask }));
  }
  const channels = heads * width;
  const rows = <O extends string>(name: O, length: number) => layout(name, 0, length * channels, width, channels);
  const params = { ...given, ...rows('q', queries), ...rows('k', keys), ...rows('v', keys), ...rows('y', queries) };
  return separate(q, k, v, params, form, mask);
}

/** Whether rows can be read four values at a time. */
function isFour({ causal, scale, images, heads, queries, keys, ...places }: AttentionParams): boolean {
  return Object.values(places).every((place) => place % 4 === 0);
}

/** The variant for CPU adapters, if it can be used. */
function subgroupFor({ device }: Tensor, params: AttentionParams): Subgroup | undefined {
  const { images, heads, queries, keys, width } = params;
  return isFour(params) ? subgroupOf(device, images * heads * queries * keys * width) : undefined;
}

/** How a tensor is turned to heads `[B, H, N, D]`, and back. */
interface Form {
  readonly to: (x: Tensor) => Tensor;
  readonly back: (y: Tensor) => Tensor;
}

/** Attention with q, k and v in tensors of their own. */
function separate(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  params: AttentionParams,
  { to, back }: Form,
  mask: GivenMask | undefined,
): Tensor {
  const fused = mask && kernelMask(mask.mask, mask.shape, params.keys, mask.groups);
  const { y, rowsOf } = forward(q, k, v, q.shape, params, fused);
  const { heads, keys, width } = params;
  const backwards = (dy: Tensor) => {
    if (params.kHead > 0 || heads === 1) return backward(q, k, v, dy, rowsOf(dy), params, fused);
    // Each head of k and v gets what its heads of q send, in places of their own, which are added up.
    const own = {
      kHead: keys * width,
      vHead: keys * width,
      kImage: heads * keys * width,
      vImage: heads * keys * width,
    };
    const all = [repeat(k, heads, 1), repeat(v, heads, 1)] as const;
    const [dq, ...rest] = backward(q, ...all, dy, rowsOf(dy), { ...params, ...own }, fused);
    const added = (d: Tensor) => {
      const [images, groups] = k.shape as readonly [number, number];
      return sum(reshape(d, [images, groups, heads, keys, width]), { axes: 2 });
    };
    return [dq, ...rest.map(added)];
  };
  const plain = (...[q, k, v, mask]: readonly Tensor[]) =>
    back(maskedAttention(to(q as Tensor), to(k as Tensor), to(v as Tensor), { ...params, mask }));
  if (!mask) return differentiable(y, [q, k, v], backwards, plain);
  const how = { ...params, mask: mask.mask };
  if (fused?.kind === 'u32') return differentiable(y, [q, k, v], backwards, (...qkv) => plain(...qkv, mask.mask));
  // What the gradient of the mask takes is dropped where nobody asks for it.
  const withMask = (dy: Tensor) => [
    ...backwards(dy),
    maskGradient([to(q), to(k), to(v), to(y), to(dy)], how, mask.shape),
  ];
  return differentiable(y, [q, k, v, mask.mask], withMask, plain);
}

function backward(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  dy: Tensor,
  rows: Tensor,
  params: AttentionParams,
  mask: KernelMask | undefined,
): [Tensor, Tensor, Tensor] {
  const [dq, dk, dv] = [empty(q), empty(k), empty(v)];
  if (mask) {
    const kernels = maskedBackwardKernels(params, isFour(params), mask.kind);
    const [given, all] = [
      { q, k, v, dy, rows, mask: mask.mask },
      { ...params, ...mask.params },
    ];
    dispatch(kernels.queries, { ...given, dq }, all);
    dispatch(kernels.keys, { ...given, dk, dv }, all);
    return [dq, dk, dv];
  }
  const tensors = { q, k, v, dy, rows, dq, dk, dv };
  const subgroup = subgroupFor(q, params);
  if (subgroup) dispatch(subgroupBackward(params.width, subgroup), tensors, params);
  else dispatch(backwardKernel(params, isFour(params)), tensors, params);
  return [dq, dk, dv];
}

/** Launches the forward. `rowsOf` launches what the backward needs of each query. */
function forward(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  shape: Shape,
  params: AttentionParams,
  mask?: KernelMask,
): { y: Tensor; rowsOf: (dy: Tensor) => Tensor } {
  const { images, heads, queries, width } = params;
  const y = empty(q, shape);
  const stats = empty(q, [images, heads, queries, 2], 'f32');
  const tensors = { q, k, v, y, stats };
  const subgroup = mask ? undefined : subgroupFor(q, params);
  if (mask) {
    const masked = { ...tensors, mask: mask.mask };
    dispatch(maskedForwardKernel(params, isFour(params), mask.kind), masked, { ...params, ...mask.params });
  } else if (subgroup) dispatch(subgroupForward(width, subgroup), tensors, params);
  else dispatch(forwardKernel(params, isFour(params)), tensors, params);
  return {
    y,
    rowsOf: (dy) => {
      const rows = empty(q, [images, heads, queries, 3], 'f32');
      if (subgroup) dispatch(subgroupRows, { y, dy, stats, rows }, params);
      else dispatch(rowsKernel(isFour(params)), { y, dy, stats, rows }, params);
      return rows;
    },
  };
}

type Given = Pick<AttentionParams, 'images' | 'heads' | 'queries' | 'keys' | 'width' | 'causal' | 'scale'>;

function sizes(
  op: string,
  shapes: Readonly<Record<string, Shape>>,
  extents: Omit<Given, 'causal' | 'scale'>,
  { scale, causal = false }: AttentionOptions,
): Given {
  const { queries, keys, width } = extents;
  if (width < 1) throw new ShapeError(op, `a head must be at least 1 wide, not ${width}`, shapes);
  if (queries > 0 && keys === 0) throw new ShapeError(op, 'queries need at least one key', shapes);
  if (causal !== 'end' && typeof causal !== 'boolean') {
    throw new ShapeError(op, `causal must be true, false or 'end'; it is ${describe(causal)}`);
  }
  if (causal === 'end' && keys < queries) {
    throw new ShapeError(op, `with causal 'end' there must be as many keys as queries, or more`, shapes);
  }
  const seen = causal === 'end' ? keys - queries + 1 : Number(causal);
  return { ...extents, causal: seen, scale: scale ?? width ** -0.5 };
}

interface GivenMask {
  readonly mask: Tensor;
  /** Four axes, of which each is 1 or that of the scores. */
  readonly shape: Shape;
  /** Heads of k that the kernels take for images. */
  readonly groups: number;
}

function givenMask(
  op: string,
  mask: Tensor | undefined,
  full: Shape,
  shapes: Readonly<Record<string, Shape>>,
  groups: number,
): GivenMask | undefined {
  if (!mask) return undefined;
  checkTensors(op, { mask });
  return { mask, shape: maskShape(op, mask, full, shapes), groups };
}

/** Few queries leave a tile empty, and their scores are no more than the keys. */
const FEW_QUERIES = 16;

/** On a CPU the kernels with masks take seconds to compile, more than they save of fewer scores. */
const FEW_SCORES_ON_CPU = 2 ** 24;

/** Whether the scores are stored. */
function isStored({ profile }: Device, given: Given, mask: GivenMask | undefined): boolean {
  const { images, heads, queries, keys, width } = given;
  if (mask === undefined || width > WIDEST_HEAD) return width > WIDEST_HEAD;
  if (queries <= FEW_QUERIES) return true;
  return profile.kind === 'cpu' && images * heads * queries * keys <= FEW_SCORES_ON_CPU;
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
