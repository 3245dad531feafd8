// Loaded on demand: imports no values of other scripts (see `on-demand.ts`).
import type { Launch, Storage, Tensor } from '../graph/index.ts';

/** What a launch adds up, and what becomes of it. */
export interface Parts {
  readonly parts: Tensor;
  readonly results: readonly Tensor[];
}

/** A launch that can wait for others: at a place in the list, for parts of a launch at another, until somebody needs its results. */
export interface Waiting<P extends Parts = Parts> {
  readonly at: number;
  readonly launch: Launch;
  readonly madeAt: number;
  readonly until: number;
  readonly sums: readonly P[];
}

/**
 * Launches that can be one: those that `partsOf` knows, whose results lie in one buffer, as an optimizer has gradients. Each waits for the last
 * of its group, as nobody needs its results before; their parts, which nobody else uses, take no more than `mostBytes`.
 */
export function groupWaiting<P extends Parts>(
  launches: readonly Launch[],
  kept: ReadonlySet<Storage>,
  mostBytes: number,
  partsOf: (launch: Launch) => readonly P[] | undefined,
): readonly (readonly Waiting<P>[])[] {
  const uses = new Map<Storage, number[]>();
  launches.forEach(({ tensors }, at) => {
    for (const { storage } of tensors) uses.set(storage.root, [...(uses.get(storage.root) ?? []), at]);
  });
  const groups: Waiting<P>[][] = [];
  const open = new Map<Storage, Waiting<P>[]>();
  launches.forEach((launch, at) => {
    const sums = launch.loop ? undefined : partsOf(launch);
    const root = sums?.[0]?.results[0]?.storage.root;
    if (!sums || !root) return;
    const results = sums.flatMap((sum) => sum.results.map(({ storage }) => storage));
    if (results.some((one) => !one.parent || one.root !== root)) return;
    let madeAt = at;
    for (const { parts } of sums) {
      const { storage } = parts;
      const [first = at, second, ...others] = uses.get(storage) ?? [];
      if (kept.has(storage) || storage.parent || first >= at || second !== at || others.length > 0) return;
      madeAt = first;
    }
    const needs = (place: number) =>
      launches[place]?.tensors.some(({ storage }) => results.some((one) => overlap(one, storage)));
    const until = uses.get(root)?.find((place) => place > at && needs(place)) ?? launches.length;
    const one = { at, launch, madeAt, until, sums };
    const group = open.get(root);
    if (!group || group.some((other) => other.until <= at) || bytesOf([...group, one]) > mostBytes) {
      const next = [one];
      open.set(root, next);
      groups.push(next);
    } else group.push(one);
  });
  return groups.filter(({ length }) => length > 1);
}

const bytesOf = (group: readonly Waiting[]) =>
  group.flatMap(({ sums }) => sums).reduce((all, { parts }) => all + parts.storage.bytes, 0);

/** Whether two storages have bytes in common. */
export function overlap(a: Storage, b: Storage): boolean {
  return a.root === b.root && a.rootOffset < b.rootOffset + b.bytes && b.rootOffset < a.rootOffset + a.bytes;
}

/** Whether launches must keep their order: one writes what the other uses. */
export function areBound(a: Launch, b: Launch): boolean {
  return a.tensors.some((x, i) =>
    b.tensors.some(
      (y, k) => (isWritten(a, i) || isWritten(b, k)) && x.size > 0 && y.size > 0 && overlap(x.storage, y.storage),
    ),
  );
}

const isWritten = ({ kernel }: Launch, i: number) => kernel.bindings[i]?.access !== 'read';

interface Classes {
  readonly Storage: typeof Storage;
  readonly Tensor: typeof Tensor;
}

/**
 * The parts of a group as one tensor of f32, and where each lies there, in bytes: the launches that make them, in `left`, write them there, and
 * those of the group are gone from it.
 */
export function gatherParts<P extends Parts>(
  group: readonly Waiting<P>[],
  left: (Launch | undefined)[],
): { gathered: Tensor; sums: readonly (P & { readonly offset: number })[] } {
  let total = 0;
  const sums = group.flatMap(({ madeAt, sums }) =>
    sums.map((sum) => {
      const offset = total;
      total += Math.ceil(sum.parts.storage.bytes / 256) * 256;
      return { ...sum, madeAt, offset };
    }),
  );
  const [{ parts }] = sums as unknown as readonly [P];
  const { device } = parts;
  // This script imports no values: what is made here is of the classes of what is there.
  const { Storage, Tensor } = { Storage: parts.storage.constructor, Tensor: parts.constructor } as unknown as Classes;
  const gathered = new Tensor(new Storage(device, total, 'recorded'), [total / 4], 'f32');
  for (const { parts, madeAt, offset } of sums) {
    const made = left[madeAt] as Launch;
    const own = new Storage(device, parts.storage.bytes, 'recorded');
    own.parent = gathered.storage;
    own.offset = offset;
    const moved = {
      ...made,
      tensors: made.tensors.map((t) => (t.storage === parts.storage ? new Tensor(own, t.shape, t.dtype) : t)),
    };
    gathered.storage.writers.push(moved);
    left[madeAt] = moved;
  }
  for (const { at } of group) left[at] = undefined;
  return { gathered, sums };
}
