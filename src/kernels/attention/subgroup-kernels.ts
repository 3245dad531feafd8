import { type Device, type Kernel, kernel } from '../../gpu/index.ts';
import { attentionParams, ground, list, memoize, type Params, times } from './tile-kernels.ts';

// The variant for adapters that compute on the CPU: a subgroup to a workgroup. An invocation holds whole rows of its own and goes
// over all others, of which its subgroup brings some at a time: each invocation loads other elements, and broadcasts hand them
// round. No workgroup memory, no barriers. Rows are held as vec4f, so a head's width must be a multiple of 4, and every row must
// start at one.
//
// A load is what costs here: lavapipe and SwiftShader load lane by lane, even where all lanes want the same address (80 cycles
// for a vec4f, and 80 ms to compile each), while a broadcast or a multiplication is an instruction. B 2 H 12 N 197 D 64 on
// lavapipe: forward 35 ms, 240 with a load for each row of keys and values in each invocation.

/** How many invocations a subgroup has, where that is fixed, and how many rows each of them holds. */
export interface Subgroup {
  readonly size: number;
  readonly rows: number;
}

/** The subgroups of an adapter that computes on the CPU, or undefined where another variant must be taken. */
export function subgroupOf(device: Device): Subgroup | undefined {
  const { kind, subgroupSize: size } = device.profile;
  if (kind !== 'cpu' || size === 0) return undefined;
  // A second row halves the loads for each row, but doubles the time to compile, which lavapipe (eight lanes) takes seconds for.
  return { size, rows: size < 8 ? 2 : 1 };
}

/** The others come in blocks of so many rows: one load for narrow heads, since compiling takes as long as there are loads. */
const blockOf = (quads: number, size: number): number => Math.max(1, Math.min(8, Math.floor(size / quads)));

/** Code for each row that an invocation holds, for each row of a block, and for each pair of both. */
interface Variant {
  readonly quads: number;
  readonly block: number;
  readonly size: number;
  readonly group: number;
  readonly rows: (code: (r: number) => string) => string;
  readonly others: (code: (j: number) => string) => string;
  readonly pairs: (code: (pair: string, r: number, j: number) => string) => string;
}

function variantOf(width: number, { size, rows }: Subgroup): Variant {
  const quads = width / 4;
  const block = blockOf(quads, size);
  return {
    quads,
    block,
    size,
    group: size * rows,
    rows: (code) => times(rows, code),
    others: (code) => times(block, code),
    pairs: (code) => times(rows, (r) => times(block, (j) => code(`${r}_${j}`, r, j))),
  };
}

const entry = (size: number) => `
@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let tile = flatGroup(g, size);`;
const place = `
  let batchHead = tile / wide;
  if (batchHead >= params.images * params.heads) { return; }
  let image = batchHead / params.heads;
  let head = batchHead % params.heads;`;

/** Rows of an invocation's own in one tensor: what their vec4fs are called, and where each row begins (u32). */
type Rows = readonly (readonly [name: string, at: string])[];
const startOf = (rows: Rows, quads: number): string =>
  rows.length > 1 ? `select(${rows[0]?.[1]}, ${rows[1]?.[1]} - ${quads}u, i >= ${quads}u)` : `${rows[0]?.[1]}`;

/** `name0 = …` for all vec4fs of one row or two. Not unrolled, since each load takes so long to compile. */
const loadOwn = ({ quads }: Variant, operand: string, rows: Rows): string => `
  var ${rows[0]?.[0]}Row: array<vec4f, ${rows.length * quads}>;
  for (var i = 0u; i < params.width / 4u * ${rows.length}u; i++) {
    ${rows[0]?.[0]}Row[i] = vec4f(${operand}[${startOf(rows, quads)} + i]);
  }
  ${rows.map(([name], n) => times(quads, (i) => `let ${name}_${i} = ${rows[0]?.[0]}Row[${n * quads + i}];`)).join('\n')}`;
const storeOwn = ({ quads }: Variant, to: string, rows: Rows, factor = ''): string => `
  var ${rows[0]?.[0]}Row = array<vec4f, ${rows.length * quads}>(${rows.map(([name]) => list(quads, (i) => `${name}_${i}`)).join(', ')});
  for (var i = 0u; i < params.width / 4u * ${rows.length}u; i++) {
    ${to}[${startOf(rows, quads)} + i] = vec4<T>(${rows[0]?.[0]}Row[i]${factor});
  }`;
/** Code for a row in each of two tensors, or for both rows at once if they lie in one. */
const together = (
  tensors: readonly [string, string],
  rows: readonly [Rows[number], Rows[number]],
  code: (tensor: string, rows: Rows) => string,
): string =>
  tensors[0] === tensors[1]
    ? code(tensors[0], rows)
    : tensors.map((one, i) => code(one, [rows[i] as Rows[number]])).join('\n');
