/** When something is needed: from launch `first` to launch `last`, both included. */
export interface Lifetime {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

export interface Plan {
  /** The slot of each lifetime, in the order given. */
  readonly slotOf: readonly number[];
  /** Bytes of each slot. */
  readonly slots: readonly number[];
}

/**
 * Lays lifetimes into slots so that two that overlap never share one. Greedy by size: the largest first, each into the
 * slot (all are at least as large, by the order) that is free for it and where it leaves the smallest gap before it. Slots
 * are whole buffers, not ranges of one arena: WebGPU tracks usage per buffer, so a launch that reads one range and writes
 * another of the same buffer is rejected. For the same reason lifetimes include both ends: what a launch reads last and
 * what it writes first are apart.
 */
export function plan(lifetimes: readonly Lifetime[]): Plan {
  const order = lifetimes.map((_, i) => i);
  const at = (i: number) => lifetimes[i] as Lifetime;
  order.sort((a, b) => at(b).bytes - at(a).bytes || at(a).first - at(b).first || a - b);

  const slotOf = new Array<number>(lifetimes.length).fill(-1);
  const slots: number[] = [];
  /** What lies in each slot, by start. */
  const tenants: Lifetime[][] = [];
  for (const i of order) {
    const life = at(i);
    let best = -1;
    let bestGap = Number.POSITIVE_INFINITY;
    for (let slot = 0; slot < slots.length; slot++) {
      const gap = gapBefore(tenants[slot] as Lifetime[], life);
      if (gap !== undefined && gap < bestGap) {
        best = slot;
        bestGap = gap;
      }
    }
    if (best < 0) {
      best = slots.length;
      slots.push(life.bytes);
      tenants.push([]);
    }
    insert(tenants[best] as Lifetime[], life);
    slotOf[i] = best;
  }
  return { slotOf, slots };
}

/** Launches between the tenant before `life` and `life`, or undefined when it does not fit. */
function gapBefore(tenants: readonly Lifetime[], life: Lifetime): number | undefined {
  const next = lowerBound(tenants, life.first);
  if (next < tenants.length && (tenants[next] as Lifetime).first <= life.last) return undefined;
  const before = tenants[next - 1];
  if (!before) return 1e9;
  return before.last < life.first ? life.first - before.last : undefined;
}

function insert(tenants: Lifetime[], life: Lifetime): void {
  tenants.splice(lowerBound(tenants, life.first), 0, life);
}

/** Index of the first tenant that starts at `first` or later. */
function lowerBound(tenants: readonly Lifetime[], first: number): number {
  let low = 0;
  let high = tenants.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((tenants[middle] as Lifetime).first < first) low = middle + 1;
    else high = middle;
  }
  return low;
}
