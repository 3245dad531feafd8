import { kernel } from '../../gpu/index.ts';
import {
  dispatch,
  elementGrid,
  elementLoop,
  elementOverride,
  elementParams,
  elementsOf,
  type Tensor,
} from '../../tensor/graph/index.ts';
import { blockWords } from './clip.ts';

/** `sum ← sum + scale · gradients` on a range of a flat buffer from block `block` on, in one launch: accumulation over micro-batches. */
export function accumulateBucket(sum: Tensor, gradients: Tensor, blocks: Tensor, block: number, scale: number): void {
  dispatch(accumulate, { sum, gradients, blocks }, { ...elementsOf(sum.device, sum.size), block, scale });
}

/** Copies a gradient to its place in a flat buffer. */
export function copyGradient(x: Tensor, y: Tensor): void {
  dispatch(copy, { x, y }, elementsOf(x.device, x.size));
}

const accumulate = /*#__PURE__*/ kernel({
  name: 'accumulate gradients',
  bind: { sum: 'update vec4<f32>', gradients: 'read vec4<T>', blocks: 'read u32' },
  params: { ...elementParams, block: 'u32', scale: 'f32' },
  override: elementOverride,
  use: [blockWords],
  grid: elementGrid,
  wgsl: /*#__PURE__*/ elementLoop(`
  sum[i] += select(vec4f(), params.scale * vec4f(gradients[i]), holds(blocks[params.block + i / 16u], i));`),
});

const copy = /*#__PURE__*/ kernel({
  name: 'copy gradient',
  bind: { x: 'read vec4<T>', y: 'write vec4<T>' },
  params: elementParams,
  override: elementOverride,
  grid: elementGrid,
  wgsl: /*#__PURE__*/ elementLoop('y[i] = x[i];'),
});
