// Attention whose scores are stored: of few queries with a mask, and of heads that are wider than the registers of an invocation hold.
import type { Tensor } from '../../tensor/graph/index.ts';
import { isFloat, type Shape } from '../../tensor/values/index.ts';
import { sum } from '../axis/index.ts';
import { less } from '../comparison/index.ts';
import { add, castFloat, floatType, mul, scale, sub, where } from '../elementwise/index.ts';
import { arange, permute, reshape } from '../layout/index.ts';
import { matmul } from '../matmul/index.ts';
import { softmax } from '../row-ops/index.ts';
import { maskSum } from './mask.ts';

export interface Masked {
  readonly mask: Tensor | undefined;
  readonly scale: number;
  /** How many keys the first query sees, each next one more; 0 where all see all. */
  readonly causal: number;
}

/** `softmax(scale · q · kᵀ + mask) · v` of heads, by products of matrices; lines of nothing but -∞ have no weights. */
export function maskedAttention(q: Tensor, k: Tensor, v: Tensor, how: Masked): Tensor {
  const weights = weightsOf(q, k, how);
  return reshape(matmul(reshape(weights, rowsOf(q, k, k.shape[2] as number)), v), q.shape);
}

/** The gradient of a mask `[B, H, N, M]` (or 1 for any) that is added: `p · (dy · vᵀ - sum(dy · y))`, summed over what it was broadcast to. */
export function maskGradient(
  [q, k, v, y, dy]: readonly [q: Tensor, k: Tensor, v: Tensor, y: Tensor, dy: Tensor],
  how: Masked & { readonly mask: Tensor },
  shape: Shape,
): Tensor {
  const weights = weightsOf(q, k, how);
  const products = matmul(reshape(dy, rowsOf(q, k, q.shape[3] as number)), v, { transposeB: true });
  const lost = sum(mul(dy, y), { axes: -1, keepDims: true });
  return maskSum(mul(weights, sub(reshape(products, weights.shape), lost)), how.mask, shape);
}

/** The queries of heads that share a head of k, as rows of one product. */
function rowsOf(q: Tensor, k: Tensor, last: number): Shape {
  const [images, heads, queries] = q.shape as readonly [number, number, number];
  const groups = k.shape[1] as number;
  return [images, groups, groups === 0 ? 0 : (heads / groups) * queries, last];
}

function weightsOf(q: Tensor, k: Tensor, { scale: factor, mask, causal }: Masked): Tensor {
  const [images, heads, queries, width] = q.shape as readonly [number, number, number, number];
  const keys = k.shape[2] as number;
  // Scaled before the product, which in f16 overflows sooner.
  const products = matmul(reshape(scale(q, factor), rowsOf(q, k, width)), k, { transposeB: true });
  let scores = reshape(products, [images, heads, queries, keys]);
  if (mask) {
    scores = isFloat(mask.dtype)
      ? add(scores, castFloat(mask, floatType(scores)))
      : where(mask, scores, Number.NEGATIVE_INFINITY);
  }
  if (causal > 0) {
    const seen = reshape(arange(q.device, causal, causal + queries), [queries, 1]);
    scores = where(less(arange(q.device, keys), seen), scores, Number.NEGATIVE_INFINITY);
  }
  return softmax(scores);
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
