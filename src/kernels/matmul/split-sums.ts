// Loaded on demand: imports no values (see `tensor/run/on-demand.ts`).
import type { Kernel } from '../../gpu/index.ts';
import type { Launch, Storage, Tensor } from '../../tensor/graph/index.ts';

/** More bytes of parts are not kept for one launch. */
const MOST_BYTES = 2 ** 22;
/** Words of a workgroup in the table. */
const WORDS = 5;

/** A launch that can wait: at a place in the list, for parts of a launch at another, and until somebody needs its results. */
interface Sum {
  readonly at: number;
  readonly launch: Launch;
  readonly madeAt: number;
  readonly until: number;
  /** Where parts are, and what is made of them. */
  readonly sums: readonly { readonly parts: Tensor; readonly y: Tensor }[];
}

/**
 * Weights' gradients whose inner axis was split are finished by one launch for several, where they lie in one buffer, as an optimizer has
 * them: each costs what a launch costs.
 */
export function joinSplitSums(
  launches: readonly Launch[],
  kept: ReadonlySet<Storage>,
  isSum: (launch: Launch) => boolean,
): readonly Launch[] {
  const uses = new Map<Storage, number[]>();
  launches.forEach(({ tensors }, at) => {
    for (const { storage } of tensors) uses.set(storage.root, [...(uses.get(storage.root) ?? []), at]);
  });
  const left: (Launch | undefined)[] = [...launches];
  const groups = new Map<Storage, Sum[]>();
  const join = (group: Sum[]) => {
    if (group.length > 1) joinGroup(group, left);
    group.length = 0;
  };
  launches.forEach((launch, at) => {
    const sum = isSum(launch) ? waiting(launches, launch, at, uses, kept) : undefined;
    if (!sum) return;
    const { root } = (sum.sums[0] as Sum['sums'][number]).y.storage;
    const group = groups.get(root) ?? [];
    groups.set(root, group);
    const bytes = [...group, sum].flatMap(({ sums }) => sums).reduce((all, { parts }) => all + parts.storage.bytes, 0);
    if (bytes > MOST_BYTES || group.some(({ until }) => until <= at)) join(group);
    group.push(sum);
  });
  groups.forEach(join);
  return left.filter((launch) => launch !== undefined);
}

/** The launch at a place as one that can wait for others: it only adds up, by vec4s, into parts of a buffer. */
function waiting(
  launches: readonly Launch[],
  launch: Launch,
  at: number,
  uses: ReadonlyMap<Storage, readonly number[]>,
  kept: ReadonlySet<Storage>,
): Sum | undefined {
  const { kernel, params, loop } = launch;
  const of = (name: string) => launch.tensors[kernel.names.indexOf(name)] as Tensor;
  const isAdded = (what: string) => params[kernel.paramNames.indexOf(what)] === 1;
  const [y, sums] = [of('y'), of('sums')];
  if (loop || of('pre').size > 0 || isAdded('hasBias') || isAdded('hasResidual')) return undefined;
  const made = [{ parts: of('parts'), y }, ...(sums.size > 0 ? [{ parts: of('rowParts'), y: sums }] : [])];
  const { root } = y.storage;
  let madeAt = at;
  for (const one of made) {
    const { storage } = one.parts;
    const [first = at, second, ...others] = uses.get(storage) ?? [];
    if (kept.has(storage) || storage.parent || first >= at || second !== at || others.length > 0) return undefined;
    if (!one.y.storage.parent || one.y.storage.root !== root || one.y.size % 4 !== 0) return undefined;
    madeAt = first;
  }
  const until = uses
    .get(root)
    ?.find(
      (place) =>
        place > at && launches[place]?.tensors.some((t) => made.some((one) => overlap(one.y.storage, t.storage))),
    );
  return { at, launch, madeAt, until: until ?? launches.length, sums: made };
}

/** Whether two storages have bytes in common. */
export function overlap(a: Storage, b: Storage): boolean {
  return a.root === b.root && a.rootOffset < b.rootOffset + b.bytes && b.rootOffset < a.rootOffset + a.bytes;
}

