import type { Kernel } from '../../gpu/index.ts';
import type { Launch, Storage } from '../graph/index.ts';

/**
 * Fewer launches, with those of `kernel` left to others, that leave the same in memory and in what is `kept`. What they bind may be other
 * storages than before.
 */
export type FusionRule = (launches: readonly Launch[], kept: ReadonlySet<Storage>, kernel: Kernel) => readonly Launch[];

/** The launches of a step, in order, after the rules of their kernels. */
export async function fuse(launches: readonly Launch[], kept: ReadonlySet<Storage>): Promise<readonly Launch[]> {
  let left = launches;
  for (const kernel of new Set(launches.map((launch) => launch.kernel))) {
    if (kernel.rule) left = ((await kernel.rule()) as { readonly fuse: FusionRule }).fuse(left, kept, kernel);
  }
  return left;
}
