// All kernels here work on tiles of 32 rows × 32 others with workgroups of 8 × 8. An invocation computes 4 × 4 scores, of the
// rows down .. down + 3 and the others across, across + 8, ... (a vec4f per row). They pass through workgroup memory, and the
// invocation keeps sums for the same 4 rows × every eighth place of the head's width.
//
// What can be a loop that no compiler unrolls is one: lavapipe takes some 30 ms to compile each load or store. It unrolls where it
// sees how often a loop can run at most, so loops run between two numbers that it does not know.

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

const TILE = 32;
/** Keys that are in workgroup memory at a time, and steps of the head's width. */
const [KEYS, STEPS] = [32, 16];
/**
 * From row to row of scores in workgroup memory. GPUs have 32 banks: with rows of 32 all threads that turn a row each into weights
 * would meet in one bank at every step, and those that read four rows in four.
 */
const STRIDE = TILE + 1;
export const WIDEST_HEAD = 128;

const tiles = (n: number) => Math.ceil(n / TILE);
/** Code for each of the rows of an invocation, and the four others that it computes scores with. */
const rows = (code: (r: number) => string): string => times(4, code);
const others = (code: (c: number) => string): string => `vec4f(${list(4, code)})`;
/** Code for each row and place that an invocation sums, and the sums in that order, to be stored by `storeRows`. */
const grid = (octets: number, code: (name: string) => string): string =>
  times(4, (r) => times(octets, (c) => code(`${r}_${c}`)));
const kept = (octets: number, prefix: string): string =>
  `array<f32, ${4 * octets}>(${list(4, (r) => list(octets, (c) => `${prefix}${r}_${c}`))})`;

const entry = `
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let down = l / 8u * 4u;
  let across = l % 8u;`;

export type ForwardKernel = Kernel<
  { q: Binding; k: Binding; v: Binding; y: Binding; stats: 'write f32' },
  Params,
  Record<never, number>
>;

/**
 * One workgroup per `8 · rowsPerThread` queries of a head. It goes over the keys once, 32 at a time: scores from blocks of q and k in
 * workgroup memory, 16 of the head's width at a time; weights from scores, with a running maximum, four queries and a few keys a thread;
 * then the weights times v, which comes into workgroup memory too. `stats [B, H, N, 2]` is what the backward needs to find each weight
 * again: the maximum, and the logarithm of the sum below it. They are not added up: next to a score of several thousand the logarithm
 * would lose its digits.
 */
