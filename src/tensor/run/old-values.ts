import type { Launch, Recording } from '../graph/index.ts';
import { writes } from './lifetimes.ts';
import { shared } from './on-demand.ts';
import { type Results, tensorsOf } from './results.ts';

/**
 * What was taken of a variable has the values of then, although both share memory: copies are made where that is not so by itself, by
 * `copy-old-values.ts`, which is loaded where there is something to do.
 */
export async function keepOldValues<R extends Results>(
  { effects }: Recording,
  launches: readonly Launch[],
  results: R,
): Promise<{ readonly launches: readonly Launch[]; readonly results: R }> {
  const readsOld = (launch: Launch) =>
    launch.tensors.some(
      ({ storage, asOf = launch.order }, i) =>
        !writes(launch, i) && effects.get(storage.root)?.some(({ order }) => order >= asOf && order <= launch.order),
    );
  return launches.some(readsOld) || tensorsOf(results).some(({ asOf }) => asOf !== undefined)
    ? (await import('./copy-old-values.ts')).copyOldValues(effects, launches, results, shared)
    : { launches, results };
}
