// All kernels here work on tiles of 32 rows × 32 others with workgroups of 8 × 8. An invocation computes 4 × 4 scores, of the
// rows down .. down + 3 and the others across, across + 8, ... (a vec4f per row). They pass through workgroup memory, and the
// invocation keeps sums for the same 4 rows × every eighth place of the head's width.
//
// What can be a loop that no compiler unrolls is one: lavapipe takes some 30 ms to compile each load or store. It unrolls where it
// sees how often a loop can run at most, so loops run between two numbers that it does not know.

import { type Kernel, kernel } from '../../gpu/index.ts';
import { attentionParams, ground, list, memoize, type Operand, type Params, times } from './interface.ts';

const TILE = 32;
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

const forwardBind = { q: 'read T', k: 'read T', v: 'read T', y: 'write T', stats: 'write f32' } as const;
export type ForwardKernel = Kernel<typeof forwardBind, Params>;

/**
 * One workgroup per 32 queries of a head. It goes over the keys once, 32 at a time; the first 32 invocations turn a row of
 * scores each into weights, with a running maximum. `stats [B, H, N, 2]` is what the backward needs to find each weight again:
 * the maximum, and the logarithm of the sum below it. They are not added up: next to a score of several thousand the logarithm
 * would lose its digits.
 */
function makeForward(octets: number): ForwardKernel {
  return kernel({
    name: 'attention',
    bind: forwardBind,
    params: attentionParams,
    use: [ground],
    grid: (p) => [tiles(p.queries) * p.heads * p.images],
    wgsl: `
var<workgroup> weights: array<f32, ${TILE * STRIDE}>;
var<workgroup> factors: array<f32, 32>;
${entry}
  let tile = flatGroup(g, size);
  let wide = (params.queries + 31u) / 32u;
  let batchHead = tile / wide;
  if (batchHead >= params.images * params.heads) { return; }
  let image = batchHead / params.heads;
  let head = batchHead % params.heads;
  let first = tile % wide * 32u;
  let fromQ = qBase(image, head);
  let fromK = kBase(image, head);
  let fromV = vBase(image, head);
  let high = existing(first + down, params.queries);
  ${rows((r) => `let qAt${r} = fromQ + min(first + down + ${r}u, params.queries - 1u) * params.qRow;`)}
  ${grid(octets, (i) => `var y${i} = 0.0;`)}
  var top = LOWEST;
  var sum = 0.0;
  let seen = select(params.keys, min(params.keys, first + 31u + params.causal), params.causal != 0u);
  for (var start = 0u; start < seen; start += 32u) {
    let stop = min(start + 32u, seen);
    ${rows((c) => `let kAt${c} = fromK + min(start + across + ${8 * c}u, params.keys - 1u) * params.kRow;`)}
    ${rows((r) => `var s${r} = vec4f();`)}
    for (var d = 0u; d < params.width; d++) {
      let other = ${others((c) => `f32(k[kAt${c} + d])`)};
      ${rows((r) => `s${r} += f32(q[qAt${r} + d]) * other;`)}
    }
    var scores = array<vec4f, 4>(s0, s1, s2, s3);
    workgroupBarrier();
    for (var i = 0u; i < 4u * high; i++) {
      weights[(down + i / 4u) * ${STRIDE}u + across + i % 4u * 8u] = scores[i / 4u][i % 4u] * params.scale;
    }
    workgroupBarrier();
    if (l < 32u && first + l < params.queries) {
      // Every query sees the first key, so the maximum is a score from the first tile on.
      let mine = select(stop, min(stop, first + l + params.causal), params.causal != 0u);
      let at = l * ${STRIDE}u - start;
      var highest = top;
      for (var key = start; key < mine; key++) { highest = max(highest, weights[at + key]); }
      let factor = expBelow(top - highest);
      top = highest;
      sum *= factor;
      factors[l] = factor;
      for (var key = start; key < stop; key++) {
        let weight = select(0.0, expBelow(weights[at + key] - highest), key < mine);
        weights[at + key] = weight;
        sum += weight;
      }
    }
    workgroupBarrier();
    ${rows((r) => `let factor${r} = factors[down + ${r}u]; ${times(octets, (c) => `y${r}_${c} *= factor${r};`)}`)}
    for (var key = start; key < stop; key++) {
      let vAt = fromV + key * params.vRow;
      ${rows((r) => `let w${r} = weights[(down + ${r}u) * ${STRIDE}u + key - start];`)}
      ${times(
        octets,
        (c) => `let v${c} = f32(v[vAt + min(across + ${8 * c}u, params.width - 1u)]);
      ${rows((r) => `y${r}_${c} += w${r} * v${c};`)}`,
      )}
    }
  }
  workgroupBarrier();
  if (l < 32u && first + l < params.queries) {
    factors[l] = inverseOf(sum);
    let at = (batchHead * params.queries + first + l) * 2u;
    stats[at] = top;
    stats[at + 1u] = logOf(sum);
  }
  workgroupBarrier();
  var kept = ${kept(octets, 'y')};
  let to = yBase(image, head) + (first + down) * params.yRow;
  for (var i = 0u; i < ${octets}u * high; i++) {
    let row = i / ${octets}u;
    let place = across + i % ${octets}u * 8u;
    if (place < params.width) { y[to + row * params.yRow + place] = T(kept[i] * factors[down + row]); }
  }
}`,
  });
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

const forwards = new Map<number, ForwardKernel>();
const backwards = new Map<number, BackwardKernel>();
const packedBackwards = new Map<number, PackedBackwardKernel>();

const octetsOf = (width: number): number => Math.ceil(width / 8);

/** Kernels hold the head's width in registers, so there is one for every multiple of 8. */
export function forwardKernel(width: number): ForwardKernel {
  const octets = octetsOf(width);
  return memoize(forwards, octets, () => makeForward(octets));
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
