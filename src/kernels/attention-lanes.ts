import { type Kernel, kernel } from '../gpu/kernel.ts';
import { attentionParams, ground, type Params } from './attention-kernels.ts';

// The form for adapters that compute on the CPU: an invocation has a row to itself and goes over all others, whose values are
// the same for the whole subgroup and come by one load for all. No workgroup memory, no barriers. Rows are held as vec4f, so a
// head's width must be a multiple of 4, and every row must start at one.
// On lavapipe a training step of four heads of 12 to 24 takes less than half the time that it takes with the tiles of
// attention-kernels.ts.

const WG = 8;

const lines = (n: number) => Math.ceil(n / WG);
const times = (n: number, code: (i: number) => string): string =>
  Array.from({ length: n }, (_, i) => code(i)).join('\n');

const entry = `
@compute @workgroup_size(${WG})
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let tile = flatGroup(g, size);`;
const place = `
  let line = tile / wide;
  if (line >= params.images * params.heads) { return; }
  let image = line / params.heads;
  let head = line % params.heads;`;

/** `let name0 = …` for the vec4f of a row that the whole subgroup reads. */
const load = (name: string, operand: string, at: string, quads: number): string =>
  times(quads, (i) => `let ${name}${i} = vec4f(${operand}[${at} + ${i}u]);`);
/**
 * The same for a row of the invocation's own. In a loop whose length no compiler knows: where every invocation has another
 * address, lavapipe takes some 20 ms to compile each load or store.
 */
const loadOwn = (name: string, operand: string, at: string, quads: number): string => `
  var ${name}Row: array<vec4f, ${quads}>;
  for (var i = 0u; i < params.width / 4u; i++) { ${name}Row[i] = vec4f(${operand}[${at} + i]); }
  ${times(quads, (i) => `let ${name}${i} = ${name}Row[${i}];`)}`;
const storeOwn = (to: string, at: string, from: string, quads: number, factor = ''): string => `
  var ${from}Row = array<vec4f, ${quads}>(${Array.from({ length: quads }, (_, i) => `${from}${i}`).join(', ')});
  for (var i = 0u; i < params.width / 4u; i++) { ${to}[${at} + i] = vec4<T>(${from}Row[i]${factor}); }`;
/** `let name = a · b`, in four sums that do not wait for each other. */
const dot = (name: string, a: string, b: string, quads: number): string => `
  var ${name}Sums = ${a}0 * ${b}0;
  ${times(quads - 1, (i) => `${name}Sums += ${a}${i + 1} * ${b}${i + 1};`)}
  let ${name} = ${name}Sums.x + ${name}Sums.y + (${name}Sums.z + ${name}Sums.w);`;

const forwardBind = {
  q: 'read vec4<T>',
  k: 'read vec4<T>',
  v: 'read vec4<T>',
  y: 'write vec4<T>',
  stats: 'write f32',
} as const;
export type LaneForward = Kernel<typeof forwardBind, Params>;

