// For GPUs. Workgroups of 8 × 8 threads: a thread computes scores of 4 or 8 rows, one after the other, with four others, and then
// sums of the same rows × every eighth four of the head's width. What several threads read comes into workgroup memory as vec4s first.

import { type Binding, type Kernel, kernel } from '../../gpu/index.ts';
import { type AttentionParams, attentionParams, ground, list, memoize, type Params, times } from './interface.ts';
import { type AnyKernel, type MaskKind, maskParams, maskPiece } from './mask.ts';
import { each, type RowShape, stageOf, stageRows, storeRows, weightAt } from './tile-stage.ts';

/** Keys that are in workgroup memory at a time, and steps of the head's width. */
const [KEYS, STEPS] = [32, 16];

export const WIDEST_HEAD = 128;

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
 * would lose its digits. A mask is added to the scores of a tile, and never to more than these.
 */
function makeForward({ rowsPerThread: height, fours, four, mask }: Shape): AnyKernel {
  const T = four ? 'vec4<T>' : 'T';
  const tile = 8 * height;
  // Fours of queries: of the tile, and of a thread.
  const groups = tile / 4;
  const own = height / 4;
  // Threads that turn scores into weights share four queries, and take so many keys each.
  const parts = 64 / groups;
  const keysEach = KEYS / parts;
  const stageQ = stageOf('q', STEPS, groups, 0);
  const stageK = stageOf('k', STEPS, KEYS / 4, stageQ.size);
  const keysAtOnce = fours <= 2 ? 16 : 8;
  const stage = Math.max(stageQ.size + stageK.size, keysAtOnce * 8 * fours);
  const at = (key: string) => weightAt(groups, key);
  const scores = (code: (c: number, h: number) => string) => times(4, (c) => times(own, (h) => code(c, h)));
  const sums = (code: (r: number, c: number) => string) => times(height, (r) => times(fours, (c) => code(r, c)));
  const load = `if (${groups === 16 ? 'true' : 'l < 32u'}) { ${stageQ.load('first', 'params.queries', four)} }
      if (${groups === 16 ? 'l < 32u' : 'l >= 32u'}) { ${stageK.load('start', 'params.keys', four)} }`;
  const made = kernel({
    name: 'attention',
    bind: {
      q: `read ${T}`,
      k: `read ${T}`,
      v: `read ${T}`,
      ...(mask && { mask: `read vec4<${mask}>` }),
      y: `write ${T}`,
      stats: 'write f32',
    },
    params: mask ? { ...attentionParams, ...maskParams } : attentionParams,
    use: mask ? [ground, maskPiece(mask)] : [ground],
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
  ${mask ? 'let fromMask = maskBase(image, head);' : ''}
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
    ${mask ? times(height, (r) => `let m${r} = maskAt(fromMask, first + down * ${height}u + ${r}u, start + across * 4u);`) : ''}
    ${scores((c, h) => `weights[${at(`across * 4u + ${c}u`)} + down * ${own}u + ${h}u] = s${c}${h} * params.scale${mask ? ` + vec4f(${list(4, (i) => `m${4 * h + i}[${c}]`)})` : ''};`)}
    workgroupBarrier();
    // Every query sees the first key, so the maximum is a score from the first tile on; but with a mask, which may hide all.
    var highest = top;
    let last = min(part * ${keysEach}u + ${keysEach}u, seen - start);
    for (var i = part * ${keysEach}u; i < last; i++) {
      highest = select(highest, max(highest, weights[${at('i')} + group]), vec4u(start + i) < sees);
    }
    partial[l] = highest;
    workgroupBarrier();
    ${times(parts, (n) => `highest = max(highest, partial[${n * groups}u + group]);`)}
    let factor = ${each('expBelow', '(top - highest)')};
    top = highest;
    sum *= factor;
    if (part == 0u) { factors[group] = factor; }
    for (var i = part * ${keysEach}u; i < last; i++) {
      let at = ${at('i')} + group;
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
        let at = ${at('begin + i')} + down * ${own}u;
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
    // A query that its mask shows no key gives zeros.
    factors[group] = ${mask ? `select(${each('inverseOf', 'all')}, vec4f(), all == vec4f())` : each('inverseOf', 'all')};
    let logs = ${mask ? `select(${each('logOf', 'all')}, vec4f(), all == vec4f())` : each('logOf', 'all')};
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
  return made as unknown as AnyKernel;
}

interface Shape extends RowShape {
  readonly rowsPerThread: 4 | 8;
  readonly mask: MaskKind | undefined;
}

const forwards = new Map<string, AnyKernel>();

/** Kernels hold the head's width in registers, so there is one for every multiple of 32. `four`: rows are read by vec4s. */
export function forwardKernel(params: AttentionParams, four: boolean): ForwardKernel {
  return kernelFor(params, four, undefined) as unknown as ForwardKernel;
}

/** As {@link forwardKernel}, with a mask. */
export function maskedForwardKernel(params: AttentionParams, four: boolean, mask: MaskKind): AnyKernel {
  return kernelFor(params, four, mask);
}

function kernelFor(
  { images, heads, queries, width }: AttentionParams,
  four: boolean,
  mask: MaskKind | undefined,
): AnyKernel {
  const fours = Math.ceil(width / 32);
  // Twice the rows a thread take 0.7 of the turns of workgroup memory, where a thread has the registers. With 64 queries a workgroup a GPU's
  // cores must not be left idle; up to 128 workgroups of 32 run side by side on large ones, and so are done sooner.
  const groups = (rows: number) => Math.ceil(queries / rows) * heads * images;
  const rowsPerThread = fours <= 2 && groups(64) >= 64 && groups(32) > 128 ? 8 : 4;
  const shape = { rowsPerThread, fours, four, mask } as const;
  return memoize(forwards, JSON.stringify(shape), () => makeForward(shape));
}