function makeForward({ rowsPerThread: height, fours, four }: Shape): ForwardKernel {
  const T = four ? 'vec4<T>' : 'T';
  const tile = 8 * height;
  // Fours of queries: of the tile, and of a thread.
  const groups = tile / 4;
  const own = height / 4;
  // Threads that turn scores into weights share four queries, and take so many keys each.
  const parts = 64 / groups;
  const keysEach = KEYS / parts;
  const [stageQ, stageK] = [stageOf('q', STEPS, groups), stageOf('k', STEPS, KEYS / 4, groups)];
  const keysAtOnce = fours <= 2 ? 16 : 8;
  const stage = Math.max(stageQ.size + stageK.size, keysAtOnce * 8 * fours);
  // Threads that store scores write keys four apart.
  const weightAt = (key: string) => `(${key}) * ${groups}u + (${key}) / 4u`;
  const scores = (code: (c: number, h: number) => string) => times(4, (c) => times(own, (h) => code(c, h)));
  const sums = (code: (r: number, c: number) => string) => times(height, (r) => times(fours, (c) => code(r, c)));
  const each = (f: string, x: string) => `vec4f(${list(4, (i) => `${f}(${x}[${i}])`)})`;
  const load = `if (${groups === 16 ? 'true' : 'l < 32u'}) { ${stageQ.load('first', 'params.queries', four)} }
      if (${groups === 16 ? 'l < 32u' : 'l >= 32u'}) { ${stageK.load('start', 'params.keys', four)} }`;
  return kernel({
    name: 'attention',
    bind: { q: `read ${T}`, k: `read ${T}`, v: `read ${T}`, y: `write ${T}`, stats: 'write f32' },
    params: attentionParams,
    use: [ground],
    grid: (p) => [Math.ceil(p.queries / tile) * p.heads * p.images],
    wgsl: `
var<workgroup> weights: array<vec4f, ${KEYS * groups + KEYS / 4}>;
var<workgroup> stage: array<vec4f, ${stage}>;
var<workgroup> partial: array<vec4f, ${parts * groups}>;
var<workgroup> factors: array<vec4f, ${groups}>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let flat = flatGroup(g, size);
  let wide = (params.queries + ${tile - 1}u) / ${tile}u;
  let batchHead = flat / wide;
  if (batchHead >= params.images * params.heads) { return; }
  let image = batchHead / params.heads;
  let head = batchHead % params.heads;
  let first = flat % wide * ${tile}u;
  let fromQ = qBase(image, head);
  let fromK = kBase(image, head);
  let fromV = vBase(image, head);
  let down = l / 8u;
  let across = l % 8u;
  let group = l % ${groups}u;
  let part = l / ${groups}u;
  // How many keys each of the four queries sees whose scores this thread turns into weights.
  let sees = select(vec4u(params.keys), min(vec4u(params.keys), first + group * 4u + vec4u(0u, 1u, 2u, 3u) + params.causal), params.causal != 0u);
  ${sums((r, c) => `var y${r}${c} = vec4f();`)}
  var top = vec4f(LOWEST);
  var sum = vec4f();
  let seen = select(params.keys, min(params.keys, first + ${tile - 1}u + params.causal), params.causal != 0u);
  for (var start = 0u; start < seen; start += ${KEYS}u) {
    ${scores((c, h) => `var s${c}${h} = vec4f();`)}
    for (var d = 0u; d < params.width; d += ${STEPS}u) {
      workgroupBarrier();
      ${load}
      workgroupBarrier();
      // Loops end at numbers that compilers do not know: unrolled, they take long to compile.
      let stop = (min(${STEPS}u, params.width - d) + 3u) / 4u;
      for (var four = 0u; four < stop; four++) {
        for (var i = 0u; i < 4u; i++) {
          ${times(own, (h) => `let q${h} = stage[${stageQ.at('four', 'i', `down * ${own}u + ${h}u`)}];`)}
          let keys = stage[${stageK.at('four', 'i', 'across')}];
          ${scores((c, h) => `s${c}${h} += q${h} * keys[${c}];`)}
        }
      }
    }
    ${scores((c, h) => `weights[${weightAt(`across * 4u + ${c}u`)} + down * ${own}u + ${h}u] = s${c}${h} * params.scale;`)}
    workgroupBarrier();
    // Every query sees the first key, so the maximum is a score from the first tile on.
    var highest = top;
    let last = min(part * ${keysEach}u + ${keysEach}u, seen - start);
    for (var i = part * ${keysEach}u; i < last; i++) {
      highest = select(highest, max(highest, weights[${weightAt('i')} + group]), vec4u(start + i) < sees);
    }
    partial[l] = highest;
    workgroupBarrier();
    ${times(parts, (n) => `highest = max(highest, partial[${n * groups}u + group]);`)}
    let factor = ${each('expBelow', '(top - highest)')};
    top = highest;
    sum *= factor;
    if (part == 0u) { factors[group] = factor; }
    for (var i = part * ${keysEach}u; i < last; i++) {
      let at = ${weightAt('i')} + group;
      let below = weights[at] - highest;
      let weight = select(vec4f(), ${each('expBelow', 'below')}, vec4u(start + i) < sees);
      weights[at] = weight;
      sum += weight;
    }
    workgroupBarrier();
    ${times(own, (h) => `let factor${h} = factors[down * ${own}u + ${h}u];`)}
    ${sums((r, c) => `y${r}${c} *= factor${Math.floor(r / 4)}[${r % 4}];`)}
    for (var begin = 0u; begin < min(${KEYS}u, seen - start); begin += ${keysAtOnce}u) {
      ${stageRows('v', 'start + begin', 'params.keys', keysAtOnce, fours, four)}
      workgroupBarrier();
      let count = min(${keysAtOnce}u, seen - start - begin);
      for (var i = 0u; i < count; i++) {
        let at = ${weightAt('begin + i')} + down * ${own}u;
        ${times(own, (h) => `let w${h} = weights[at + ${h}u];`)}
        ${times(fours, (c) => `let v${c} = stage[i * ${8 * fours}u + across + ${8 * c}u];`)}
        ${sums((r, c) => `y${r}${c} += w${Math.floor(r / 4)}[${r % 4}] * v${c};`)}
      }
      workgroupBarrier();
    }
  }
  partial[l] = sum;
  workgroupBarrier();
  if (part == 0u) {
    var all = vec4f();
    ${times(parts, (n) => `all += partial[${n * groups}u + group];`)}
    factors[group] = ${each('inverseOf', 'all')};
    let logs = ${each('logOf', 'all')};
    let row = first + group * 4u;
    let at = (batchHead * params.queries + row) * 2u;
    ${times(4, (i) => `if (row + ${i}u < params.queries) { stats[at + ${2 * i}u] = top[${i}]; stats[at + ${2 * i + 1}u] = logs[${i}]; }`)}
  }
  workgroupBarrier();
  ${times(own, (h) => `let inverse${h} = factors[down * ${own}u + ${h}u];`)}
  ${sums((r, c) => `y${r}${c} *= inverse${Math.floor(r / 4)}[${r % 4}];`)}
  ${storeRows('y', 'y', 'params.queries', { height, fours, four }, 'y')}
}`,
  });
}

