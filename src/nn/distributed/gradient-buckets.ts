import { range, type Tensor } from '../../tensor/graph/index.ts';
import type { Optimizer } from '../optimizer/index.ts';

/**
 * The ranges of an optimizer's `gradientSums` that its `accumulate` writes one by one, in the order in which they are written, the last first: what
 * a step reads by `readEarly`, and `allReduce` sums while the backward pass still runs.
 *
 * ```ts
 * const backward = await step(device, { x: [4, 8] }, body, { readEarly: () => gradientBuckets(optimizer) });
 * const { results, early } = backward.readEarly({ x });
 * await allReduce(group, gradientBuckets(optimizer), { early });
 * ```
 */
export function gradientBuckets(optimizer: Optimizer): readonly Tensor[] {
  const sums = optimizer.gradientSums();
  return optimizer.flat.buckets
    .map(({ buffer, offset, floats }) => range(sums[buffer] as Tensor, offset, [floats]))
    .reverse();
}
