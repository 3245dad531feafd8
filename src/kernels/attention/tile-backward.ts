// The backward for GPUs, in workgroups as those of the forward (`tile-kernels.ts`).
import { type Binding, type Kernel, kernel } from '../../gpu/index.ts';
import {
  type AttentionParams,
  attentionParams,
  ground,
  list,
  memoize,
  type Operand,
  type Params,
  times,
} from './interface.ts';
import { type AnyKernel, type MaskKind, maskParams, maskPiece } from './mask.ts';
import {
  each,
  FOUR_TURNS,
  type RowShape,
  type Stage,
  stageOf,
  stageRows,
  storeRows,
  valuesAt,
  weightAt,
} from './tile-stage.ts';

/** Rows of a side, and of the other. */
const TILE = 32;
const tiles = (n: number) => Math.ceil(n / TILE);

export type RowsKernel = Kernel<
  { y: Binding; dy: Binding; stats: 'read f32'; rows: 'write f32' },
  Params,
  Record<never, number>
>;

/** Eight threads per query: `rows [B, H, N, 3]` are its two statistics and `sum(dy * y)`. */
function makeRows(four: boolean): RowsKernel {
  const T = four ? 'vec4<T>' : 'T';
  const at = (of: string) => valuesAt(of, 'place', four);
  return kernel({
    name: 'attention backward rows',
    bind: { y: `read ${T}`, dy: `read ${T}`, stats: 'read f32', rows: 'write f32' },
    params: attentionParams,
    use: [ground],
    grid: (p) => [Math.ceil((p.images * p.heads * p.queries) / 8)],
    wgsl: `
var<workgroup> sums: array<f32, 64>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let row = flatGroup(g, size) * 8u + l / 8u;
  let isRow = row < params.images * params.heads * params.queries;
  var sum = vec4f();
  if (isRow) {
    let batchHead = row / params.queries;
    let first = yBase(batchHead / params.heads, batchHead % params.heads) + row % params.queries * params.yRow;
    for (var place = l % 8u * 4u; place < params.width; place += 32u) {
      let at = first + place;
      sum += ${at('y')} * ${at('dy')};
    }
  }
  sums[l] = dot(sum, vec4f(1.0));
  workgroupBarrier();
  if (isRow && l % 8u == 0u) {
    rows[row * 3u] = stats[row * 2u];
    rows[row * 3u + 1u] = stats[row * 2u + 1u];
    rows[row * 3u + 2u] = ${Array.from({ length: 8 }, (_, n) => `sums[l + ${n}u]`).join(' + ')};
  }
}`,
  });
}

interface Gradients extends Record<string, Binding> {
  readonly q: Binding;
  readonly k: Binding;
  readonly v: Binding;
  readonly dy: Binding;
  readonly rows: 'read f32';
}
export type BackwardKernel = Kernel<
  Gradients & { readonly dq: Binding; readonly dk: Binding; readonly dv: Binding },
  Params,
  Record<never, number>
>;
export type PackedBackwardKernel = Kernel<Gradients & { readonly dqkv: Binding }, Params, Record<never, number>>;

type Side = 'queries' | 'keys';

/** Steps of the head's width that are in workgroup memory at a time. Eight would read half of each line of the nearest cache at once. */
const STEPS = 16;

/**
 * All gradients in one launch, so that packed ones are written whole: a workgroup per 32 queries of a head, then one per 32 keys.
 * With the weights `p` found again from the scores and `e = p (dy · vᵀ - sum(dy y)) scale`: `dq = e · k`, `dk = eᵀ · q`,
 * `dv = pᵀ · dy`. `to`: the names of the gradients of q, k and v.
 */