/** Of a kernel: rows of a thread, fours of the head's width that a thread sums in each row, and whether rows are read by vec4s. */
interface Shape {
  readonly rowsPerThread: 4 | 8;
  readonly fours: number;
  readonly four: boolean;
}

/** How a block of `steps` of the width × `groups` fours of rows lies in workgroup memory: a step after the other, turned. */
function stageOf(operand: Operand, steps: number, groups: number, after = 0): Stage {
  // Two fours of space after four steps: threads that turn their blocks store four steps apart, and no two of eight meet in one bank.
  const quad = 4 * groups + 2;
  const size = (steps / 4) * quad;
  const start = after === 0 ? 0 : (steps / 4) * (4 * after + 2);
  const at = (four: string, step: string, row: string) =>
    `${start}u + (${four}) * ${quad}u + (${step}) * ${groups}u + ${row}`;
  const [four, row] = [`l % ${steps / 4}u`, `l / ${steps / 4}u % ${groups}u`];
  return {
    size,
    at,
    load: (first, count, isFour) => {
      const place = `d + ${four} * 4u`;
      const from = `from${operand.toUpperCase()}`;
      const rowAt = (n: number) => `min(${first} + (${row}) * 4u + ${n}u, ${count} - 1u)`;
      return `
        ${times(4, (n) => `var r${n} = vec4f();`)}
        if (${place} < params.width) {
          ${times(4, (n) => `{ let at = ${from} + ${rowAt(n)} * params.${operand}Row + ${place}; r${n} = ${valuesAt(operand, place, isFour)}; }`)}
        }
        ${times(4, (i) => `stage[${at(four, `${i}u`, row)}] = vec4f(${list(4, (n) => `r${n}[${i}]`)});`)}`;
    },
  };
}

interface Stage {
  /** Elements, vec4s. */
  readonly size: number;
  /** Where four rows of a step lie, by the four of the step, its place in it, and the four of the rows. */
  readonly at: (four: string, step: string, row: string) => string;
  /** Brings a thread's block of 4 rows from `first` on × 4 of the width from `d` on; rows beyond the last repeat it. */
  readonly load: (first: string, count: string, four: boolean) => string;
}

