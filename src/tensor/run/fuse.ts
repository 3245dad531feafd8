import type { Kernel } from '../../gpu/index.ts';
import type { Launch, Storage } from '../graph/index.ts';

/**
 * Fewer launches, with those of `kernel` left to others, that leave the same in memory and in what is `kept`. What they bind may be other
 * storages than before.
 */
export type FusionRule = (
  launches: readonly Launch[],
  kept: ReadonlySet<Storage>,
  kernel: Kernel,
) => readonly Launch[] | Promise<readonly Launch[]>;

/**
 * The launches of a step, in order, after the rules of their kernels: those last that are launched first, as products are, which others
 * leave something to.
 */
export async function fuse(launches: readonly Launch[], kept: ReadonlySet<Storage>): Promise<readonly Launch[]> {
  let left = launches;
  for (const kernel of [...new Set(launches.map((launch) => launch.kernel))].reverse()) {
    const rule = (await kernel.rule?.(left.length)) as { readonly fuse: FusionRule } | undefined;
    if (rule) left = await rule.fuse(left, kept, kernel);
  }
  return left;
}