function makeBackward<K extends BackwardKernel | PackedBackwardKernel | AnyKernel>(
  { fours, four, mask }: RowShape & { readonly mask?: MaskKind | undefined },
  to: readonly [string, string, string],
  sides: readonly Side[] = ['queries', 'keys'],
): K {
  const T = four ? 'vec4<T>' : 'T';
  const groups = TILE / 4;
  const shape = { height: 4, fours, four };
  const grid = (code: (name: string, r: number, c: number) => string) =>
    times(4, (r) => times(fours, (c) => code(`${r}${c}`, r, c)));
  // Rows come in after the scores, so what is made of these lies where blocks of all four were.
  const rowsAtOnce = (fours <= 2 ? 16 : 8) * 8 * fours;
  const scores = TILE * groups + TILE / 4;
  const errorAt = (other: string) => `stage[${rowsAtOnce}u + ${weightAt(groups, other)} + down]`;
  const weightOf = (other: string) => `stage[${rowsAtOnce + scores}u + ${weightAt(groups, other)} + down]`;
  const one = stageOf('q', STEPS, groups, 0).size;

  // The rows of one side, a and b, against all c and d of the other: e from the products a · c and b · d, then the sums of e
  // times c and, for keys, of the weights times d.
  const side = (mine: Side) => {
    const ofKeys = mine === 'keys';
    const theirs = ofKeys ? 'queries' : 'keys';
    const operands = (ofKeys ? ['k', 'v', 'q', 'y'] : ['q', 'y', 'k', 'v']) as [Operand, Operand, Operand, Operand];
    const [, , c, d] = operands;
    const stages = operands.map((operand, n) => stageOf(operand, STEPS, groups, n * one));
    const [a, b, others, errorsOf] = stages as [Stage, Stage, Stage, Stage];
    const atOnce = (fours <= 2 ? 16 : 8) / (ofKeys ? 2 : 1);
    const rowsOf = atOnce * 8 * fours;
    // Weights of the four rows for one of the four others, which are a loop: compilers take long for exponentials.
    const weigh = ofKeys
      ? `
        let query = start + other;
        let at = (batchHead * params.queries + min(query, params.queries - 1u)) * 3u;
        let below = s * params.scale${mask ? ' + maskAt(fromMask, query, own)' : ''} - rows[at] - rows[at + 1u];
        let weight = select(vec4f(), ${each('expBelow', 'below')}, mine < vec4u(seenBy(query)));
        ${weightOf('other')} = weight;
        ${errorAt('other')} = weight * (e - rows[at + 2u]) * params.scale;`
      : `
        let below = s * params.scale${mask ? ' + m' : ''} - tops - logs;
        let weight = select(vec4f(), ${each('expBelow', 'below')}, vec4u(start + other) < sees);
        ${errorAt('other')} = weight * (e - lost) * params.scale;`;
    // Rows of queries read their masks before the turns: four keys of each.
    const isByRow = mask !== undefined && !ofKeys;
    const maskOf = (n: number) => `vec4f(${list(4, (r) => `m${r}[${n}]`)})`;
    return `
    let own = first + down * 4u;
    ${mask ? 'let fromMask = maskBase(image, head);' : ''}
    ${[...new Set(operands)].map((operand) => `let from${operand.toUpperCase()} = ${operand}Base(image, head);`).join('\n')}
    ${
      ofKeys
        ? 'let mine = own + vec4u(0u, 1u, 2u, 3u);'
        : `let at = vec4u(batchHead * params.queries + min(own + vec4u(0u, 1u, 2u, 3u), vec4u(params.queries - 1u))) * 3u;
    ${['tops', 'logs', 'lost'].map((name, n) => `let ${name} = vec4f(${list(4, (i) => `rows[at[${i}] + ${n}u]`)});`).join('\n')}
    let sees = vec4u(${list(4, (i) => `seenBy(own + ${i}u)`)});`
    }
    ${grid((name) => `var bent${name} = vec4f();${ofKeys ? ` var weighted${name} = vec4f();` : ''}`)}
    let begin = ${ofKeys ? 'select(0u, max(first + 1u, params.causal) - params.causal, params.causal != 0u)' : '0u'};
    let end = ${ofKeys ? 'params.queries' : `select(params.keys, min(params.keys, first + ${TILE - 1}u + params.causal), params.causal != 0u)`};
    for (var start = begin; start < end; start += ${TILE}u) {
      ${times(4, (n) => `var s${n} = vec4f(); var e${n} = vec4f();`)}
      for (var d = 0u; d < params.width; d += ${STEPS}u) {
        workgroupBarrier();
        if (l < 32u) {
          { ${a.load('first', `params.${mine}`, four)} }
          { ${b.load('first', `params.${mine}`, four)} }
        } else {
          { ${others.load('start', `params.${theirs}`, four)} }
          { ${errorsOf.load('start', `params.${theirs}`, four)} }
        }
        workgroupBarrier();
        // Loops end at numbers that compilers do not know: unrolled, they take long to compile.
        let stop = (min(${STEPS}u, params.width - d) + 3u) / 4u;
        for (var four = 0u; four < stop; four++) {
          for (var i = 0u; i < 4u; i++) {
            let ai = stage[${a.at('four', 'i', 'down')}];
            let bi = stage[${b.at('four', 'i', 'down')}];
            let ci = stage[${others.at('four', 'i', 'across')}];
            let di = stage[${errorsOf.at('four', 'i', 'across')}];
            ${times(4, (n) => `s${n} += ai * ci[${n}]; e${n} += bi * di[${n}];`)}
          }
        }
      }
      workgroupBarrier();
      ${isByRow ? times(4, (r) => `let m${r} = maskAt(fromMask, own + ${r}u, start + across * 4u);`) : ''}
      for (var n = 0u; n < ${FOUR_TURNS}; n++) {
        var s = s0;
        var e = e0;
        ${isByRow ? `var m = ${maskOf(0)};` : ''}
        switch (n) {
          ${[1, 2, 3].map((n) => `case ${n}u: { s = s${n}; e = e${n}; ${isByRow ? `m = ${maskOf(n)};` : ''} }`).join('\n')}
          default: {}
        }
        let other = across * 4u + n;
        ${weigh}
      }
      workgroupBarrier();
      for (var run = 0u; run < min(${TILE}u, end - start); run += ${atOnce}u) {
        ${stageRows(c, 'start + run', `params.${theirs}`, atOnce, fours, four)}
        ${ofKeys ? stageRows(d, 'start + run', `params.${theirs}`, atOnce, fours, four, rowsOf) : ''}
        workgroupBarrier();
        let count = min(${atOnce}u, end - start - run);
        for (var i = 0u; i < count; i++) {
          let error = ${errorAt('run + i')};
          ${ofKeys ? `let weight = ${weightOf('run + i')};` : ''}
          ${times(
            fours,
            (n) => `{
            let c${n} = stage[i * ${8 * fours}u + across + ${8 * n}u];
            ${times(4, (r) => `bent${r}${n} += error[${r}] * c${n};`)}
            ${ofKeys ? `let d${n} = stage[${rowsOf}u + i * ${8 * fours}u + across + ${8 * n}u];\n${times(4, (r) => `weighted${r}${n} += weight[${r}] * d${n};`)}` : ''}
          }`,
          )}
        }
        workgroupBarrier();
      }
    }
    ${ofKeys ? storeRows(to[1], 'k', 'params.keys', shape, 'bent') + storeRows(to[2], 'v', 'params.keys', shape, 'weighted') : storeRows(to[0], 'q', 'params.queries', shape, 'bent')}`;
  };

  const bind = { q: `read ${T}`, k: `read ${T}`, v: `read ${T}`, dy: `read ${T}`, rows: 'read f32' } as const;
  const written = sides.length === 2 ? to : sides[0] === 'queries' ? to.slice(0, 1) : to.slice(1);
  return kernel({
    name: 'attention backward',
    bind: {
      ...bind,
      ...(mask && { mask: `read vec4<${mask}>` as const }),
      ...Object.fromEntries(written.map((name) => [name, `write ${T}` as const])),
    },
    params: mask ? { ...attentionParams, ...maskParams } : attentionParams,
    use: mask ? [ground, maskPiece(mask)] : [ground],
    grid: (p: AttentionParams) => [sides.reduce((all, mine) => all + tiles(p[mine]), 0) * p.heads * p.images],
    wgsl: `
var<workgroup> stage: array<vec4f, ${Math.max(4 * one, rowsAtOnce + 2 * scores)}>;
// How many keys a query sees: none beyond the last.
fn seenBy(query: u32) -> u32 {
  let all = select(params.keys, min(params.keys, query + params.causal), params.causal != 0u);
  return select(0u, all, query < params.queries);
}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let down = l / 8u;
  let across = l % 8u;
  let tile = flatGroup(g, size);
  let forQueries = ${sides.includes('queries') ? `(params.queries + ${TILE - 1}u) / ${TILE}u` : '0u'};
  let wide = forQueries${sides.includes('keys') ? ` + (params.keys + ${TILE - 1}u) / ${TILE}u` : ''};
  let batchHead = tile / wide;
  if (batchHead >= params.images * params.heads) { return; }
  let image = batchHead / params.heads;
  let head = batchHead % params.heads;
  ${sides
    .map((mine) =>
      mine === 'queries'
        ? `if (tile % wide < forQueries) {
    let first = tile % wide * ${TILE}u;
    ${side('queries')}
  }`
        : `if (tile % wide >= forQueries) {
    let first = (tile % wide - forQueries) * ${TILE}u;
    ${side('keys')}
  }`,
    )
    .join(' else ')}
}`,
  }) as unknown as K;
}

