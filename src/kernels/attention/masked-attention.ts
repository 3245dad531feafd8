// Attention whose scores are stored: with masks, or heads that are wider than the registers of an invocation hold.
import type { Tensor } from '../../tensor/graph/index.ts';
import { isFloat, type Shape, ShapeError, sameShape } from '../../tensor/values/index.ts';
import { less } from '../comparison/index.ts';
import { add, castFloat, floatType, scale, where } from '../elementwise/index.ts';
import { arange, permute, reshape } from '../layout/index.ts';
import { matmul } from '../matmul/index.ts';
import { softmax } from '../row-ops/index.ts';

export interface Masked {
  readonly mask: Tensor | undefined;
  readonly scale: number;
  /** How many keys the first query sees, each next one more; 0 where all see all. */
  readonly causal: number;
}

/** `softmax(scale · q · kᵀ + mask) · v` of heads, by products of matrices; lines of nothing but -∞ have no weights. */
export function maskedAttention(op: string, q: Tensor, k: Tensor, v: Tensor, how: Masked): Tensor {
  const [images, heads, queries, width] = q.shape as readonly [number, number, number, number];
  const [, groups, keys] = k.shape as readonly [number, number, number];
  // The queries of heads that share a head of k are rows of one product.
  const rows = [images, groups, groups === 0 ? 0 : (heads / groups) * queries] as const;
  // Scaled before the product, which in f16 overflows sooner.
  const all = matmul(reshape(scale(q, how.scale), [...rows, width]), k, { transposeB: true });
  let scores = reshape(all, [images, heads, queries, keys]);
  const { mask, causal } = how;
  if (mask) scores = masked(op, scores, mask);
  if (causal > 0) {
    const seen = reshape(arange(q.device, causal, causal + queries), [queries, 1]);
    scores = where(less(arange(q.device, keys), seen), scores, Number.NEGATIVE_INFINITY);
  }
  if (!sameShape(scores.shape, [images, heads, queries, keys])) {
    const shapes: Record<string, Shape> = { q: q.shape, k: k.shape, ...(mask && { mask: mask.shape }) };
    throw new ShapeError(op, `the mask must broadcast to [B, H, N, M]`, shapes);
  }
  return reshape(matmul(reshape(softmax(scores), [...rows, keys]), v), q.shape);
}

function masked(op: string, scores: Tensor, mask: Tensor): Tensor {
  if (mask.shape.length > 4) {
    throw new ShapeError(op, 'the mask must broadcast to [B, H, N, M]', { scores: scores.shape, mask: mask.shape });
  }
  if (!isFloat(mask.dtype)) return where(mask, scores, Number.NEGATIVE_INFINITY);
  return add(scores, castFloat(mask, floatType(scores)));
}

/** Rows `[B, N, H · D]` as heads `[B, H, N, D]`. */
export function toHeads(x: Tensor, heads: number): Tensor {
  const [images, rows, channels] = x.shape as readonly [number, number, number];
  return permute(reshape(x, [images, rows, heads, channels / heads]), [0, 2, 1, 3]);
}

/** Heads as rows again. */
export function fromHeads(y: Tensor): Tensor {
  const [images, heads, rows, width] = y.shape as readonly [number, number, number, number];
  return reshape(permute(y, [0, 2, 1, 3]), [images, rows, heads * width]);
}
