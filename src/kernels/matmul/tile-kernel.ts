import type { EpilogueSpec, WgslTools } from './kernel-interface.ts';

/**
 * For GPUs. A workgroup of 8 × 8 brings 16 columns of a and rows of b into its memory at a time, `8 · threadTile` of each, and each
 * of its invocations keeps `threadTile` × `threadTile` sums: rows that follow each other, and columns 8 apart, so that neighbours read
 * and write neighbours. The smaller tile is for products that would leave a GPU's cores idle with the larger.
 *
 * Loaded on demand, and so imports no values.
 */
export function tileWgsl(
  threadTile: 4 | 8,
  loops: number,
  { rowSums: hasRowSums }: EpilogueSpec,
  { inRuns, list, times }: WgslTools,
): string {
  const side = 8 * threadTile;
  const quads = threadTile / 4;
  const elements = 16 * side;
  // Neighbours that load along the inner axis store 16 rows of the tile at once: two places more in each row, and no two of a
  // warp's 32 threads meet in one of 32 banks. Without them 16 would.
  const stride = side + 2;
  const sums = (code: (r: number, c: number) => string) => times(threadTile, (r) => times(quads, (c) => code(r, c)));
  const columns = (c: number) => `vec4f(${list(4, (i) => `bTile[at + ${32 * c + 8 * i}u]`)})`;
  // Each invocation adds up a row or none.
  const rowSums = `if (l < ${side}u) {
      var part = 0.0;
      for (var k = 0u; k < 16u; k++) { part += aTile[k * ${stride}u + l]; }
      rowSum += part;
    }`;
  const names = Array.from({ length: threadTile * quads }, (_, i) => `s${Math.floor(i / quads)}${i % quads}`);
  const storeSums = `
  if (p.col == 0u && l < ${side}u && p.row + l < params.rows) { sums[p.batch * params.rows + p.row + l] = T(rowSum); }`;
  return `
var<workgroup> aTile: array<f32, ${16 * stride}>;
var<workgroup> bTile: array<f32, ${16 * stride}>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let p = placeOf(flatGroup(g, size), ${side}u, ${side}u);
  if (!p.inside) { return; }
  let top = l / 8u * ${threadTile}u;
  let left = l % 8u;
  ${sums((r, c) => `var s${r}${c} = vec4f();`)}
  ${hasRowSums ? 'var rowSum = 0.0;' : ''}
  ${inRuns(
    { ...Object.fromEntries(names.map((name) => [name, 'vec4f'])), ...(hasRowSums ? { rowSum: 'f32' } : {}) },
    { counter: 'start', from: 'p.k', to: 'p.end', by: '16u' },
    `    // Neighbours load what lies next to each other, whichever way the matrix is stored.
    for (var i = l; i < ${elements}u; i += 64u) {
      let m = select(i % ${side}u, i / 16u, params.aAcross == 1u);
      let k = select(i / ${side}u, i % 16u, params.aAcross == 1u);
      var value = 0.0;
      if (p.row + m < params.rows && start + k < p.end) {
        value = f32(a[p.a + (p.row + m) * params.aDown + (start + k) * params.aAcross]);
      }
      aTile[k * ${stride}u + m] = value;
    }
    for (var i = l; i < ${elements}u; i += 64u) {
      let n = select(i % ${side}u, i / 16u, params.bDown == 1u);
      let k = select(i / ${side}u, i % 16u, params.bDown == 1u);
      var value = 0.0;
      if (p.col + n < params.cols && start + k < p.end) {
        value = f32(b[p.b + (start + k) * params.bDown + (p.col + n) * params.bAcross]);
      }
      bTile[k * ${stride}u + n] = value;
    }
    workgroupBarrier();
    for (var k = 0u; k < 16u; k++) {
      let at = k * ${stride}u + left;
      ${times(quads, (c) => `let b${c} = ${columns(c)};`)}
      ${times(threadTile, (r) => `let a${r} = aTile[k * ${stride}u + top + ${r}u];`)}
      ${sums((r, c) => `s${r}${c} += a${r} * b${c};`)}
    }
    ${hasRowSums ? rowSums : ''}
    workgroupBarrier();`,
    { loops },
  )}
  ${hasRowSums ? storeSums : ''}
  var kept = array<vec4f, ${threadTile * quads}>(${names.join(', ')});
  let high = rowsFrom(p.row + top);
  for (var i = 0u; i < ${threadTile}u * high; i++) {
    store(p.batch, p.row + top + i / ${threadTile}u, p.col + left + i % ${threadTile}u * 8u, kept[i / 4u][i % 4u]);
  }
}`;
}

/** Adds up the parts of a product that was split over its inner axis, `[count, batch, rows, cols]` as f32, and finishes it. */
export function splitSumWgsl({ inRuns }: WgslTools): string {
  return `
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * 64u + l;
  if (i >= params.n) { return; }
  var sum = 0.0;
  ${inRuns({ sum: 'f32' }, { counter: 'part', from: '0u', to: 'params.count', by: '1u' }, 'sum += parts[part * params.n + i];')}
  finish(i, i % params.cols, sum);
}`;
}
