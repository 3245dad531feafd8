// The tiles that Apple's GPUs take of matrices in f32 whose rows in memory are whole vec4s. Loaded on demand, and so imports no values.
import type { WgslTools } from './kernel-interface.ts';
import type { TileSpec } from './tile-kernel.ts';

/** Steps of the inner axis of which the tile holds b. */
const STEPS = 16;
/** Vec4s of one step in it. */
const FOURS = 16;
/** Rows of a thread, and of those the ones whose elements of a it has at a time. */
const ROWS = 16;
const AT_ONCE = 8;

/**
 * Workgroup memory bounds Apple's GPUs: it brings 64 bytes a clock, and threads that want the same vec4 get it no faster. So a tile holds b
 * alone, and a is read from memory, where 16 threads that want the same are one access: 4 × 16 threads, of which each has 16 rows that follow
 * each other and a four of columns. Sums are those of the usual tiles, in the same order. What lies beyond the last row or column is read, or
 * what the device gives in its place, and not stored. In f16 it would gain nothing: widening bounds it, and lines of halves are half as long.
 */
export function directWgsl(
  { a, b, loops, epilogue: { rowSums: hasRowSums } }: TileSpec,
  { inRuns, times, list }: WgslTools,
): string {
  const [aInner, bInner] = [a.along === 'inner', b.along === 'inner'];
  // Two vec4s of space where four steps are turned: no two of eight threads that store side by side meet in one bank.
  const quadSteps = 4 * FOURS + (bInner ? 2 : 0);
  const summed = [...times(ROWS, (r) => `s${r}`).split('\n'), ...(hasRowSums ? rowSums : [])];
  const addRows = (four: number, values: string) =>
    hasRowSums ? `if (p.col == 0u) { rowSum${four} += ${values}; }` : '';
  const turned = `{
      ${times(4, (n) => `let b${n} = b[(bAt + start + ${n}u * params.bAcross) / 4u];`)}
      ${times(4, (i) => `bTile[l % 4u * ${quadSteps}u + ${FOURS * i}u + l / 4u] = vec4f(${list(4, (n) => `b${n}[${i}]`)});`)}
    }`;
  const straight = (i: number) =>
    `bTile[l + ${64 * i}u] = vec4f(b[(bAt + (start + l / 16u + ${4 * i}u) * params.bDown) / 4u]);`;
  const rowsAtOnce = (first: number) => `{
        ${times(AT_ONCE, (r) => `let a${r} = vec4f(a[(aAt + k + ${first + r}u * params.aDown) / 4u]);`)}
        ${times(AT_ONCE / 4, (q) => addRows(first / 4 + q, `vec4f(${list(4, (r) => `dot(a${4 * q + r}, vec4f(1.0))`)})`))}
        ${times(4, (i) => times(AT_ONCE, (r) => `s${first + r} += a${r}[${i}] * b${i};`))}
      }`;
  // Of rows along the inner axis four steps at a time, else one.
  const multiply = aInner
    ? `for (var k = start; k < min(start + ${STEPS}u, p.end); k += 4u) {
      let four = (k - start) / 4u * ${quadSteps}u + left;
      ${times(4, (i) => `let b${i} = vec4f(bTile[four + ${FOURS * i}u]);`)}
      ${times(ROWS / AT_ONCE, (half) => rowsAtOnce(half * AT_ONCE))}
    }`
    : `for (var k = 0u; k < min(${STEPS}u, p.end - start); k++) {
      let step = (aAt + (start + k) * params.aAcross) / 4u;
      let bx = vec4f(bTile[k / 4u * ${quadSteps}u + k % 4u * ${FOURS}u + left]);
      ${times(ROWS / 4, (q) => `let a${q} = vec4f(a[step + ${q}u]); ${addRows(q, `a${q}`)}`)}
      ${times(ROWS, (r) => `s${r} += a${Math.floor(r / 4)}[${r % 4}] * bx;`)}
    }`;
  return `
var<workgroup> bTile: array<vec4f, ${4 * quadSteps}>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let p = placeOf(flatGroup(g, size), 64u, 64u);
  if (!p.inside) { return; }
  let left = l % 16u;
  let top = p.row + l / 16u * ${ROWS}u;
  let aAt = p.a + top${aInner ? ' * params.aDown' : ''};
  let bAt = p.b + ${bInner ? '(p.col + l / 4u * 4u) * params.bAcross + l % 4u * 4u' : 'p.col + left * 4u'};
  ${summed.map((name) => `var ${name} = vec4f();`).join('\n')}
  ${inRuns(
    Object.fromEntries(summed.map((name) => [name, 'vec4f'])),
    { counter: 'start', from: 'p.k', to: 'p.end', by: `${STEPS}u` },
    `${bInner ? turned : times(4, straight)}
    workgroupBarrier();
    ${multiply}
    workgroupBarrier();`,
    { loops },
  )}
  ${hasRowSums ? storeRowSums(times) : ''}
  for (var i = 0u; i < 2u * params.maxRows; i++) {
    var value = s0;
    // Not an array: one with an index that is known when it runs would lie in memory.
    switch (i) {
      ${times(ROWS - 1, (r) => `case ${r + 1}u: { value = s${r + 1}; }`)}
      default: {}
    }
    if (top + i < params.rows) { store(p.batch, top + i, p.col + left * 4u, value); }
  }
}`;
}

/** Of four rows each: every thread of the first columns has them all. */
const rowSums = ['rowSum0', 'rowSum1', 'rowSum2', 'rowSum3'];

const storeRowSums = (times: WgslTools['times']) => `
  if (p.col + left == 0u) {
    ${times(ROWS, (r) => `if (top + ${r}u < params.rows) { sums[p.batch * params.rows + top + ${r}u] = S(rowSum${Math.floor(r / 4)}[${r % 4}]); }`)}
  }`;
