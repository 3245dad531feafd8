/** When something is needed: from launch `first` to launch `last`, both included. */
export interface Lifetime {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
  /** Launches that use it: 2 · number for one that reads it, 2 · number + 1 for one that writes it. */
  readonly uses?: readonly number[];
  /** Where its bytes come to life one by one: ranges of it, which do not overlap. What lies between them is free. */
  readonly parts?: readonly Part[];
}

export interface Part {
  readonly offset: number;
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

export interface Plan {
  /** The slot of each lifetime, in the order given, and where it starts there. */
  readonly slotOf: readonly number[];
  readonly offsetOf: readonly number[];
  /** Bytes of each slot. */
  readonly slots: readonly number[];
}

interface Slot {
  readonly bytes: number;
  /** What lies here, by offset. */
  readonly tenants: Part[];
  /** How launches use the slot: 0 read, 1 write. */
  readonly uses: Map<number, number>;
}

type Order = (a: Lifetime, b: Lifetime) => number;

const span = ({ first, last }: Lifetime) => last - first + 1;
/** Which comes first is what a greedy plan depends on; none of these is best for all steps, and each takes milliseconds. */
const orders: readonly Order[] = [
  (a, b) => b.bytes - a.bytes || a.first - b.first,
  (a, b) => b.bytes * span(b) - a.bytes * span(a),
  (a, b) => span(b) - span(a) || b.bytes - a.bytes,
];

/**
 * Lays lifetimes into slots, which are buffers: no two overlap both in time and in place. Greedy: one after the other, each to
 * where it leaves the place idle for the shortest time, else into a slot of its own. So a slot that was made for the gradients
 * of a whole flat buffer holds many activations before, and where gradients are not there yet. The best of several orders is taken.
 * Thousands of lifetimes take turns in whole slots instead, in time that grows with their number.
 *
 * WebGPU tracks usage per buffer: a launch that reads one range of a buffer and writes another is rejected. So what a launch
 * reads and what it writes lie in different slots. For the same reason lifetimes include both ends.
 */
export function plan(lifetimes: readonly Lifetime[], alignment = 256): Plan {
  if (lifetimes.length > LONG) return planInTime(lifetimes);
  const plans = orders.map((order) => planInOrder(lifetimes, order, alignment));
  return plans.reduce((best, one) => (total(one) < total(best) ? one : best));
}

/** Beyond so many lifetimes looking at all for each of all takes too long. */
const LONG = 3000;

const total = ({ slots }: Plan) => slots.reduce((a, b) => a + b, 0);

function planInOrder(lifetimes: readonly Lifetime[], compare: Order, alignment: number): Plan {
  const at = (i: number) => lifetimes[i] as Lifetime;
  // Roots that live in sub-ranges come first: their slots can hold all others.
  const inParts = (i: number) => (at(i).parts ? 1 : 0);
  const order = lifetimes.map((_, i) => i);
  order.sort((a, b) => inParts(b) - inParts(a) || compare(at(a), at(b)) || a - b);

  const slotOf = new Array<number>(lifetimes.length).fill(-1);
  const offsetOf = new Array<number>(lifetimes.length).fill(0);
  const slots: Slot[] = [];
  for (const i of order) {
    const life = at(i);
    let best = -1;
    let place: Place | undefined;
    for (const [number, slot] of slots.entries()) {
      if (conflicts(slot, life)) continue;
      const found = bestPlace(slot, life, alignment);
      if (found && (!place || better(found, place))) {
        best = number;
        place = found;
      }
    }
    if (!place) {
      best = slots.length;
      slots.push({ bytes: life.bytes, tenants: [], uses: new Map() });
    }
    const offset = place?.offset ?? 0;
    const { tenants, uses } = slots[best] as Slot;
    const parts = life.parts ?? [{ ...life, offset: 0 }];
    tenants.push(
      ...parts.map(({ bytes, first, last, ...part }) => ({ bytes, first, last, offset: offset + part.offset })),
    );
    tenants.sort((a, b) => a.offset - b.offset);
    for (const use of life.uses ?? []) uses.set(use >> 1, use & 1);
    slotOf[i] = best;
    offsetOf[i] = offset;
  }
  return { slotOf, offsetOf, slots: slots.map(({ bytes }) => bytes) };
}

/**
 * One after the other by their first launches, each in a slot of its own as long as it lives: the smallest free one that is large enough, unless
 * more than what it takes and an eighth of all slots would lie idle; else the next smaller one, which grows. Since nothing else is in it
 * then, no launch reads and writes one slot. For what runs once: it takes a hundredth of the time of {@link plan}, and for a transformer's forward pass
 * no more bytes.
 */
export function planInTime(lifetimes: readonly Lifetime[]): Plan {
  const order = lifetimes.map((_, i) => i);
  order.sort((a, b) => (lifetimes[a] as Lifetime).first - (lifetimes[b] as Lifetime).first || a - b);
  const slotOf = new Array<number>(lifetimes.length).fill(-1);
  const slots: number[] = [];
  /** Slots that nobody is in, by their bytes. */
  const free: number[] = [];
  const placeOf = (bytes: number): number => {
    let [low, high] = [0, free.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((slots[free[middle] as number] as number) < bytes) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const ending = new Map<number, number[]>();
  const ends = [...new Set(lifetimes.map(({ last }) => last))].sort((a, b) => a - b);
  let ended = 0;
  let held = 0;
  for (const i of order) {
    const { bytes, first, last } = lifetimes[i] as Lifetime;
    for (; (ends[ended] as number) < first; ended++) {
      for (const slot of ending.get(ends[ended] as number) ?? []) free.splice(placeOf(slots[slot] as number), 0, slot);
    }
    const at = placeOf(bytes);
    const fits = at < free.length && (slots[free[at] as number] as number) - bytes <= Math.max(bytes, held / 8);
    const [slot = slots.length] = fits || at > 0 ? free.splice(fits ? at : at - 1, 1) : [];
    held += Math.max(0, bytes - (slots[slot] ?? 0));
    slots[slot] = Math.max(bytes, slots[slot] ?? 0);
    slotOf[i] = slot;
    const together = ending.get(last);
    if (together) together.push(slot);
    else ending.set(last, [slot]);
  }
  return { slotOf, offsetOf: lifetimes.map(() => 0), slots };
}

/** The most bytes that are alive at one launch: no plan can do with less. */
export function peakBytes(lifetimes: readonly Lifetime[]): number {
  const parts = lifetimes.flatMap((life): readonly Omit<Part, 'offset'>[] => life.parts ?? [life]);
  const changes = parts.flatMap(({ bytes, first, last }) => [
    { at: first, bytes },
    { at: last + 1, bytes: -bytes },
  ]);
  changes.sort((a, b) => a.at - b.at || a.bytes - b.bytes);
  let max = 0;
  let alive = 0;
  for (const { bytes } of changes) {
    alive += bytes;
    max = Math.max(max, alive);
  }
  return max;
}

function conflicts({ uses }: Slot, life: Lifetime): boolean {
  for (const use of life.uses ?? []) {
    const there = uses.get(use >> 1);
    if (there !== undefined && there !== (use & 1)) return true;
  }
  return false;
}

interface Place {
  readonly offset: number;
  /** Launches before and after, while nobody is there. */
  readonly idle: number;
  /** Bytes that stay free beside it. */
  readonly rest: number;
}

const better = (a: Place, b: Place) => a.idle < b.idle || (a.idle === b.idle && a.rest < b.rest);

/** Where in a slot there is room for `life` as long as it is alive. */
function bestPlace(slot: Slot, life: Lifetime, alignment: number): Place | undefined {
  let best: Place | undefined;
  let offset = 0;
  const see = (end: number) => {
    const rest = end - offset - life.bytes;
    if (rest < 0) return;
    const place = { offset, rest, idle: idleTime(slot, life, offset) };
    if (!best || better(place, best)) best = place;
  };
  for (const tenant of slot.tenants) {
    if (tenant.last < life.first || life.last < tenant.first) continue;
    see(tenant.offset);
    offset = Math.max(offset, Math.ceil((tenant.offset + tenant.bytes) / alignment) * alignment);
  }
  see(slot.bytes);
  return best;
}

/** Where nobody was before, or comes after: a long time, but no reason to take another slot. */
const NOBODY = 3000;

function idleTime({ tenants }: Slot, life: Lifetime, offset: number): number {
  let before = NOBODY;
  let after = NOBODY;
  for (const tenant of tenants) {
    if (tenant.offset + tenant.bytes <= offset || offset + life.bytes <= tenant.offset) continue;
    if (tenant.last < life.first) before = Math.min(before, life.first - tenant.last);
    else after = Math.min(after, tenant.first - life.last);
  }
  return before + after;
}
