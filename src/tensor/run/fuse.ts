import type { Kernel } from '../../gpu/index.ts';
import type { Launch, Storage } from '../graph/index.ts';

/**
 * Fewer launches, with those of `kernel` left to others, that leave the same in memory and in what is `kept`. What they bind may be other
 * storages than before. `load` brings what rules have in common.
 */
export type FusionRule = (
  launches: readonly Launch[],
  kept: ReadonlySet<Storage>,
  kernel: Kernel,
  load: () => Promise<FusionTools>,
) => readonly Launch[] | Promise<readonly Launch[]>;

export type FusionTools = typeof import('./fusion.ts');

const load = (): Promise<FusionTools> => import('./fusion.ts');
/** A step of fewer launches does without what is folded, and need not load it. */
const FEW_LAUNCHES = 24;

/**
 * The launches of a step, in order, after the rules of their kernels: those last that are launched first, as products are, which others
 * leave something to. Then pointwise ops are folded into their readers.
 */
export async function fuse(launches: readonly Launch[], kept: ReadonlySet<Storage>): Promise<readonly Launch[]> {
  let left = launches;
  for (const kernel of [...new Set(launches.map((launch) => launch.kernel))].reverse()) {
    const rule = (await kernel.rule?.(left.length)) as { readonly fuse: FusionRule } | undefined;
    if (rule) left = await rule.fuse(left, kept, kernel, load);
  }
  return launches.length < FEW_LAUNCHES ? left : (await load()).fold(left, kept);
}
