import type { Launch, Storage } from '../graph/index.ts';

/** As in `fusion.ts`, which a step of so few loads for a rule of its kernels alone. */
const FEW_LAUNCHES = 24;

/**
 * The launches of a step, in order, after the rules of their kernels: see `fusion.ts`, which is loaded where there is something to do. On a
 * CPU adapter that is where a kernel has a rule, as in training; on a GPU, unless there are few, what is folded pays by itself.
 */
export async function fuse(launches: readonly Launch[], kept: ReadonlySet<Storage>): Promise<readonly Launch[]> {
  const areCheap = launches.length < FEW_LAUNCHES || launches[0]?.tensors[0]?.device.profile.kind === 'cpu';
  return areCheap && !launches.some(({ kernel }) => kernel.rule?.(areCheap))
    ? launches
    : (await import('./fusion.ts')).fuseAll(launches, kept, areCheap);
}
