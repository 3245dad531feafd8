// The gradients of weight and bias of layer norms: their backward leaves partial sums, `[parts, 2, C]` with those of the weight before
// those of the bias, and here they are added up. In a step one launch does so for all norms whose gradients lie in one buffer, as
// an optimizer has them: it costs what a launch costs, and not what 38 of them do.
import { kernel } from '../../gpu/index.ts';
import {
  dispatch,
  emptyOn,
  type Launch,
  Recording,
  range,
  record,
  type Storage,
  Tensor,
  tensor,
} from '../../tensor/graph/index.ts';
import { bytesPerElement } from '../../tensor/values/index.ts';
import {
  FEW_STEPS,
  fewerRows,
  inRuns,
  rowSum,
  rowSumVec4,
  rowsPerGroup,
  rowThreadOverrides,
  rowThreadPlace,
  rowThreads,
} from '../axis/index.ts';

type F = 'f32' | 'vec4<f32>';

/** `dweight` and `dbias` `[C]` from `partial` `[parts, 2 C]`. */
export function sumParts(partial: Tensor, dweight: Tensor, dbias: Tensor): void {
  const few = fewerRows(partial, FEW_STEPS);
  const parts = few.shape[0] as number;
  const { F, length } = unitsOf(dweight.size);
  const threads = rowThreads(few.device, { outer: 1, length: parts, inner: length }, 16);
  dispatch(alone[F], { partial: few, dweight, dbias }, { parts, length }, threads);
}

function unitsOf(cols: number): { F: F; length: number } {
  return cols % 4 === 0 ? { F: 'vec4<f32>', length: cols / 4 } : { F: 'f32', length: cols };
}

// A workgroup takes WG / THREADS columns; threads share the parts. `places` is where they lie.
function sumOf(F: F, places: string, store: string): string {
  const join = joinOf(F).name;
  return `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let thread = threadOf(l);
  ${places}
  var dw = ${F}();
  var db = ${F}();
  if (c < length) {
    ${inRuns(
      { dw: F, db: F },
      { counter: 'part', from: 'thread', to: 'parts', by: 'THREADS' },
      `      let at = first + part * 2u * length + c;
      dw += partial[at];
      db += partial[at + length];`,
    )}
  }
  dw = ${join}(dw, l);
  db = ${join}(db, l);
  if (c < length && thread == 0u) {
    ${store}
  }
}`;
}

const joinOf = (F: F) => (F === 'f32' ? rowSum : rowSumVec4);
const storedOf = (F: F) => (F === 'f32' ? ('T' as const) : ('vec4<T>' as const));

function makeAlone(F: F) {
  const stored = storedOf(F);
  return kernel({
    name: 'layer-norm-weights',
    bind: { partial: `read ${F}`, dweight: `write ${stored}`, dbias: `write ${stored}` },
    params: { parts: 'u32', length: 'u32' },
    override: rowThreadOverrides,
    use: [rowThreadPlace, joinOf(F)],
    grid: ({ length }, constants) => [Math.ceil(length / rowsPerGroup(constants))],
    rule: () => ({ fuse }),
    wgsl: sumOf(
      F,
      `let parts = params.parts;
  let length = params.length;
  let first = 0u;
  let c = flatGroup(g, size) * (WG / THREADS) + rowOf(l);`,
      `dweight[c] = ${stored}(dw);
    dbias[c] = ${stored}(db);`,
    ),
  });
}

/** Words of a workgroup in the table of {@link makeTogether}. */
const WORDS = 6;

// Every workgroup finds in `table` which norm it is for, its first column, and where things lie, in loads and stores.
function makeTogether(F: F) {
  const stored = storedOf(F);
  return kernel({
    name: 'layer-norm-weights of all',
    bind: { partial: `read ${F}`, table: 'read u32', gradients: `update ${stored}` },
    params: { groups: 'u32' },
    override: rowThreadOverrides,
    use: [rowThreadPlace, joinOf(F)],
    grid: ({ groups }) => [groups],
    wgsl: sumOf(
      F,
      `let group = flatGroup(g, size);
  if (group >= params.groups) { return; }
  let entry = group * ${WORDS}u;
  let parts = table[entry];
  let length = table[entry + 1u];
  let first = table[entry + 2u];
  let c = table[entry + 3u] + rowOf(l);`,
      `gradients[table[entry + 4u] + c] = ${stored}(dw);
    gradients[table[entry + 5u] + c] = ${stored}(db);`,
    ),
  });
}

const alone = { f32: /*#__PURE__*/ makeAlone('f32'), 'vec4<f32>': /*#__PURE__*/ makeAlone('vec4<f32>') };
const together = { f32: /*#__PURE__*/ makeTogether('f32'), 'vec4<f32>': /*#__PURE__*/ makeTogether('vec4<f32>') };

/** More bytes of partial sums are not kept for one launch. */
const MOST_BYTES = 2 ** 24;

/** A launch that can wait: at a place in the list, for partial sums of a launch at another, and until somebody needs its results. */
interface Sum {
  readonly at: number;
  readonly launch: Launch;
  readonly madeAt: number;
  readonly until: number;
}

