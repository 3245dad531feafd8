// The gradients of weight and bias of layer norms: their backward leaves partial sums, `[parts, 2, C]` with those of the weight before
// those of the bias, and here they are added up. In a step one launch does so for all norms whose gradients lie in one buffer, as
// an optimizer has them: it costs what a launch costs, and not what 38 of them do.
import { kernel } from '../../gpu/index.ts';
import { dispatch, type Launch, Recording, record, type Storage, Tensor, tensor } from '../../tensor/graph/index.ts';
import type { FusionTools } from '../../tensor/run/index.ts';
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

/** What such a launch adds up, of which all are as wide. */
interface Sums {
  readonly parts: Tensor;
  /** Of weight and bias. */
  readonly results: readonly [Tensor, Tensor];
}

function fuse(
  launches: readonly Launch[],
  kept: ReadonlySet<Storage>,
  kernel: Launch['kernel'],
  { gatherParts, groupWaiting }: FusionTools,
): readonly Launch[] {
  const isSum = (launch: Launch) => launch.kernel === kernel;
  const left: (Launch | undefined)[] = [...launches];
  const sumsOf = (launch: Launch): readonly Sums[] | undefined => {
    const [parts, weight, bias] = launch.tensors as [Tensor, Tensor, Tensor];
    return isSum(launch) ? [{ parts, results: [weight, bias] }] : undefined;
  };
  for (const group of groupWaiting(launches, kept, MOST_BYTES, sumsOf)) {
    const { gathered, sums } = gatherParts(group, left);
    left[(group.at(-1) as (typeof group)[number]).at] = joined(
      group.map(({ launch }) => launch),
      gathered,
      sums,
    );
  }
  return left.filter((launch) => launch !== undefined);
}

/** The launch for all of `group`, in the place of its last. */
function joined(
  group: readonly Launch[],
  partial: Tensor,
  sums: readonly (Sums & { readonly offset: number })[],
): Launch | undefined {
  const [weight] = (sums[0] as Sums).results;
  const { dtype, device, storage } = weight;
  const { F } = unitsOf(weight.size);
  const most = group.reduce((a, b) => ((b.constants['THREADS'] ?? 1) > (a.constants['THREADS'] ?? 1) ? b : a));
  const constants = most.constants as unknown as typeof rowThreadOverrides;
  const loads = F === 'f32' ? 1 : 4;
  const words: number[] = [];
  sums.forEach(({ offset, results }, i) => {
    const [parts, length] = (group[i] as Launch).params as [number, number];
    const places = results.map((t) => t.storage.rootOffset / bytesPerElement(dtype) / loads);
    for (let c = 0; c < length; c += rowsPerGroup(constants))
      words.push(parts, length, offset / 4 / loads, c, ...places);
  });
  const recording = new Recording(device, false);
  record(recording, () => {
    const gradients = new Tensor(storage.root, [storage.root.bytes / bytesPerElement(dtype)], dtype);
    const table = tensor(device, Uint32Array.from(words));
    dispatch(together[F], { partial, table, gradients }, { groups: words.length / WORDS }, constants);
  });
  const [launch] = recording.launches;
  return launch && { ...launch, ranges: { 2: sums.flatMap(({ results }) => results.map((t) => t.storage)) } };
}
