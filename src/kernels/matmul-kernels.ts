import { type Kernel, kernel, type Piece } from '../gpu/kernel.ts';
import { type Activation, activationPiece } from './activation.ts';

// Every kernel here computes y[z] = activation(a[z] · b[z] + bias) + residual[z] for all z of the batch. How a matrix lies in
// memory, transposed or not, and which of them a batch shares, is a matter of strides: `down` rows and `across` columns of a
// and of b, and up to three batch axes.

/**
 * Sizes, and strides in elements. The batch axes are numbered from the last; the length of the third is not needed. All of it
 * is uniform rather than constant, since lavapipe takes a second to compile a pipeline.
 */
const params = {
  rows: 'u32',
  cols: 'u32',
  inner: 'u32',
  aDown: 'u32',
  aAcross: 'u32',
  bDown: 'u32',
  bAcross: 'u32',
  batch: 'u32',
  size0: 'u32',
  size1: 'u32',
  a0: 'u32',
  a1: 'u32',
  a2: 'u32',
  b0: 'u32',
  b1: 'u32',
  b2: 'u32',
  hasBias: 'u32',
  hasResidual: 'u32',
} as const;

export type MatmulParams = { readonly [K in keyof typeof params]: number };

/** A bias or residual that is not there is bound to `a`, and a `pre` that nobody needs to a tensor without elements. */
const bind = {
  a: 'read T',
  b: 'read T',
  bias: 'read T',
  residual: 'read T',
  pre: 'write T',
  y: 'write T',
} as const;

export type MatmulKernel = Kernel<typeof bind, typeof params, Record<string, number>>;

/** Where a tile lies, from its flat number: columns first, then rows, then the batch. */
const place: Piece = {
  name: 'place',
  wgsl: `
struct Place { row: u32, col: u32, batch: u32, a: u32, b: u32, inside: bool }
fn placeOf(tile: u32, tileRows: u32, tileCols: u32) -> Place {
  let wide = (params.cols + tileCols - 1u) / tileCols;
  let high = (params.rows + tileRows - 1u) / tileRows;
  let z = tile / (wide * high);
  let z0 = z % params.size0;
  let z1 = (z / params.size0) % params.size1;
  let z2 = z / (params.size0 * params.size1);
  return Place(
    (tile / wide % high) * tileRows, (tile % wide) * tileCols, z,
    z0 * params.a0 + z1 * params.a1 + z2 * params.a2, z0 * params.b0 + z1 * params.b1 + z2 * params.b2, z < params.batch);
}`,
};

/** What happens to a sum before it is stored. */
function tail(activation: Activation | undefined): Piece {
  return {
    name: 'tail',
    ...(activation ? { needs: [activationPiece(activation)] } : {}),
    wgsl: `
fn store(batch: u32, row: u32, col: u32, sum: f32) {
  if (col >= params.cols) { return; }
  let i = (batch * params.rows + row) * params.cols + col;
  var value = sum;
  if (params.hasBias != 0u) { value += f32(bias[col]); }
  ${activation ? 'pre[i] = T(value); value = activate(value);' : ''}
  if (params.hasResidual != 0u) { value += f32(residual[i]); }
  y[i] = T(value);
}
// Rows of a tile that exist. Kernels store in a loop over them whose length no compiler knows: unrolled, with an activation
// for every sum, it takes lavapipe seconds to compile.
fn rowsFrom(row: u32, most: u32) -> u32 { return min(most, max(params.rows, row) - row); }`,
  };
}

function grid(tileRows: number, tileCols: (constants: Readonly<Record<string, number>>) => number) {
  return (p: { rows: number; cols: number; batch: number }, constants: Readonly<Record<string, number>>): number[] => [
    Math.ceil(p.rows / tileRows) * Math.ceil(p.cols / tileCols(constants)) * p.batch,
  ];
}

/**
 * Tiles of 64 × 64: a workgroup of 8 × 8 brings 16 columns of a and rows of b into its memory at a time, and each of its
 * invocations keeps 8 × 8 sums: 8 rows that follow each other, and 8 columns 8 apart, so that neighbours read and write
 * neighbours.
 */
