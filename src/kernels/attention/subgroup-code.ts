// WGSL that the kernels for subgroups are made of: rows held by an invocation, blocks that are handed around, and their products.
import type { Device } from '../../gpu/index.ts';
import { list, times } from './interface.ts';

/** How many invocations a subgroup has, where that is fixed, and how many rows each of them holds. */
export interface Subgroup {
  readonly size: number;
  readonly rows: number;
}

/** Multiply-adds of scores that a kernel of a row an invocation is enough for, and those that one of two is enough for. */
const [SMALL_ATTENTION, LARGE_ATTENTION] = [2 ** 20, 2 ** 24];

/**
 * The subgroups of an adapter that computes on the CPU, or undefined where another variant must be taken. `scores`: multiply-adds of the
 * scores. More rows share each load and broadcast, but compiling takes longer: lavapipe (eight lanes) takes seconds for a second row, which gains it
 * nothing, and SwiftShader (four) half a second for each, more than a small attention loses in hundreds of runs. B 2 H 12 N 197 D 64 on SwiftShader,
 * forward and backward: five rows take 0.75 of the time of two, and 1.5 s more to compile; 197 rows are ten groups of 20.
 */
export function subgroupOf(device: Device, scores: number): Subgroup | undefined {
  const { kind, subgroupSize: size } = device.profile;
  if (kind !== 'cpu' || size === 0) return undefined;
  if (size >= 8 || scores <= SMALL_ATTENTION) return { size, rows: 1 };
  return { size, rows: scores <= LARGE_ATTENTION ? 2 : 5 };
}

/** The others come in blocks of so many rows: one load for narrow heads, since compiling takes as long as there are loads. */
const blockOf = (quads: number, size: number): number => Math.max(1, Math.min(8, Math.floor(size / quads)));

/** Code for each row that an invocation holds, for each row of a block, and for each pair of both. */
export interface Variant {
  readonly quads: number;
  readonly block: number;
  readonly size: number;
  readonly group: number;
  readonly rows: (code: (r: number) => string) => string;
  readonly others: (code: (j: number) => string) => string;
  readonly pairs: (code: (pair: string, r: number, j: number) => string) => string;
}

export function variantOf(width: number, { size, rows }: Subgroup): Variant {
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

export const entry = (size: number) => `
@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let tile = flatGroup(g, size);`;
export const place = `
  let batchHead = tile / wide;
  if (batchHead >= params.images * params.heads) { return; }
  let image = batchHead / params.heads;
  let head = batchHead % params.heads;`;

/** Rows of an invocation's own in one tensor: what their vec4fs are called, and where each row begins (u32). */
type Rows = readonly (readonly [name: string, at: string])[];
const startOf = (rows: Rows, quads: number): string =>
  rows.length > 1 ? `select(${rows[0]?.[1]}, ${rows[1]?.[1]} - ${quads}u, i >= ${quads}u)` : `${rows[0]?.[1]}`;

/** `name0 = …` for all vec4fs of one row or two. Not unrolled, since each load takes so long to compile. */
export const loadOwn = ({ quads }: Variant, operand: string, rows: Rows): string => `
  var ${rows[0]?.[0]}Row: array<vec4f, ${rows.length * quads}>;
  for (var i = 0u; i < params.width / 4u * ${rows.length}u; i++) {
    ${rows[0]?.[0]}Row[i] = vec4f(${operand}[${startOf(rows, quads)} + i]);
  }
  ${rows.map(([name], n) => times(quads, (i) => `let ${name}_${i} = ${rows[0]?.[0]}Row[${n * quads + i}];`)).join('\n')}`;
export const storeOwn = ({ quads }: Variant, to: string, rows: Rows, factor = ''): string => `
  var ${rows[0]?.[0]}Row = array<vec4f, ${rows.length * quads}>(${rows.map(([name]) => list(quads, (i) => `${name}_${i}`)).join(', ')});
  for (var i = 0u; i < params.width / 4u * ${rows.length}u; i++) {
    ${to}[${startOf(rows, quads)} + i] = vec4<T>(${rows[0]?.[0]}Row[i]${factor});
  }`;
/** Code for a row in each of two tensors, or for both rows at once if they lie in one. */
export const together = (
  tensors: readonly [string, string],
  rows: readonly [Rows[number], Rows[number]],
  code: (tensor: string, rows: Rows) => string,
): string =>
  tensors[0] === tensors[1]
    ? code(tensors[0], rows)
    : tensors.map((one, i) => code(one, [rows[i] as Rows[number]])).join('\n');
export const zeros = ({ quads }: Variant, name: string): string => times(quads, (i) => `var ${name}_${i} = vec4f();`);

/**
 * Loads the block of rows from `start` on: lane by lane, one vec4f after the other. Rows past the end repeat the last. Written
 * out: one load in a loop halves the time to compile, but made a forward of 32 ms one of 43 (B 4 H 6 N 197 D 64).
 */
export const loadBlock = (
  variant: Variant,
  name: string,
  operand: string,
  base: string,
  start: string,
  all: string,
  row: string,
): string =>
  times(Math.ceil((variant.block * variant.quads) / variant.size), (n) => {
    const flat = `(${n * variant.size}u + lane)`;
    const at = `min(${start} + ${flat} / ${variant.quads}u, params.${all} - 1u) * (params.${row} / 4u) + ${flat} % ${variant.quads}u`;
    return `let ${name}${n} = vec4f(${operand}[${base} + ${at}]);`;
  });
/**
 * What invocation `lane` of a subgroup has, for all of them. A subgroup of four is a quad, whose broadcast is a shuffle on SwiftShader; that of
 * subgroups is six instructions for each number: attention takes 0.8 of the time with the former. Of a broadcast Dawn asks besides whether the lane
 * is there, of a shuffle it does not: 0.92 of the time on lavapipe.
 */
export const fromLane = (size: number, value: string, lane: number): string =>
  `${size === 4 ? 'quadBroadcast' : 'subgroupShuffle'}(${value}, ${lane}u)`;
/** A vec4f of such a block, for all lanes. */
const broadcast = ({ quads, size }: Variant, name: string, j: number, i: number): string => {
  const flat = j * quads + i;
  return fromLane(size, `${name}${Math.floor(flat / size)}`, flat % size);
};

/**
 * `let name0_0 = own0 · block0` for each pair, in four sums that do not wait for each other. It must round as `subgroupRows` does,
 * so compilers get no choice of what to fuse: `fma` is written out, and a product that nothing is added to comes by a select.
 */
export const dots = (variant: Variant, name: string, own: string, block: string): string => `
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
export const add = (variant: Variant, sum: string, factor: string, block: string, i: number): string =>
  variant.others(
    (j) => `{
    let other = ${broadcast(variant, block, j, i)};
    ${variant.rows((r) => `${sum}${r}_${i} += ${factor}${r}_${j} * other;`)}
  }`,
  );
