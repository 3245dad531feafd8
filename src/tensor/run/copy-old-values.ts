// Loaded on demand: imports no values of other scripts (see `on-demand.ts`).
import type { Launch, Storage, Tensor } from '../graph/index.ts';
import type { Shared } from './on-demand.ts';
import type { Results } from './results.ts';

/**
 * What was taken of a variable before launches write it, and is used after that, is copied before. So is what is returned, and what a launch
 * reads of a variable that it writes, or of the buffer that this shares with others: WebGPU has no such launch. Launches read the copies from
 * then on.
 */
export function copyOldValues<R extends Results>(
  effects: ReadonlyMap<Storage, readonly Launch[]>,
  launches: readonly Launch[],
  results: R,
  { kernel, dispatch, empty, over, writes, mapResults }: Shared,
): { readonly launches: readonly Launch[]; readonly results: R } {
  const kernelOf = (element: 'T' | 'u32') =>
    kernel({
      name: 'copy of old values',
      bind: { x: `read vec4<${element}>`, y: `write vec4<${element}>` },
      params: { n: 'u32' },
      grid: ({ n }) => [Math.ceil(n / 64)],
      wgsl: `
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * 64 + l;
  if (i < params.n) { y[i] = x[i]; }
}`,
    });
  const kernels = { T: kernelOf('T'), u32: kernelOf('u32') };
  /** Copies, by the launches before which they are made; at the end. */
  const copies = new Map<Launch | undefined, Map<Storage, Tensor>>();
  const copyBefore = (launch: Launch | undefined, x: Tensor): Tensor => {
    const known = copies.get(launch) ?? new Map<Storage, Tensor>();
    copies.set(launch, known);
    let y = known.get(x.storage);
    if (!y) {
      known.set(x.storage, (y = empty(x)));
      dispatch(kernels[/^f/.test(x.dtype) ? 'T' : 'u32'], { x, y }, { n: Math.ceil(x.size / 4) });
    }
    return over(y, x.shape, x.dtype);
  };
  /** The first launch, of those numbered so, after which `x` is not what it was. Written itself, as `x`, it is what it is then. */
  const overwriting = (x: Tensor, to: number): Launch | undefined => {
    const { storage, asOf = to } = x;
    const writers = effects.get(storage.root)?.filter(({ order }) => order >= asOf && order < to) ?? [];
    const writesTo = (launch: Launch, isIt: (t: Tensor) => boolean) =>
      launch.tensors.some((t, i) => writes(launch, i) && isIt(t));
    const last = writers.findLastIndex((writer) => writesTo(writer, (t) => t === x));
    return writers.slice(last + 1).find((writer) => writesTo(writer, (t) => overlap(t.storage, storage)));
  };
  for (const launch of launches) {
    const tensors = launch.tensors.map((x, i) => {
      if (x.size === 0 || writes(launch, i)) return x;
      const isOwn = effects.get(x.storage.root)?.includes(launch);
      const before = overwriting(x, launch.order) ?? (isOwn ? launch : undefined);
      return before ? copyBefore(before, x) : x;
    });
    Object.assign(launch, { tensors });
  }
  const returned = mapResults(results, (x) =>
    x.asOf === undefined || x.size === 0 ? x : copyBefore(overwriting(x, Number.POSITIVE_INFINITY), x),
  );
  const before = (launch?: Launch) =>
    [...(copies.get(launch)?.values() ?? [])].flatMap(({ storage }) => storage.writers);
  return {
    launches: [...launches.flatMap((launch) => [...before(launch), launch]), ...before()],
    results: returned,
  };
}

function overlap(a: Storage, b: Storage): boolean {
  return a.root === b.root && a.rootOffset < b.rootOffset + b.bytes && b.rootOffset < a.rootOffset + a.bytes;
}
