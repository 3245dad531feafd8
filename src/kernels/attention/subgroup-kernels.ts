import { type Kernel, kernel } from '../../gpu/index.ts';
import { attentionParams, ground, memoize, type Params, times } from './interface.ts';
import {
  add,
  dots,
  entry,
  fromLane,
  loadBlock,
  loadOwn,
  place,
  type Subgroup,
  storeOwn,
  together,
  type Variant,
  variantOf,
  zeros,
} from './subgroup-code.ts';

// The variant for adapters that compute on the CPU: a subgroup to a workgroup. An invocation holds whole rows of its own and goes
// over all others, of which its subgroup brings some at a time: each invocation loads other elements, and shuffles (lavapipe) or
// broadcasts of a quad (SwiftShader) hand them round. No workgroup memory, no barriers. Rows are held as vec4f, so a head's width must be a multiple of 4, and every row must
// start at one.
//
// A load is what costs here: lavapipe and SwiftShader load lane by lane, even where all lanes want the same address (80 cycles
// for a vec4f, and 80 ms to compile each); a shuffle takes a few instructions. With a load for each row of keys and values in each
// invocation the forward of B 2 H 12 N 197 D 64 takes lavapipe 7 times as long.

const forwardBind = {
  q: 'read vec4<T>',
  k: 'read vec4<T>',
  v: 'read vec4<T>',
  y: 'write vec4<T>',
  stats: 'write f32',
} as const;
export type SubgroupForward = Kernel<typeof forwardBind, Params>;

/** A running maximum and sum for each query, brought up to date once for each block of keys. */
function makeForward(variant: Variant): SubgroupForward {
  const { quads, block, size, group, rows, pairs } = variant;
  const each = (r: number, name: string) => Array.from({ length: block }, (_, j) => `${name}${r}_${j}`);
  return kernel({
    name: 'attention',
    bind: forwardBind,
    params: attentionParams,
    use: [ground],
    requires: ['subgroups'],
    grid: (p) => [Math.ceil(p.queries / group) * p.heads * p.images],
    wgsl: `
${entry(size)}
  let wide = (params.queries + ${group - 1}u) / ${group}u;
  ${place}
  let first = tile % wide * ${group}u;
  let fromQ = qBase(image, head) / 4u;
  let fromK = kBase(image, head) / 4u;
  let fromV = vBase(image, head) / 4u;
  ${rows(
    (r) => `
  let query${r} = min(first + ${r * size}u + lane, params.queries - 1u);
  let stop${r} = select(params.keys, min(params.keys, query${r} + params.causal), params.causal != 0u);
  ${loadOwn(variant, 'q', [[`q${r}`, `fromQ + query${r} * (params.qRow / 4u)`]])}
  ${zeros(variant, `y${r}`)}
  var top${r} = LOWEST;
  var sum${r} = 0.0;`,
  )}
  let seen = select(params.keys, min(params.keys, first + ${group - 1}u + params.causal), params.causal != 0u);
  for (var key = 0u; key < seen; key += ${block}u) {
    ${loadBlock(variant, 'k', 'k', 'fromK', 'key', 'keys', 'kRow')}
    ${dots(variant, 'product', 'q', 'k')}
    ${pairs((pair, r, j) => `let score${pair} = select(LOWEST, product${pair} * params.scale, key + ${j}u < stop${r});`)}
    ${rows(
      (r) => `
    let highest${r} = ${each(r, 'score').reduce((highest, score) => `max(${highest}, ${score})`, `top${r}`)};
    let factor${r} = expBelow(top${r} - highest${r});
    top${r} = highest${r};`,
    )}
    ${pairs((pair, r, j) => `let weight${pair} = select(0.0, expBelow(score${pair} - highest${r}), key + ${j}u < stop${r});`)}
    ${rows((r) => `sum${r} = sum${r} * factor${r} + (${each(r, 'weight').join(' + ')});`)}
    ${loadBlock(variant, 'v', 'v', 'fromV', 'key', 'keys', 'vRow')}
    ${times(
      quads,
      (i) => `
    ${rows((r) => `y${r}_${i} *= factor${r};`)}
    ${add(variant, 'y', 'weight', 'v', i)}`,
    )}
  }
  let fromY = yBase(image, head) / 4u;
  ${rows(
    (r) => `
  if (first + ${r * size}u + lane < params.queries) {
    let at = (batchHead * params.queries + query${r}) * 2u;
    stats[at] = top${r};
    stats[at + 1u] = logOf(sum${r});
    let inverse = inverseOf(sum${r});
    let yAt = fromY + query${r} * (params.yRow / 4u);
    ${storeOwn(variant, 'y', [[`y${r}`, 'yAt']], ' * inverse')}
  }`,
  )}
}`,
  });
}

