import type { Launch, Storage } from '../graph/index.ts';

/** As in `fusion.ts`, which a step of so few loads for a rule of its kernels alone. */
const FEW_LAUNCHES = 24;

/** The launches of a step, in order, after the rules of their kernels: see `fusion.ts`, which is loaded where there is something to do. */
export async function fuse(launches: readonly Launch[], kept: ReadonlySet<Storage>): Promise<readonly Launch[]> {
  return launches.length < FEW_LAUNCHES && !launches.some(({ kernel }) => kernel.rule?.(true))
    ? launches
    : (await import('./fusion.ts')).fuseAll(launches, kept);
}
