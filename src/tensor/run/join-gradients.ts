// Loaded on demand: imports no values of other scripts (see `on-demand.ts`).
import type { Launch, Storage, Tensor } from '../graph/index.ts';

/**
 * A sum `y = a + b` of gradients that meet, a launch of `kernel`, is left to the launch that makes the later of the two, where
 * that can add something to its result (`adds` of its kernel) and nobody else reads it.
 */
export function joinGradients(
  launches: readonly Launch[],
  kept: ReadonlySet<Storage>,
  kernel: Launch['kernel'],
): readonly Launch[] {
  const left: (Launch | undefined)[] = [...launches];
  /** The places of launches that use a root. */
  const uses = new Map<Storage, Set<number>>();
  const use = ({ tensors }: Launch, at: number) => {
    for (const { storage } of tensors) uses.set(storage.root, (uses.get(storage.root) ?? new Set()).add(at));
  };
  launches.forEach(use);
  const usesOf = ({ storage }: Tensor) => uses.get(storage.root) ?? new Set<number>();

  /** The launch at `place`, if it alone makes `t`, for the sum at `at` alone, and can add `other` to it as `y`. */
  const joined = (t: Tensor, other: Tensor, y: Tensor, place: number, at: number): Launch | undefined => {
    const { storage } = t;
    const launch = left[place];
    if (!launch || launch.loop || storage.kind !== 'recorded' || storage.parent || kept.has(storage)) return undefined;
    if (usesOf(t).size !== 2 || place >= at) return undefined;
    const { adds, names, paramNames } = launch.kernel;
    if (!adds || launch.tensors[names.indexOf(adds)]?.storage !== storage) return undefined;
    const when = paramNames.indexOf('hasResidual');
    if (launch.params[when] !== 0) return undefined;
    // What is added is there before, and stays.
    for (const n of usesOf(other)) if (n >= place && n < at && left[n] && writesTo(left[n], other)) return undefined;
    const tensors = launch.tensors.map((one, i) => (names[i] === adds ? y : names[i] === 'residual' ? other : one));
    const fused = {
      ...launch,
      tensors,
      params: launch.params.map((value, i) => (i === when ? 1 : value)),
    };
    // WebGPU refuses a launch that reads one part of a buffer and writes another.
    return tensors.some((one, i) => fused.kernel.bindings[i]?.access === 'read' && writesTo(fused, one))
      ? undefined
      : fused;
  };

  launches.forEach((sum, at) => {
    if (sum.kernel !== kernel || sum.loop) return;
    const [a, b, y] = sum.tensors as [Tensor, Tensor, Tensor];
    for (const [t, other] of [
      [b, a],
      [a, b],
    ] as const) {
      const place = Math.min(...usesOf(t));
      const fused = joined(t, other, y, place, at);
      if (!fused) continue;
      for (const one of [a, b, y]) usesOf(one).delete(at);
      uses.delete(t.storage);
      left[at] = undefined;
      left[place] = fused;
      use(fused, place);
      break;
    }
  });
  return left.filter((launch) => launch !== undefined);
}

/** Whether a launch writes to what holds `t`. */
function writesTo({ kernel, tensors }: Launch, t: Tensor): boolean {
  return tensors.some(({ storage }, i) => storage.root === t.storage.root && kernel.bindings[i]?.access !== 'read');
}
