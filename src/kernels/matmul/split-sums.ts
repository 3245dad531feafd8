// Loaded on demand: imports no values (see `tensor/run/on-demand.ts`).
import type { Kernel } from '../../gpu/index.ts';
import type { Launch, Storage, Tensor } from '../../tensor/graph/index.ts';
import type { FusionTools } from '../../tensor/run/index.ts';

/** More bytes of parts are not kept for one launch. */
const MOST_BYTES = 2 ** 22;
/** Words of a workgroup in the table. */
const WORDS = 5;

/** What {@link joinSplitSums} makes of a launch: parts, and their sum. */
interface Sum {
  readonly parts: Tensor;
  readonly results: readonly [Tensor];
}

/**
 * Weights' gradients whose inner axis was split are finished by one launch for several, where they lie in one buffer, as an optimizer has
 * them: each costs what a launch costs.
 */
export function joinSplitSums(
  launches: readonly Launch[],
  kept: ReadonlySet<Storage>,
  isSum: (launch: Launch) => boolean,
  { groupWaiting, gatherParts }: FusionTools,
): readonly Launch[] {
  const left: (Launch | undefined)[] = [...launches];
  for (const group of groupWaiting(launches, kept, MOST_BYTES, (launch) =>
    isSum(launch) ? sumsOf(launch) : undefined,
  )) {
    const { at, launch } = group.at(-1) as (typeof group)[number];
    const { gathered, sums } = gatherParts(group, left);
    left[at] = { ...joined(launch, gathered, sums), of: group.map((one) => one.launch) };
  }
  return left.filter((launch) => launch !== undefined);
}

/** What a launch adds up, where it only does so, by vec4s. */
function sumsOf({ kernel, params, tensors }: Launch): readonly Sum[] | undefined {
  const of = (name: string) => tensors[kernel.names.indexOf(name)] as Tensor;
  const isAdded = (what: string) => params[kernel.paramNames.indexOf(what)] === 1;
  if (of('pre').size > 0 || isAdded('hasBias') || isAdded('hasResidual')) return undefined;
  const all: Sum[] = [{ parts: of('parts'), results: [of('y')] }];
  if (of('sums').size > 0) all.push({ parts: of('rowParts'), results: [of('sums')] });
  return all.every(({ results: [y] }) => y.size % 4 === 0) ? all : undefined;
}

/** The launch that adds up all of a group, in the place of its last. */
function joined(launch: Launch, parts: Tensor, sums: readonly (Sum & { readonly offset: number })[]): Launch {
  const y = (sums[0] as Sum).results[0];
  const { device, storage, dtype } = y;
  const words: number[] = [];
  for (const { parts, results, offset } of sums) {
    const [y] = results;
    const n = y.size / 4;
    const to = (y.storage.rootOffset * n) / y.storage.bytes;
    for (let start = 0; start < n; start += 64) words.push(offset / 16, parts.size / y.size, n, start, to);
  }
  const groups = words.length / WORDS;
  // This script imports no values: what is made here is of the classes of what is there.
  const { Storage, Tensor } = { Storage: storage.constructor, Tensor: y.constructor } as unknown as Classes;
  const table = new Storage(device, words.length * 4, 'constant');
  table.data = Uint32Array.from(words);
  return {
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
    ranges: { 2: sums.map(({ results: [y] }) => y.storage) },
  };
}

interface Classes {
  readonly Storage: typeof Storage;
  readonly Tensor: typeof Tensor;
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