interface Classes {
  readonly Storage: typeof Storage;
  readonly Tensor: typeof Tensor;
}

/** Puts one launch in the place of the last of a group, whose parts then lie in one buffer. */
function joinGroup(group: readonly Sum[], left: (Launch | undefined)[]): void {
  const { at, launch } = group.at(-1) as Sum;
  const all = group.flatMap((sum) => sum.sums.map((one) => ({ ...one, madeAt: sum.madeAt })));
  const [{ y }] = all as [(typeof all)[number]];
  const { device, storage, dtype } = y;
  // This script imports no values: what is made here is of the classes of what is there.
  const { Storage, Tensor } = { Storage: storage.constructor, Tensor: y.constructor } as unknown as Classes;
  const bytes = all.map(({ parts }) => Math.ceil(parts.storage.bytes / 256) * 256);
  const total = bytes.reduce((a, b) => a + b);
  const parts = new Tensor(new Storage(device, total, 'recorded'), [total / 4], 'f32');
  const words: number[] = [];
  let offset = 0;
  all.forEach((one, i) => {
    const n = one.y.size / 4;
    const to = (one.y.storage.rootOffset * n) / one.y.storage.bytes;
    for (let start = 0; start < n; start += 64) {
      words.push(offset / 16, one.parts.size / one.y.size, n, start, to);
    }
    const made = left[one.madeAt] as Launch;
    const own = new Storage(device, one.parts.storage.bytes, 'recorded');
    own.parent = parts.storage;
    own.offset = offset;
    const moved = {
      ...made,
      tensors: made.tensors.map((t) => (t.storage === one.parts.storage ? new Tensor(own, t.shape, t.dtype) : t)),
    };
    parts.storage.writers.push(moved);
    left[one.madeAt] = moved;
    offset += bytes[i] as number;
  });
  for (const sum of group) left[sum.at] = undefined;
  const groups = words.length / WORDS;
  const table = new Storage(device, words.length * 4, 'constant');
  table.data = Uint32Array.from(words);
  left[at] = {
    ...launch,
    kernel: together,
    tensors: [
      parts,
      new Tensor(table, [words.length], 'u32'),
      new Tensor(storage.root, [(storage.root.bytes * y.size) / storage.bytes], dtype),
    ],
    params: [groups],
    constants: {},
    grid: [groups, 1, 1],
    label: 'matmul parts of all',
    ranges: { 2: all.map((one) => one.y.storage) },
    of: group.map((sum) => sum.launch),
  };
}

// Every workgroup finds in `table` which parts it adds up, in vec4s: where they begin, how many there are, how long each is, its first
// place in them, and where the result begins. It adds them up as `inRuns` does.
const code = `
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let group = flatGroup(g, size);
  if (group >= params.groups) { return; }
  let entry = group * ${WORDS}u;
  let first = table[entry];
  let count = table[entry + 1u];
  let n = table[entry + 2u];
  let i = table[entry + 3u] + l;
  if (i >= n) { return; }
  var sum = vec4f();
  for (var run = 0u; run < count; run += 16u) {
    let end = min(count, run + 16u);
    let before = sum;
    sum = vec4f();
    for (var part = run; part < end; part++) { sum += parts[first + part * n + i]; }
    sum = before + sum;
  }
  gradients[table[entry + 4u] + i] = vec4<T>(sum);
}`;
const together: Kernel = {
  name: 'matmul parts of all',
  bind: { parts: 'read vec4<f32>', table: 'read u32', gradients: 'update vec4<T>' },
  bindings: [
    { access: 'read', element: 'vec4<f32>' },
    { access: 'read', element: 'u32' },
    { access: 'update', element: 'vec4<T>' },
  ],
  names: ['parts', 'table', 'gradients'],
  params: { groups: 'u32' },
  paramNames: ['groups'],
  grid: ({ groups = 0 }) => [groups],
  wgsl: code,
  code,
};
