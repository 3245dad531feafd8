// Loaded on demand: what makes fewer launches of a step, in one script, which imports no values of others (see `on-demand.ts`).
import type { Kernel } from '../../gpu/index.ts';
import type { Launch, Storage } from '../graph/index.ts';
import { fold } from './fold.ts';
import { joinGradients } from './join-gradients.ts';
import { areBound, gatherParts, groupWaiting } from './waiting.ts';

/**
 * Fewer launches, with those of `kernel` left to others, that leave the same in memory and in what is `kept`. What they bind may be other
 * storages than before. `tools` are what rules have in common.
 */
export type FusionRule = (
  launches: readonly Launch[],
  kept: ReadonlySet<Storage>,
  kernel: Kernel,
  tools: FusionTools,
) => readonly Launch[] | Promise<readonly Launch[]>;

/** A step of fewer launches does without what is folded. */
const FEW_LAUNCHES = 24;

export interface FusionTools {
  readonly areBound: typeof areBound;
  readonly gatherParts: typeof gatherParts;
  readonly groupWaiting: typeof groupWaiting;
}

const tools: FusionTools = { areBound, gatherParts, groupWaiting };

/**
 * The launches of a step, in order, after the rules of their kernels: those last that are launched first, as products are, which others
 * leave something to. Then, unless there are few, pointwise ops are folded into their readers.
 */
export async function fuseAll(
  launches: readonly Launch[],
  kept: ReadonlySet<Storage>,
  areCheap: boolean,
): Promise<readonly Launch[]> {
  let left = launches;
  for (const kernel of [...new Set(launches.map((launch) => launch.kernel))].reverse()) {
    const rule = (await kernel.rule?.(areCheap)) as { readonly fuse: FusionRule } | 1 | undefined;
    if (rule) left = await (rule === 1 ? joinGradients : rule.fuse)(left, kept, kernel, tools);
  }
  return launches.length < FEW_LAUNCHES ? left : fold(left, kept);
}