function makeForward(quads: number): LaneForward {
  return kernel({
    name: 'attention',
    bind: forwardBind,
    params: attentionParams,
    use: [ground],
    grid: (p) => [lines(p.queries) * p.heads * p.images],
    wgsl: `
${entry}
  let wide = (params.queries + ${WG - 1}u) / ${WG}u;
  ${place}
  let first = tile % wide * ${WG}u;
  let query = min(first + l, params.queries - 1u);
  let qAt = (qBase(image, head) + query * params.qRow) / 4u;
  ${loadOwn('q', 'q', 'qAt', quads)}
  ${times(quads, (i) => `var y${i} = vec4f();`)}
  let fromK = kBase(image, head) / 4u;
  let fromV = vBase(image, head) / 4u;
  var top = LOWEST;
  var sum = 0.0;
  let seen = select(params.keys, min(params.keys, first + ${WG}u), params.causal != 0u);
  for (var key = 0u; key < seen; key++) {
    let kAt = fromK + key * (params.kRow / 4u);
    ${load('k', 'k', 'kAt', quads)}
    ${dot('product', 'q', 'k', quads)}
    let sees = params.causal == 0u || key <= query;
    let score = product * params.scale;
    let highest = select(top, max(top, score), sees);
    let factor = expBelow(top - highest);
    let weight = select(0.0, expBelow(score - highest), sees);
    top = highest;
    sum = sum * factor + weight;
    let vAt = fromV + key * (params.vRow / 4u);
    ${times(quads, (i) => `y${i} = y${i} * factor + weight * vec4f(v[vAt + ${i}u]);`)}
  }
  if (first + l < params.queries) {
    let at = (line * params.queries + query) * 2u;
    stats[at] = top;
    stats[at + 1u] = log(sum);
    let share = 1.0 / sum;
    let yAt = (yBase(image, head) + query * params.yRow) / 4u;
    ${storeOwn('y', 'yAt', 'y', quads, ' * share')}
  }
}`,
  });
}

const rowsBind = { y: 'read vec4<T>', dy: 'read vec4<T>', stats: 'read f32', rows: 'write f32' } as const;

/**
 * As `backwardRows` of attention-kernels.ts. It sums in the order of the backward here: where one key has all the weight, the
 * gradient is the difference of two equal sums and must be 0.
 */
export const laneRows: Kernel<typeof rowsBind, Params> = kernel({
  name: 'attention backward rows',
  bind: rowsBind,
  params: attentionParams,
  use: [ground],
  grid: (p) => [lines(p.images * p.heads * p.queries)],
  wgsl: `
${entry}
  let i = tile * ${WG}u + l;
  let line = i / params.queries;
  if (line >= params.images * params.heads) { return; }
  let at = (yBase(line / params.heads, line % params.heads) + i % params.queries * params.yRow) / 4u;
  var sums = vec4f(dy[at]) * vec4f(y[at]);
  for (var d = 1u; d < params.width / 4u; d++) { sums += vec4f(dy[at + d]) * vec4f(y[at + d]); }
  rows[i * 3u] = stats[i * 2u];
  rows[i * 3u + 1u] = stats[i * 2u + 1u];
  rows[i * 3u + 2u] = sums.x + sums.y + (sums.z + sums.w);
}`,
});

const backwardBind = {
  q: 'read vec4<T>',
  k: 'read vec4<T>',
  v: 'read vec4<T>',
  dy: 'read vec4<T>',
  rows: 'read f32',
  dq: 'write vec4<T>',
  dk: 'write vec4<T>',
  dv: 'write vec4<T>',
} as const;
const packedBind = {
  q: 'read vec4<T>',
  k: 'read vec4<T>',
  v: 'read vec4<T>',
  dy: 'read vec4<T>',
  rows: 'read f32',
  dqkv: 'write vec4<T>',
} as const;
export type LaneBackward = Kernel<typeof backwardBind, Params>;
export type PackedLaneBackward = Kernel<typeof packedBind, Params>;