const rowsKernels = new Map<boolean, RowsKernel>();
const backwards = new Map<string, BackwardKernel>();
const maskedBackwards = new Map<string, AnyKernel>();
const packedBackwards = new Map<string, PackedBackwardKernel>();

export function rowsKernel(four: boolean): RowsKernel {
  return memoize(rowsKernels, four, () => makeRows(four));
}

export function backwardKernel({ width }: AttentionParams, four: boolean): BackwardKernel {
  const shape = { fours: Math.ceil(width / 32), four };
  return memoize(backwards, JSON.stringify(shape), () => makeBackward(shape, ['dq', 'dk', 'dv']));
}

/** As {@link backwardKernel}, with the three gradients in one tensor. */
export function packedBackwardKernel({ width }: AttentionParams, four: boolean): PackedBackwardKernel {
  const shape = { fours: Math.ceil(width / 32), four };
  return memoize(packedBackwards, JSON.stringify(shape), () => makeBackward(shape, ['dqkv', 'dqkv', 'dqkv']));
}

/** As {@link backwardKernel}, with a mask, in two launches: together they would bind more buffers than every device has. */
export function maskedBackwardKernels(
  { width }: AttentionParams,
  four: boolean,
  mask: MaskKind,
): Readonly<Record<Side, AnyKernel>> {
  const shape = { fours: Math.ceil(width / 32), four, mask };
  const made = (side: Side) =>
    memoize(maskedBackwards, JSON.stringify([shape, side]), () => makeBackward(shape, ['dq', 'dk', 'dv'], [side]));
  return { queries: made('queries'), keys: made('keys') };
}
