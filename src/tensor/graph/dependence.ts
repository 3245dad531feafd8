// What a tensor is really computed from: by the nodes of gradients, and by the launches that wrote its bytes. Where the two
// differ, a gradient that does not exist would be taken for zero.
import type { Access } from '../../gpu/index.ts';
import { isFloat } from '../values/index.ts';
import type { Launch, Storage, Tensor } from './tensor.ts';

/** A tensor that a launch reads to compute another one; without a launch: inside a step, or before it was fed to one. */
export interface Source {
  readonly from: Tensor;
  readonly launch?: Launch;
}

/** Only what was made since then, by the numbers of nodes and of launches. */
export interface Moment {
  readonly node: number;
  readonly launch: number;
}

/**
 * What gradients could flow to by the data: not through what is `cut` (stopGradient), and not through i32, u32 and bool: an index or a mask
 * has no slope. A variable is where gradients end, whoever has written it.
 */
export function launchSources(t: Tensor, since = 0): Source[] {
  if (t.cut || !isFloat(t.dtype)) return [];
  const { root } = t.storage;
  const sources: Source[] = [];
  if (root.origin) sources.push({ from: root.origin });
  if (root.inputValue) sources.push({ from: root.inputValue });
  for (const launch of root.writers) {
    if (launch.order < since || !writes(launch, t.storage)) continue;
    launch.tensors.forEach((from, i) => {
      if (access(launch, i) !== 'write' && isFloat(from.dtype) && from !== t) sources.push({ from, launch });
    });
  }
  return sources;
}

/** Which tensors, of all that `results` are computed from, are computed from any tensor of `of`. */
export function dependents(results: readonly Tensor[], of: readonly Tensor[], since: Moment): ReadonlySet<Tensor> {
  const ends = new Ends(of);
  const users = new Map<Tensor, Tensor[]>(results.map((result) => [result, []]));
  const found = new Set<Tensor>();
  const open = [...users.keys()];
  for (let t = open.pop(); t; t = open.pop()) {
    if (ends.has(t)) found.add(t);
    for (const from of sourcesOf(t, since)) {
      const known = users.get(from);
      if (known) known.push(t);
      else {
        users.set(from, [t]);
        open.push(from);
      }
    }
  }
  // A set may grow while it is walked.
  for (const t of found) for (const user of users.get(t) ?? []) found.add(user);
  return found;
}

function sourcesOf(t: Tensor, since: Moment): Tensor[] {
  const sources = launchSources(t, since.launch).map(({ from }) => from);
  if (t.node && t.node.order >= since.node) sources.push(...t.node.inputs);
  return sources;
}

/** Tensors that gradients are asked for, and others over the same bytes that do not know how they came to be. */
export class Ends {
  readonly #tensors: ReadonlySet<Tensor>;
  readonly #bytes = new Map<Storage, Storage[]>();

  constructor(of: readonly Tensor[]) {
    this.#tensors = new Set(of);
    for (const { storage, node, cut } of of) {
      if (node || cut) continue;
      const known = this.#bytes.get(storage.root);
      if (known) known.push(storage);
      else this.#bytes.set(storage.root, [storage]);
    }
  }

  has(t: Tensor): boolean {
    return this.#tensors.has(t) || this.isView(t);
  }

  isView(t: Tensor): boolean {
    if (t.node || t.cut || this.#tensors.has(t)) return false;
    return this.#bytes.get(t.storage.root)?.some((storage) => overlap(storage, t.storage)) ?? false;
  }
}

/**
 * The first source of `t` that its node says nothing of: read by the launches that computed `t`, dependent, and not reached
 * through an input of the node.
 */
export function hiddenSource(t: Tensor, dependent: ReadonlySet<Tensor>, ends: Ends): Source | undefined {
  if (!t.node || t.cut) return undefined;
  const { inputs } = t.node;
  const covers = (from: Tensor) => inputs.some((input) => overlap(input.storage, from.storage));
  // Of the bytes of an input: nothing was launched.
  if (covers(t)) return undefined;
  const seen = new Set<Tensor>([t]);
  const open = launchSources(t);
  for (let source = open.pop(); source; source = open.pop()) {
    const { from, launch } = source;
    if (seen.has(from) || !dependent.has(from) || covers(from)) continue;
    seen.add(from);
    if (ends.has(from)) return source;
    const name = (one: Source): Source => (launch && !one.launch ? { ...one, launch } : one);
    open.push(...launchSources(from).map(name));
    for (const input of from.node?.inputs ?? []) open.push(name({ from: input }));
  }
  return undefined;
}

/** The launch that wrote the bytes of a storage at last. */
export function lastWriter(storage: Storage): Launch | undefined {
  return storage.root.writers.findLast((launch) => writes(launch, storage));
}

/** How a launch uses its tensor number `i`. */
export function access(launch: Launch, i: number): Access {
  return (launch.kernel.bindings[i] as { access: Access }).access;
}

export function writes(launch: Launch, storage: Storage): boolean {
  return launch.tensors.some((t, i) => access(launch, i) !== 'read' && overlap(t.storage, storage));
}

export function overlap(a: Storage, b: Storage): boolean {
  if (a === b) return true;
  if (a.root !== b.root) return false;
  return a.rootOffset < b.rootOffset + b.bytes && b.rootOffset < a.rootOffset + a.bytes;
}