/** As the backward of attention-kernels.ts: first workgroups that have a query per invocation, then ones with a key. */
function makeBackward<B extends typeof backwardBind | typeof packedBind>(quads: number, bind: B): Kernel<B, Params> {
  const [dq, dk, dv] = 'dqkv' in bind ? ['dqkv', 'dqkv', 'dqkv'] : ['dq', 'dk', 'dv'];
  const sums = (name: string) => times(quads, (i) => `var ${name}${i} = vec4f();`);
  const add = (name: string, factor: string, row: string) =>
    times(quads, (i) => `${name}${i} += ${factor} * ${row}${i};`);
  // What a weight and its error are, from both products; the row's statistics are `top`, `logSum` and `mean`.
  const weigh = `
      let p = select(0.0, expBelow(score * params.scale - top - logSum), params.causal == 0u || key <= query);
      let e = p * (product - mean) * params.scale;`;
  const statistics = `
      let top = rows[statsAt];
      let logSum = rows[statsAt + 1u];
      let mean = rows[statsAt + 2u];`;
  return kernel({
    name: 'attention backward',
    bind,
    params: attentionParams,
    use: [ground],
    grid: (p) => [(lines(p.queries) + lines(p.keys)) * p.heads * p.images],
    wgsl: `
${entry}
  let forQueries = (params.queries + ${WG - 1}u) / ${WG}u;
  let wide = forQueries + (params.keys + ${WG - 1}u) / ${WG}u;
  ${place}
  let fromQ = qBase(image, head) / 4u;
  let fromK = kBase(image, head) / 4u;
  let fromV = vBase(image, head) / 4u;
  let fromY = yBase(image, head) / 4u;
  if (tile % wide < forQueries) {
    let first = tile % wide * ${WG}u;
    let query = min(first + l, params.queries - 1u);
    let qAt = fromQ + query * (params.qRow / 4u);
    let yAt = fromY + query * (params.yRow / 4u);
    ${loadOwn('q', 'q', 'qAt', quads)}
    ${loadOwn('dy', 'dy', 'yAt', quads)}
    let statsAt = (line * params.queries + query) * 3u;
    ${statistics}
    ${sums('dq')}
    let seen = select(params.keys, min(params.keys, first + ${WG}u), params.causal != 0u);
    for (var key = 0u; key < seen; key++) {
      let kAt = fromK + key * (params.kRow / 4u);
      let vAt = fromV + key * (params.vRow / 4u);
      ${load('k', 'k', 'kAt', quads)}
      ${dot('score', 'q', 'k', quads)}
      ${load('v', 'v', 'vAt', quads)}
      ${dot('product', 'dy', 'v', quads)}
      ${weigh}
      ${add('dq', 'e', 'k')}
    }
    if (first + l < params.queries) {
      ${storeOwn(dq, 'qAt', 'dq', quads)}
    }
  } else {
    let first = (tile % wide - forQueries) * ${WG}u;
    let key = min(first + l, params.keys - 1u);
    let kAt = fromK + key * (params.kRow / 4u);
    let vAt = fromV + key * (params.vRow / 4u);
    ${loadOwn('k', 'k', 'kAt', quads)}
    ${loadOwn('v', 'v', 'vAt', quads)}
    ${sums('dk')}
    ${sums('dv')}
    for (var query = select(0u, first, params.causal != 0u); query < params.queries; query++) {
      let qAt = fromQ + query * (params.qRow / 4u);
      let yAt = fromY + query * (params.yRow / 4u);
      let statsAt = (line * params.queries + query) * 3u;
      ${statistics}
      ${load('q', 'q', 'qAt', quads)}
      ${dot('score', 'k', 'q', quads)}
      ${load('dy', 'dy', 'yAt', quads)}
      ${dot('product', 'v', 'dy', quads)}
      ${weigh}
      ${add('dk', 'e', 'q')}
      ${add('dv', 'p', 'dy')}
    }
    if (first + l < params.keys) {
      ${storeOwn(dk, 'kAt', 'dk', quads)}
      ${storeOwn(dv, 'vAt', 'dv', quads)}
    }
  }
}`,
  });
}

const forwards = new Map<number, LaneForward>();
const backwards = new Map<number, LaneBackward>();
const packedBackwards = new Map<number, PackedLaneBackward>();

export function laneForward(width: number): LaneForward {
  return known(forwards, width, makeForward);
}

export function laneBackward(width: number): LaneBackward {
  return known(backwards, width, (quads) => makeBackward(quads, backwardBind));
}

export function packedLaneBackward(width: number): PackedLaneBackward {
  return known(packedBackwards, width, (quads) => makeBackward(quads, packedBind));
}

function known<V>(kernels: Map<number, V>, width: number, make: (quads: number) => V): V {
  let made = kernels.get(width);
  if (!made) kernels.set(width, (made = make(width / 4)));
  return made;
}