/** Four values of the width from `at` on, which is `place` in it; zeros beyond it. */
function valuesAt(operand: Operand, place: string, four: boolean): string {
  const x = operand === 'y' ? 'dy' : operand;
  if (four) return `vec4f(${x}[at / 4u])`;
  return `vec4f(${list(4, (i) => `select(0.0, f32(${x}[at + min(${i}u, params.width - 1u - (${place}))]), ${place} + ${i}u < params.width)`)})`;
}

/** Brings `count` rows from `first` on as they are, with zeros beyond the last and the width. */
function stageRows(
  operand: Operand,
  first: string,
  all: string,
  count: number,
  fours: number,
  four: boolean,
  start = 0,
): string {
  return `
      for (var i = l; i < ${count * 8 * fours}u; i += 64u) {
        let row = ${first} + i / ${8 * fours}u;
        let place = i % ${8 * fours}u * 4u;
        var values = vec4f();
        if (row < ${all} && place < params.width) {
          let at = from${operand.toUpperCase()} + row * params.${operand}Row + place;
          values = ${valuesAt(operand, 'place', four)};
        }
        stage[${start}u + i] = values;
      }`;
}

/** Stores the rows of a thread, of sums `name` + row + four. */
function storeRows(
  to: string,
  operand: Operand,
  all: string,
  { height, fours, four }: { height: number; fours: number; four: boolean },
  name: string,
): string {
  const values = (r: number) => times(fours, (c) => `v${c} = ${name}${r}${c};`);
  const store = (c: number) =>
    four
      ? `if (place + ${32 * c}u < params.width) { ${to}[(at + ${32 * c}u) / 4u] = vec4<T>(v${c}); }`
      : times(4, (i) => `if (place + ${32 * c + i}u < params.width) { ${to}[at + ${32 * c + i}u] = T(v${c}[${i}]); }`);
  return `{
    let row = first + down * ${height}u;
    let place = across * 4u;
    for (var i = 0u; i < min(row + ${height}u, max(${all}, row)) - row; i++) {
      ${times(fours, (c) => `var v${c} = ${name}0${c};`)}
      // Not an array: one with an index that is known when it runs would lie in memory.
      switch (i) {
        ${times(height - 1, (r) => `case ${r + 1}u: { ${values(r + 1)} }`)}
        default: {}
      }
      let at = ${operand}Base(image, head) + (row + i) * params.${operand}Row + place;
      ${times(fours, store)}
    }
  }`;
}

/** One invocation per query: `rows [B, H, N, 3]` are its two statistics and `sum(dy * y)`. */
export const backwardRows: Kernel<
  { y: 'read T'; dy: 'read T'; stats: 'read f32'; rows: 'write f32' },
  Params,
  { WG: 64 }