const rowsBind = { y: 'read vec4<T>', dy: 'read vec4<T>', stats: 'read f32', rows: 'write f32' } as const;

/**
 * As the rows of `tile-backward.ts`. It sums in the order of the backward here: where one key has all the weight, the
 * gradient is the difference of two equal sums and must be 0.
 */
export const subgroupRows: Kernel<typeof rowsBind, Params, { WG: 8 }> = /*#__PURE__*/ kernel({
  name: 'attention backward rows',
  bind: rowsBind,
  params: attentionParams,
  override: { WG: 8 },
  use: [ground],
  grid: (p, { WG }) => [Math.ceil((p.images * p.heads * p.queries) / WG)],
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  let batchHead = i / params.queries;
  if (batchHead >= params.images * params.heads) { return; }
  let at = (yBase(batchHead / params.heads, batchHead % params.heads) + i % params.queries * params.yRow) / 4u;
  var sums = vec4f();
  for (var d = 0u; d < params.width / 4u; d++) { sums = fma(vec4f(dy[at + d]), vec4f(y[at + d]), sums); }
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
  qkv: 'read vec4<T>',
  dy: 'read vec4<T>',
  rows: 'read f32',
  dqkv: 'write vec4<T>',
} as const;
export type SubgroupBackward = Kernel<typeof backwardBind, Params>;
export type PackedSubgroupBackward = Kernel<typeof packedBind, Params>;

/** As the backward of attention-kernels.ts: first workgroups whose invocations have queries, then ones whose have keys. */
function makeBackward<B extends typeof backwardBind | typeof packedBind>(variant: Variant, bind: B): Kernel<B, Params> {
  const { quads, block, size, group, rows, others, pairs } = variant;
  const [q, k, v] = 'qkv' in bind ? (['qkv', 'qkv', 'qkv'] as const) : (['q', 'k', 'v'] as const);
  const [dq, dk, dv] = 'dqkv' in bind ? ['dqkv', 'dqkv', 'dqkv'] : ['dq', 'dk', 'dv'];
  // The weight of a pair and its error, from both products and the three numbers that the launch before leaves of the query.
  const weigh = (pair: string, query: string, sees: string) => `
      let weight${pair} = select(0.0, expBelow(score${pair} * params.scale - top${query} - logSum${query}), ${sees});
      let error${pair} = select(0.0, weight${pair} * (product${pair} - mean${query}) * params.scale, ${sees});`;
  return kernel({
    name: 'attention backward',
    bind,
    params: attentionParams,
    use: [ground],
    requires: ['subgroups'],
    grid: (p) => [(Math.ceil(p.queries / group) + Math.ceil(p.keys / group)) * p.heads * p.images],
    wgsl: `
${entry(size)}
  let forQueries = (params.queries + ${group - 1}u) / ${group}u;
  let wide = forQueries + (params.keys + ${group - 1}u) / ${group}u;
  ${place}
  let fromQ = qBase(image, head) / 4u;
  let fromK = kBase(image, head) / 4u;
  let fromV = vBase(image, head) / 4u;
  let fromY = yBase(image, head) / 4u;
  if (tile % wide < forQueries) {
    let first = tile % wide * ${group}u;
    ${rows(
      (r) => `
    let query${r} = min(first + ${r * size}u + lane, params.queries - 1u);
    let stop${r} = select(params.keys, min(params.keys, query${r} + params.causal), params.causal != 0u);
    let qAt${r} = fromQ + query${r} * (params.qRow / 4u);
    ${loadOwn(variant, q, [[`q${r}`, `qAt${r}`]])}
    ${loadOwn(variant, 'dy', [[`dy${r}`, `fromY + query${r} * (params.yRow / 4u)`]])}
    let rowAt${r} = (batchHead * params.queries + query${r}) * 3u;
    let top${r} = rows[rowAt${r}];
    let logSum${r} = rows[rowAt${r} + 1u];
    let mean${r} = rows[rowAt${r} + 2u];
    ${zeros(variant, `dq${r}`)}`,
    )}
    let seen = select(params.keys, min(params.keys, first + ${group - 1}u + params.causal), params.causal != 0u);
    for (var key = 0u; key < seen; key += ${block}u) {
      ${loadBlock(variant, 'k', k, 'fromK', 'key', 'keys', 'kRow')}
      ${dots(variant, 'score', 'q', 'k')}
      ${loadBlock(variant, 'v', v, 'fromV', 'key', 'keys', 'vRow')}
      ${dots(variant, 'product', 'dy', 'v')}
      ${pairs((pair, r, j) => weigh(pair, `${r}`, `key + ${j}u < stop${r}`))}
      ${times(quads, (i) => add(variant, 'dq', 'error', 'k', i))}
    }
    ${rows(
      (r) => `
    if (first + ${r * size}u + lane < params.queries) {
      ${storeOwn(variant, dq, [[`dq${r}`, `qAt${r}`]])}
    }`,
    )}
  } else {
    let first = (tile % wide - forQueries) * ${group}u;
    ${rows(
      (r) => `
    let key${r} = min(first + ${r * size}u + lane, params.keys - 1u);
    let kAt${r} = fromK + key${r} * (params.kRow / 4u);
    let vAt${r} = fromV + key${r} * (params.vRow / 4u);
    ${together(
      [k, v],
      [
        [`k${r}`, `kAt${r}`],
        [`v${r}`, `vAt${r}`],
      ],
      (tensor, own) => loadOwn(variant, tensor, own),
    )}
    ${zeros(variant, `dk${r}`)}
    ${zeros(variant, `dv${r}`)}`,
    )}
    let lastRow = (batchHead + 1u) * params.queries * 3u - 1u;
    let firstQuery = select(0u, max(first + 1u, params.causal) - params.causal, params.causal != 0u);
    for (var query = firstQuery; query < params.queries; query += ${block}u) {
      ${loadBlock(variant, 'q', q, 'fromQ', 'query', 'queries', 'qRow')}
      ${dots(variant, 'score', 'k', 'q')}
      ${loadBlock(variant, 'dy', 'dy', 'fromY', 'query', 'queries', 'yRow')}
      ${dots(variant, 'product', 'v', 'dy')}
      let rowAt = (batchHead * params.queries + query) * 3u + lane;
      ${times(Math.ceil((3 * block) / size), (n) => `let row${n} = rows[min(rowAt + ${n * size}u, lastRow)];`)}
      ${others((j) =>
        ['top', 'logSum', 'mean']
          .map(
            (name, i) =>
              `let ${name}${j} = ${fromLane(size, `row${Math.floor((3 * j + i) / size)}`, (3 * j + i) % size)};`,
          )
          .join('\n'),
      )}
      ${pairs((pair, r, j) =>
        weigh(
          pair,
          `${j}`,
          `query + ${j}u < params.queries && (params.causal == 0u || key${r} < query + ${j}u + params.causal)`,
        ),
      )}
      ${times(quads, (i) => add(variant, 'dk', 'error', 'q', i))}
      ${times(quads, (i) => add(variant, 'dv', 'weight', 'dy', i))}
    }
    ${rows(
      (r) => `
    if (first + ${r * size}u + lane < params.keys) {
      ${together(
        [dk, dv],
        [
          [`dk${r}`, `kAt${r}`],
          [`dv${r}`, `vAt${r}`],
        ],
        (tensor, own) => storeOwn(variant, tensor, own),
      )}
    }`,
    )}
  }
}`,
  });
}

const forwards = new Map<string, SubgroupForward>();
const backwards = new Map<string, SubgroupBackward>();
const packedBackwards = new Map<string, PackedSubgroupBackward>();
const keyOf = (width: number, { size, rows }: Subgroup) => `${width} ${size} ${rows}`;

/** Kernels hold rows in registers, so there is one for every width. */
export function subgroupForward(width: number, subgroup: Subgroup): SubgroupForward {
  return memoize(forwards, keyOf(width, subgroup), () => makeForward(variantOf(width, subgroup)));
}

export function subgroupBackward(width: number, subgroup: Subgroup): SubgroupBackward {
  return memoize(backwards, keyOf(width, subgroup), () => makeBackward(variantOf(width, subgroup), backwardBind));
}

/** As {@link subgroupBackward}, with q, k and v in one tensor, and so their gradients. */
export function packedSubgroupBackward(width: number, subgroup: Subgroup): PackedSubgroupBackward {
  return memoize(packedBackwards, keyOf(width, subgroup), () => makeBackward(variantOf(width, subgroup), packedBind));
}