export function tileKernel(activation?: Activation): MatmulKernel {
  const sums = (code: (r: number, c: number) => string) => times(8, (r) => times(2, (c) => code(r, c)));
  const columns = (c: number) => `vec4f(${[0, 1, 2, 3].map((i) => `bTile[at + ${32 * c + 8 * i}u]`).join(', ')})`;
  return kernel({
    name: activation ? `matmul ${activation}` : 'matmul',
    bind,
    params,
    override: {} as Record<string, number>,
    use: [place, tail(activation)],
    grid: grid(64, () => 64),
    wgsl: `
var<workgroup> aTile: array<f32, 1024>;
var<workgroup> bTile: array<f32, 1024>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let p = placeOf(flatGroup(g, size), 64u, 64u);
  if (!p.inside) { return; }
  let top = l / 8u * 8u;
  let left = l % 8u;
  ${sums((r, c) => `var s${r}${c} = vec4f();`)}
  for (var start = 0u; start < params.inner; start += 16u) {
    // Neighbours load what lies next to each other, whichever way the matrix is stored.
    for (var i = l; i < 1024u; i += 64u) {
      let m = select(i % 64u, i / 16u, params.aAcross == 1u);
      let k = select(i / 64u, i % 16u, params.aAcross == 1u);
      var value = 0.0;
      if (p.row + m < params.rows && start + k < params.inner) {
        value = f32(a[p.a + (p.row + m) * params.aDown + (start + k) * params.aAcross]);
      }
      aTile[k * 64u + m] = value;
    }
    for (var i = l; i < 1024u; i += 64u) {
      let n = select(i % 64u, i / 16u, params.bDown == 1u);
      let k = select(i / 64u, i % 16u, params.bDown == 1u);
      var value = 0.0;
      if (p.col + n < params.cols && start + k < params.inner) {
        value = f32(b[p.b + (start + k) * params.bDown + (p.col + n) * params.bAcross]);
      }
      bTile[k * 64u + n] = value;
    }
    workgroupBarrier();
    for (var k = 0u; k < 16u; k++) {
      let at = k * 64u + left;
      let b0 = ${columns(0)};
      let b1 = ${columns(1)};
      ${times(8, (r) => `let a${r} = aTile[k * 64u + top + ${r}u];`)}
      ${sums((r, c) => `s${r}${c} += a${r} * b${c};`)}
    }
    workgroupBarrier();
  }
  var kept = array<vec4f, 16>(${list(8, (r) => `s${r}0, s${r}1`)});
  let high = rowsFrom(p.row + top, 8u);
  for (var i = 0u; i < 8u * high; i++) {
    store(p.batch, p.row + top + i / 8u, p.col + left + i % 8u * 8u, kept[i / 4u][i % 4u]);
  }
}`,
  });
}

/**
 * For adapters that compute on the CPU, where loads are dear and barriers more so. A workgroup lies along the columns; each
 * invocation keeps `tall` rows × 2 columns. The a of `lanes` steps comes in one load per row, each invocation of a subgroup
 * holding one step, and is handed around by broadcast.
 */
export function subgroupKernel(tall: number, lanes: number, activation?: Activation): MatmulKernel {
  const rows = (code: (r: number) => string) => times(tall, code);
  const step = (a: (r: number) => string, k: number) => `{
      let b0 = f32(b[bAt0 + ${k}u * params.bDown]);
      let b1 = f32(b[bAt1 + ${k}u * params.bDown]);
      ${rows((r) => `let w${r} = ${a(r)}; s${r}0 += w${r} * b0; s${r}1 += w${r} * b1;`)}
    }`;
  const advance = (k: number) => `
    ${rows((r) => `aAt${r} += ${k}u * params.aAcross;`)}
    bAt0 += ${k}u * params.bDown;
    bAt1 += ${k}u * params.bDown;`;
  return kernel({
    name: activation ? `matmul ${activation}` : 'matmul',
    bind,
    params,
    override: { WG: 32 } as Record<string, number>,
    requires: ['subgroups'],
    use: [place, tail(activation)],
    grid: grid(tall, ({ WG = 32 }) => 2 * WG),
    wgsl: `
@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32,
  @builtin(subgroup_invocation_id) lane: u32
) {
  let p = placeOf(flatGroup(g, size), ${tall}u, 2u * WG);
  if (!p.inside) { return; }
  // Rows and columns beyond the edge repeat the last one and are not stored.
  ${rows((r) => `var aAt${r} = p.a + min(p.row + ${r}u, params.rows - 1u) * params.aDown;`)}
  var bAt0 = p.b + min(p.col + l, params.cols - 1u) * params.bAcross;
  var bAt1 = p.b + min(p.col + l + WG, params.cols - 1u) * params.bAcross;
  ${rows((r) => `var s${r}0 = 0.0; var s${r}1 = 0.0;`)}
  let mine = (lane % ${lanes}u) * params.aAcross;
  var k = 0u;
  for (; k + ${lanes}u <= params.inner; k += ${lanes}u) {
    ${rows((r) => `let a${r} = f32(a[aAt${r} + mine]);`)}
    ${times(lanes, (i) => step((r) => `subgroupBroadcast(a${r}, ${i}u)`, i))}
    ${advance(lanes)}
  }
  for (; k < params.inner; k++) {
    ${step((r) => `f32(a[aAt${r}])`, 0)}
    ${advance(1)}
  }
  var kept = array<f32, ${2 * tall}>(${list(tall, (r) => `s${r}0, s${r}1`)});
  let high = rowsFrom(p.row, ${tall}u);
  for (var i = 0u; i < 2u * high; i++) { store(p.batch, p.row + i / 2u, p.col + l + i % 2u * WG, kept[i]); }
}`,
  });
}

function times(n: number, code: (i: number) => string): string {
  return Array.from({ length: n }, (_, i) => code(i)).join('\n');
}

function list(n: number, code: (i: number) => string): string {
  return Array.from({ length: n }, (_, i) => code(i)).join(', ');
}
