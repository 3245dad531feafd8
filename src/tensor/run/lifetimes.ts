import type { Launch, Loop, Storage, Tensor } from '../graph/index.ts';
import { formatShape, StepError } from '../values/index.ts';
import type { Lifetime, Part } from './plan.ts';

/** All launches that `results` and `effects` depend on, in order; what nobody needs is left out. */
export function collect(results: readonly Tensor[], effects: readonly Launch[]): Launch[] {
  const needed = new Set<Launch>();
  const open: Launch[] = [];
  const need = (launch: Launch) => {
    if (needed.has(launch)) return;
    needed.add(launch);
    open.push(launch);
  };
  for (const result of results) {
    const { shape, storage } = result;
    const { kind, bytes, loop, writers } = storage.root;
    loop?.admit(result);
    if (kind === 'recorded' && bytes > 0 && writers.length === 0) {
      throw new StepError(`a tensor ${formatShape(shape)} has no values: no launch writes it`);
    }
    for (const writer of writers) need(writer);
  }
  for (const effect of effects) need(effect);
  for (let launch = open.pop(); launch; launch = open.pop()) {
    for (const tensor of launch.tensors) {
      for (const writer of tensor.storage.root.writers) {
        if (writer.order < launch.order || launch.loop?.repeats(writer)) need(writer);
      }
    }
  }
  return [...needed].sort((a, b) => a.order - b.order);
}

/**
 * Moves launches that write nothing but variables (sums of gradients) to where what they need is there, so that what they
 * read dies early. All others stay in their order.
 */
export function schedule(launches: readonly Launch[]): Launch[] {
  const lastWrite = new Map<Storage, number>();
  const lastUse = new Map<Storage, number>();
  const places = launches.map((launch, at) => {
    const uses = launch.tensors.map((t, i) => ({ root: t.storage.root, writes: writes(launch, i) }));
    let place = at;
    if (uses.every((use) => !use.writes || use.root.kind === 'variable')) {
      place = Math.max(-1, ...uses.map((use) => (use.writes ? lastUse : lastWrite).get(use.root) ?? -1));
      place = launches[place]?.loop?.place(launches, place) ?? place;
    }
    for (const use of uses) {
      lastUse.set(use.root, Math.max(place, lastUse.get(use.root) ?? -1));
      if (use.writes) lastWrite.set(use.root, Math.max(place, lastWrite.get(use.root) ?? -1));
    }
    return place;
  });
  // Stable: what is moved comes behind the launch it waits for, in the order of recording.
  const order = launches.map((_, i) => i).sort((a, b) => (places[a] as number) - (places[b] as number) || a - b);
  return order.map((i) => launches[i] as Launch);
}

/** As the last launch: what is needed to the end. */
export const FOREVER: number = Number.MAX_SAFE_INTEGER;

/** Bytes that a root takes: whole vec4s. */
export function slotBytes(root: Storage): number {
  return Math.max(16, Math.ceil(root.bytes / 16) * 16);
}

/** When the roots that launches use are needed; `liveOut` ones are needed to the end. */
export function lifetimes(
  launches: readonly Launch[],
  liveOut: ReadonlySet<Storage>,
  partsOf?: PartsOf,
): { roots: Storage[]; lives: Map<Storage, Lifetime> } {
  const spans = new Map<Storage, Span>();
  launches.forEach((launch, at) => {
    for (const [i, tensor] of launch.tensors.entries()) {
      const { root } = tensor.storage;
      if (root.kind === 'variable') continue;
      let span = spans.get(root);
      if (!span) {
        // A tensor without elements needs no writer: a grid without workgroups launches nothing.
        if (root.kind === 'recorded' && root.writers.length === 0 && root.bytes > 0) {
          throw new StepError(`${launch.label}: reads a tensor ${formatShape(tensor.shape)} that nothing writes`);
        }
        if (root.kind === 'input' && !liveOut.has(root)) {
          throw new StepError(
            `${launch.label}: reads an input of another step; return it from that step, or pass it as an input`,
          );
        }
        // Inputs are written before the first launch.
        span = { first: root.kind === 'recorded' ? at : -1, last: at, uses: [], whole: FOREVER, ranges: new Map() };
        spans.set(root, span);
      }
      span.last = at;
      span.uses.push(2 * at + (writes(launch, i) ? 1 : 0));
      for (const storage of launch.ranges?.[i] ?? [tensor.storage]) {
        if (storage === root) span.whole = Math.min(span.whole, at);
        else if (!span.ranges.has(storage)) span.ranges.set(storage, at);
      }
    }
  });
  loopIn(launches)?.extend(launches, spans, liveOut);
  const lives = new Map<Storage, Lifetime>();
  for (const [root, { first, last: lastUse, uses, whole, ranges }] of spans) {
    const last = liveOut.has(root) && root.kind === 'recorded' ? FOREVER : lastUse;
    const parts = partsOf?.(root, { whole, ranges }, last);
    lives.set(root, { bytes: slotBytes(root), first, last, uses, ...(parts ? { parts } : {}) });
  }
  return { roots: [...lives.keys()], lives };
}

/** A loop among launches: any one of them knows what to do with all. */
export function loopIn(launches: readonly Launch[]): Loop | undefined {
  return launches.find(({ loop }) => loop)?.loop;
}

/** How launches use a root: when, when first as a whole, and when first each range of it. */
interface Span {
  first: number;
  last: number;
  readonly uses: number[];
  whole: number;
  readonly ranges: Map<Storage, number>;
}

/** Smaller ones are not worth the trouble. */
const BYTES_IN_PARTS = 2 ** 20;

/** Whether a root is a flat buffer of gradients: written range by range, and then read as a whole. */
function inParts(root: Storage, whole: number, ranges: ReadonlyMap<Storage, number>): boolean {
  if (root.kind !== 'recorded' || root.bytes < BYTES_IN_PARTS) return false;
  return ranges.size > 1 && [...ranges.values()].every((first) => first < whole);
}

/** Only steps have such buffers. */
export type PartsOf = (root: Storage, span: Pick<Span, 'whole' | 'ranges'>, last: number) => Part[] | undefined;

export const pageParts: PartsOf = (root, { whole, ranges }, last) => {
  if (!inParts(root, whole, ranges)) return undefined;
  const parts = [...ranges].map(([range, first]) => ({
    offset: range.rootOffset,
    bytes: slotBytes(range),
    first,
    last,
  }));
  parts.sort((a, b) => a.offset - b.offset);
  const overlap = parts.some(({ offset }, i) => {
    const before = parts[i - 1];
    return before !== undefined && before.offset + before.bytes > offset;
  });
  return overlap ? undefined : parts;
};

/** Whether a launch writes its tensor number `i`. */
export function writes({ kernel, tensors }: Launch, i: number): boolean {
  return tensors[i] !== undefined && kernel.bindings[i]?.access !== 'read';
}

/** Whether it leaves something behind that outlives a step. */
export function writesVariable(launch: Launch): boolean {
  return launch.tensors.some((t, i) => t.storage.root.kind === 'variable' && writes(launch, i));
}