function fuse(launches: readonly Launch[], kept: ReadonlySet<Storage>, kernel: Launch['kernel']): readonly Launch[] {
  const uses = new Map<Storage, number[]>();
  launches.forEach(({ tensors }, at) => {
    for (const { storage } of tensors) uses.set(storage.root, [...(uses.get(storage.root) ?? []), at]);
  });
  const left: (Launch | readonly Launch[])[] = [...launches];
  const groups = new Map<Storage, Sum[]>();
  const join = (group: Sum[]) => {
    if (group.length > 1) joinSums(group, left);
    group.length = 0;
  };
  launches.forEach((launch, at) => {
    const sum = launch.kernel === kernel && !launch.loop ? waiting(launches, launch, at, uses, kept) : undefined;
    if (!sum) return;
    const root = weightOf(sum).storage.root;
    const group = groups.get(root) ?? [];
    groups.set(root, group);
    const bytes = [...group, sum].reduce((total, { launch }) => total + partialOf(launch).storage.bytes, 0);
    if (bytes > MOST_BYTES || group.some(({ until }) => until <= at)) join(group);
    group.push(sum);
  });
  groups.forEach(join);
  return left.flat();
}

const partialOf = ({ tensors }: Launch) => tensors[0] as Tensor;
const weightOf = ({ launch }: Pick<Sum, 'launch'>) => launch.tensors[1] as Tensor;
const biasOf = ({ launch }: Pick<Sum, 'launch'>) => launch.tensors[2] as Tensor;

/** The launch at a place as one that can wait for others, where its results are parts of a buffer and its partial sums its own. */
function waiting(
  launches: readonly Launch[],
  launch: Launch,
  at: number,
  uses: ReadonlyMap<Storage, readonly number[]>,
  kept: ReadonlySet<Storage>,
): Sum | undefined {
  const { storage } = partialOf(launch);
  const [madeAt = at, ...others] = uses.get(storage) ?? [];
  const results = [weightOf({ launch }).storage, biasOf({ launch }).storage];
  const [{ root }] = results as [Storage];
  if (kept.has(storage) || madeAt >= at || others.length !== 1) return undefined;
  if (results.some((one) => !one.parent || one.root !== root)) return undefined;
  const until = uses
    .get(root)
    ?.find(
      (place) => place > at && launches[place]?.tensors.some((t) => results.some((one) => overlap(one, t.storage))),
    );
  return { at, launch, madeAt, until: until ?? launches.length };
}

function overlap(a: Storage, b: Storage): boolean {
  return a.root === b.root && a.rootOffset < b.rootOffset + b.bytes && b.rootOffset < a.rootOffset + a.bytes;
}

/** Puts one launch in the place of the last of a group, whose partial sums then lie in one buffer. */
function joinSums(group: readonly Sum[], left: (Launch | readonly Launch[])[]): void {
  const { at: last, launch: lastLaunch } = group.at(-1) as Sum;
  const { dtype, device, storage } = weightOf({ launch: lastLaunch });
  const { F } = unitsOf(weightOf({ launch: lastLaunch }).size);
  const most = group.reduce((a, b) =>
    (b.launch.constants['THREADS'] ?? 1) > (a.launch.constants['THREADS'] ?? 1) ? b : a,
  );
  const constants = most.launch.constants as unknown as typeof rowThreadOverrides;
  const ends: number[] = [];
  for (const { launch } of group)
    ends.push((ends.at(-1) ?? 0) + Math.ceil(partialOf(launch).storage.bytes / 256) * 256);
  const partial = emptyOn(device, [(ends.at(-1) as number) / 4]);
  const loads = F === 'f32' ? 1 : 4;
  const words: number[] = [];
  group.forEach((sum, i) => {
    const offset = ends[i - 1] ?? 0;
    const [parts, length] = sum.launch.params as [number, number];
    const placeOf = (t: Tensor) => t.storage.rootOffset / bytesPerElement(dtype) / loads;
    for (let c = 0; c < length; c += rowsPerGroup(constants)) {
      words.push(parts, length, offset / 4 / loads, c, placeOf(weightOf(sum)), placeOf(biasOf(sum)));
    }
    const made = left[sum.madeAt] as Launch;
    const tensors = made.tensors.map((t) =>
      t.storage === partialOf(sum.launch).storage ? range(partial, offset, t.shape) : t,
    );
    const moved = { ...made, tensors };
    partial.storage.writers.push(moved);
    left[sum.madeAt] = moved;
    left[sum.at] = [];
  });
  const recording = new Recording(device, false);
  record(recording, () => {
    const gradients = new Tensor(storage.root, [storage.root.bytes / bytesPerElement(dtype)], dtype);
    const table = tensor(device, Uint32Array.from(words));
    dispatch(together[F], { partial, table, gradients }, { groups: words.length / WORDS }, constants);
  });
  const ranges = group.flatMap((sum) => [weightOf(sum).storage, biasOf(sum).storage]);
  left[last] = recording.launches.map((launch) => ({ ...launch, ranges: { 2: ranges } }));
}
