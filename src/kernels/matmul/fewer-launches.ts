// Loaded on demand, with what it imports: no values of anything else (see `tensor/run/on-demand.ts`).
import type { Launch, Storage } from '../../tensor/graph/index.ts';
import type { FusionTools } from '../../tensor/run/index.ts';
import { putSideBySide } from './side-by-side.ts';
import { joinSplitSums } from './split-sums.ts';

/**
 * The rule of products' kernels for GPUs: products run side by side, and parts of several are added up together. Once for all of them, at
 * the last of their kernels that is asked.
 */
export async function fuse(
  launches: readonly Launch[],
  kept: ReadonlySet<Storage>,
  { rule, names }: Launch['kernel'],
  tools: FusionTools,
): Promise<readonly Launch[]> {
  const isOne = ({ kernel }: Launch) => kernel.rule === rule && kernel.names[0] === names[0];
  if (launches.find(isOne)?.kernel.names !== names) return launches;
  return names[0] === 'parts' ? joinSplitSums(launches, kept, isOne, tools) : putSideBySide(launches, isOne, tools);
}