const zeros = ({ quads }: Variant, name: string): string => times(quads, (i) => `var ${name}_${i} = vec4f();`);

/**
 * Loads the block of rows from `start` on: lane by lane, one vec4f after the other. Rows past the end repeat the last. Written
 * out: one load in a loop halves the time to compile, but made a forward of 32 ms one of 43 (B 4 H 6 N 197 D 64).
 */
const loadBlock = (
  variant: Variant,
  name: string,
  operand: string,
  base: string,
  start: string,
  all: string,
  row: string,
) =>
  times(Math.ceil((variant.block * variant.quads) / variant.size), (n) => {
    const flat = `(${n * variant.size}u + lane)`;
    const at = `min(${start} + ${flat} / ${variant.quads}u, params.${all} - 1u) * (params.${row} / 4u) + ${flat} % ${variant.quads}u`;
    return `let ${name}${n} = vec4f(${operand}[${base} + ${at}]);`;
  });
/** A vec4f of such a block, for all lanes. */
const broadcast = ({ quads, size }: Variant, name: string, j: number, i: number): string => {
  const flat = j * quads + i;
  return `subgroupBroadcast(${name}${Math.floor(flat / size)}, ${flat % size}u)`;
};

/**
 * `let name0_0 = own0 · block0` for each pair, in four sums that do not wait for each other. It must round as `subgroupRows` does,
 * so compilers get no choice of what to fuse: `fma` is written out, and a product that nothing is added to comes by a select.
 */
const dots = (variant: Variant, name: string, own: string, block: string): string => `
  ${variant.pairs((pair, r, j) => {
    const first = `${own}${r}_0 * ${broadcast(variant, block, j, 0)}`;
    return `var ${name}Sums${pair} = ${variant.quads > 1 ? first : `select(vec4f(), ${first}, params.width == 4u)`};`;
  })}
  ${variant.others((j) =>
    times(
      variant.quads - 1,
      (i) => `{
    let other = ${broadcast(variant, block, j, i + 1)};
    ${variant.rows((r) => `${name}Sums${r}_${j} = fma(${own}${r}_${i + 1}, other, ${name}Sums${r}_${j});`)}
  }`,
    ),
  )}
  ${variant.pairs((pair) => {
    const sums = `${name}Sums${pair}`;
    return `let ${name}${pair} = ${sums}.x + ${sums}.y + (${sums}.z + ${sums}.w);`;
  })}`;
/** `sum0 += factor0_0 * block0` for each pair. */
const add = (variant: Variant, sum: string, factor: string, block: string, i: number): string =>
  variant.others(
    (j) => `{
    let other = ${broadcast(variant, block, j, i)};
    ${variant.rows((r) => `${sum}${r}_${i} += ${factor}${r}_${j} * other;`)}
  }`,
  );

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
  let stop${r} = select(params.keys, min(params.keys, query${r} + 1u), params.causal != 0u);
  ${loadOwn(variant, 'q', [[`q${r}`, `fromQ + query${r} * (params.qRow / 4u)`]])}
  ${zeros(variant, `y${r}`)}
  var top${r} = LOWEST;
  var sum${r} = 0.0;`,
  )}
  let seen = select(params.keys, min(params.keys, first + ${group}u), params.causal != 0u);
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
 * As `backwardRows` of attention-kernels.ts. It sums in the order of the backward here: where one key has all the weight, the
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
  // The weight of a pair and its error, from both products and the three numbers that `backwardRows` leaves of the query.
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
    let stop${r} = select(params.keys, min(params.keys, query${r} + 1u), params.causal != 0u);
    let qAt${r} = fromQ + query${r} * (params.qRow / 4u);
    ${loadOwn(variant, q, [[`q${r}`, `qAt${r}`]])}
    ${loadOwn(variant, 'dy', [[`dy${r}`, `fromY + query${r} * (params.yRow / 4u)`]])}
    let rowAt${r} = (batchHead * params.queries + query${r}) * 3u;
    let top${r} = rows[rowAt${r}];
    let logSum${r} = rows[rowAt${r} + 1u];
    let mean${r} = rows[rowAt${r} + 2u];
    ${zeros(variant, `dq${r}`)}`,
    )}
    let seen = select(params.keys, min(params.keys, first + ${group}u), params.causal != 0u);
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
    for (var query = select(0u, first, params.causal != 0u); query < params.queries; query += ${block}u) {
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
              `let ${name}${j} = subgroupBroadcast(row${Math.floor((3 * j + i) / size)}, ${(3 * j + i) % size}u);`,
          )
          .join('\n'),
      )}
      ${pairs((pair, r, j) =>
        weigh(pair, `${j}`, `query + ${j}u < params.queries && (params.causal == 0u || key${r} <= query + ${j}u)`),
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
