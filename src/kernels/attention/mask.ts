// Masks in the kernels for GPUs, which read them by vec4s along the keys, and add them to the scores.
import type { Binding, Kernel, Piece } from '../../gpu/index.ts';
import { fill, type Tensor } from '../../tensor/graph/index.ts';
import { isFloat, type Shape, ShapeError } from '../../tensor/values/index.ts';
import { sum } from '../axis/index.ts';
import { castFloat } from '../elementwise/index.ts';
import { broadcastTo, concat, reshape } from '../layout/index.ts';

export const maskParams = {
  /** From image to image, head to head, row to row of the mask, in vec4s: 0 where it is broadcast. */
  maskImage: 'u32',
  maskHead: 'u32',
  maskRow: 'u32',
  /** The last vec4 of a row. */
  maskLast: 'u32',
  /** What the kernels take for images are as many heads of one. */
  maskGroups: 'u32',
  /** -∞, which is no literal: of a key that is not seen. */
  hidden: 'f32',
} as const;

export type MaskKind = 'u32' | 'f32';

/** A kernel that may have a mask among its bindings. */
export type AnyKernel = Kernel<Record<string, Binding>, Record<string, 'u32' | 'f32'>, Record<never, number>>;

/** A mask as the kernels read it. */
export interface KernelMask {
  readonly kind: MaskKind;
  readonly mask: Tensor;
  readonly params: Readonly<Record<keyof typeof maskParams, number>>;
}

/** Four keys from `key` on, a multiple of 4, of one row of the mask: what is added to the scores. */
export function maskPiece(kind: MaskKind): Piece {
  const values = { f32: 'mask[at]', u32: 'select(vec4f(params.hidden), vec4f(), mask[at] != vec4u())' }[kind];
  return {
    name: `mask-${kind}`,
    wgsl: `
fn maskBase(image: u32, head: u32) -> u32 {
  return image / params.maskGroups * params.maskImage + (image % params.maskGroups * params.heads + head) * params.maskHead;
}
fn maskAt(base: u32, row: u32, key: u32) -> vec4f {
  let at = base + min(row, params.queries - 1u) * params.maskRow + min(key / 4u, params.maskLast);
  return ${values};
}`,
  };
}

/** The mask's shape as four axes. @throws ShapeError unless it broadcasts to `full`, `[B, H, N, M]`. */
export function maskShape(op: string, mask: Tensor, full: Shape, shapes: Readonly<Record<string, Shape>>): Shape {
  const aligned = [...Array.from({ length: Math.max(0, 4 - mask.shape.length) }, () => 1), ...mask.shape];
  if (aligned.length !== 4 || !aligned.every((axis, i) => axis === 1 || axis === full[i])) {
    throw new ShapeError(op, 'the mask must broadcast to [B, H, N, M]', { ...shapes, mask: mask.shape });
  }
  return aligned;
}

/** `images` of the kernels are `groups` heads of each image. */
export function kernelMask(mask: Tensor, shape: Shape, keys: number, groups: number): KernelMask {
  const [images, heads, queries] = shape as readonly [number, number, number, number];
  // Masks of bool lie in memory as u32.
  const kind = isFloat(mask.dtype) ? 'f32' : 'u32';
  const floats = kind === 'f32' ? castFloat(mask, 'f32') : mask;
  const all = broadcastTo(reshape(floats, shape), [images, heads, queries, keys]);
  const fours = Math.ceil(keys / 4);
  const beyond = fours * 4 - keys;
  const strides = [heads * queries * fours, queries * fours, fours].map((stride, i) => (shape[i] === 1 ? 0 : stride));
  const [maskImage, maskHead, maskRow] = strides as [number, number, number];
  return {
    kind,
    // Not by pad, which pages that mask nothing would carry.
    mask: beyond === 0 ? all : concat([all, fill(mask.device, [images, heads, queries, beyond], 0, all.dtype)], 3),
    params: {
      maskImage,
      maskHead,
      maskRow,
      maskLast: fours - 1,
      maskGroups: groups,
      hidden: Number.NEGATIVE_INFINITY,
    },
  };
}

/** A gradient of all scores `[B, H, N, M]`, summed over the axes along which the mask was broadcast. */
export function maskSum(d: Tensor, mask: Tensor, shape: Shape): Tensor {
  const axes = shape.flatMap((axis, i) => (axis === 1 && d.shape[i] !== 1 ? [i] : []));
  const total = axes.length > 0 ? sum(d, { axes, keepDims: true }) : d;
  return castFloat(reshape(total, mask.shape), mask.dtype as 'f32' | 'f16');
}