> = /*#__PURE__*/ kernel({
  name: 'attention backward rows',
  bind: { y: 'read T', dy: 'read T', stats: 'read f32', rows: 'write f32' },
  params: attentionParams,
  override: { WG: 64 },
  use: [ground],
  grid: (p, { WG }) => [Math.ceil((p.images * p.heads * p.queries) / WG)],
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  let batchHead = i / params.queries;
  if (batchHead >= params.images * params.heads) { return; }
  let at = yBase(batchHead / params.heads, batchHead % params.heads) + i % params.queries * params.yRow;
  var sum = 0.0;
  for (var d = 0u; d < params.width; d++) { sum += f32(dy[at + d]) * f32(y[at + d]); }
  rows[i * 3u] = stats[i * 2u];
  rows[i * 3u + 1u] = stats[i * 2u + 1u];
  rows[i * 3u + 2u] = sum;
}`,
});

const backwardBind = {
  q: 'read T',
  k: 'read T',
  v: 'read T',
  dy: 'read T',
  rows: 'read f32',
  dq: 'write T',
  dk: 'write T',
  dv: 'write T',
} as const;
const packedBind = {
  q: 'read T',
  k: 'read T',
  v: 'read T',
  dy: 'read T',
  rows: 'read f32',
  dqkv: 'write T',
} as const;
export type BackwardKernel = Kernel<typeof backwardBind, Params>;
export type PackedBackwardKernel = Kernel<typeof packedBind, Params>;

/**
 * All gradients in one launch, so that packed ones are written whole: a workgroup per 32 queries of a head, then one per 32 keys.
 * With the weights `p` found again from the scores and `e = p (dy · vᵀ - sum(dy y)) scale`: `dq = e · k`, `dk = eᵀ · q`,
 * `dv = pᵀ · dy`.
 */
function makeBackward<B extends typeof backwardBind | typeof packedBind>(octets: number, bind: B): Kernel<B, Params> {
  const [dq, dk, dv] = 'dqkv' in bind ? ['dqkv', 'dqkv', 'dqkv'] : ['dq', 'dk', 'dv'];

  const store = (to: string, operand: Operand, sums: string) => `
    {
      var kept = ${kept(octets, sums)};
      let at = ${operand}Base(image, head) + (first + down) * params.${operand}Row;
      for (var i = 0u; i < ${octets}u * high; i++) {
        let place = across + i % ${octets}u * 8u;
        if (place < params.width) { ${to}[at + i / ${octets}u * params.${operand}Row + place] = T(kept[i]); }
      }
    }`;

  // The rows of one side, a and b, against all c and d of the other: e from the products a · c and b · d, then the sums of e
  // times c and, for keys, of the weights times d.
  const side = (mine: 'queries' | 'keys') => {
    const ofKeys = mine === 'keys';
    const theirs = ofKeys ? 'queries' : 'keys';
    const [a, b, c, d] = ofKeys ? ['k', 'v', 'q', 'y'] : ['q', 'y', 'k', 'v'];
    const at = (operand: string | undefined, index: string) => `f32(${operand === 'y' ? 'dy' : operand}[${index}])`;
    return `
    let high = existing(first + down, params.${mine});
    let fromC = ${c}Base(image, head);
    let fromD = ${d}Base(image, head);
    ${rows(
      (r) => `
    let row${r} = min(first + down + ${r}u, params.${mine} - 1u);
    let aAt${r} = ${a}Base(image, head) + row${r} * params.${a}Row;
    let bAt${r} = ${b}Base(image, head) + row${r} * params.${b}Row;`,
    )}
    ${grid(octets, (i) => (ofKeys ? `var bent${i} = 0.0; var weighted${i} = 0.0;` : `var bent${i} = 0.0;`))}
    let begin = ${ofKeys ? 'select(0u, max(first + 1u, params.causal) - params.causal, params.causal != 0u)' : '0u'};
    let end = ${ofKeys ? 'params.queries' : 'select(params.keys, min(params.keys, first + 31u + params.causal), params.causal != 0u)'};
    for (var start = begin; start < end; start += 32u) {
      ${rows(
        (n) => `
      let other${n} = min(start + across + ${8 * n}u, params.${theirs} - 1u);
      let cAt${n} = fromC + other${n} * params.${c}Row;
      let dAt${n} = fromD + other${n} * params.${d}Row;`,
      )}
      ${rows((r) => `var s${r} = vec4f(); var e${r} = vec4f();`)}
      for (var i = 0u; i < params.width; i++) {
        let otherC = ${others((n) => at(c, `cAt${n} + i`))};
        let otherD = ${others((n) => at(d, `dAt${n} + i`))};
        ${rows((r) => `s${r} += ${at(a, `aAt${r} + i`)} * otherC; e${r} += ${at(b, `bAt${r} + i`)} * otherD;`)}
      }
      var products = array<vec4f, 4>(s0, s1, s2, s3);
      var gradients = array<vec4f, 4>(e0, e1, e2, e3);
      workgroupBarrier();
      for (var i = 0u; i < 4u * high; i++) {
        let row = down + i / 4u;
        let other = across + i % 4u * 8u;
        let p = weightOf(batchHead, ${ofKeys ? 'start + other, first + row' : 'first + row, start + other'}, products[i / 4u][i % 4u]);
        ${ofKeys ? `weights[row * ${STRIDE}u + other] = p.x;` : ''}
        errors[row * ${STRIDE}u + other] = p.x * (gradients[i / 4u][i % 4u] - p.y) * params.scale;
      }
      workgroupBarrier();
      for (var other = start; other < min(start + 32u, end); other++) {
        ${rows((r) => `let bend${r} = errors[(down + ${r}u) * ${STRIDE}u + other - start];`)}
        ${ofKeys ? rows((r) => `let weight${r} = weights[(down + ${r}u) * ${STRIDE}u + other - start];`) : ''}
        let cAt = fromC + other * params.${c}Row;
        let dAt = fromD + other * params.${d}Row;
        ${times(
          octets,
          (n) => `{
          let place = min(across + ${8 * n}u, params.width - 1u);
          let valueC = ${at(c, 'cAt + place')};
          ${rows((r) => `bent${r}_${n} += bend${r} * valueC;`)}
          ${ofKeys ? `let valueD = ${at(d, 'dAt + place')};\n${rows((r) => `weighted${r}_${n} += weight${r} * valueD;`)}` : ''}
        }`,
        )}
      }
    }
    ${ofKeys ? store(dk, 'k', 'bent') + store(dv, 'v', 'weighted') : store(dq, 'q', 'bent')}`;
  };

  return kernel({
    name: 'attention backward',
    bind,
    params: attentionParams,
    use: [ground],
    grid: (p) => [(tiles(p.queries) + tiles(p.keys)) * p.heads * p.images],
    wgsl: `
var<workgroup> weights: array<f32, ${TILE * STRIDE}>;
var<workgroup> errors: array<f32, ${TILE * STRIDE}>;
// The weight of a key for a query, from their product, and what the query subtracts from the weight's gradient.
fn weightOf(batchHead: u32, query: u32, key: u32, product: f32) -> vec2f {
  let sees = key < params.keys && (params.causal == 0u || key < query + params.causal);
  if (query >= params.queries || !sees) { return vec2f(); }
  let at = (batchHead * params.queries + query) * 3u;
  return vec2f(expBelow(product * params.scale - rows[at] - rows[at + 1u]), rows[at + 2u]);
}
${entry}
  let tile = flatGroup(g, size);
  let forQueries = (params.queries + 31u) / 32u;
  let wide = forQueries + (params.keys + 31u) / 32u;
  let batchHead = tile / wide;
  if (batchHead >= params.images * params.heads) { return; }
  let image = batchHead / params.heads;
  let head = batchHead % params.heads;
  if (tile % wide < forQueries) {
    let first = tile % wide * 32u;
    ${side('queries')}
  } else {
    let first = (tile % wide - forQueries) * 32u;
    ${side('keys')}
  }
}`,
  });
}

const forwards = new Map<string, ForwardKernel>();
const backwards = new Map<number, BackwardKernel>();
const packedBackwards = new Map<number, PackedBackwardKernel>();

const octetsOf = (width: number): number => Math.ceil(width / 8);

/** Kernels hold the head's width in registers, so there is one for every multiple of 32. `four`: rows are read by vec4s. */
export function forwardKernel({ images, heads, queries, width }: AttentionParams, four: boolean): ForwardKernel {
  const fours = Math.ceil(width / 32);
  // Twice the rows a thread save a quarter of the loads, where enough workgroups are left and a thread has the registers.
  const rowsPerThread = fours <= 2 && Math.ceil(queries / 64) * heads * images >= 256 ? 8 : 4;
  const shape = { rowsPerThread, fours, four } as const;
  return memoize(forwards, JSON.stringify(shape), () => makeForward(shape));
}

export function backwardKernel(width: number): BackwardKernel {
  const octets = octetsOf(width);
  return memoize(backwards, octets, () => makeBackward(octets, backwardBind));
}

/** As {@link backwardKernel}, with the three gradients in one tensor. */
export function packedBackwardKernel(width: number): PackedBackwardKernel {
  const octets = octetsOf(width);
  return memoize(packedBackwards, octets, () => makeBackward(octets, packedBind));
}
