import { dispatch, empty, kernel, matmul } from '../../dist/index.js';

/**
 * A version of `y = a · b`, all `[n, n]` and f32, n being a multiple of 64.
 *
 * @typedef {object} Version
 * @property {string} name
 * @property {string} idea
 * @property {boolean} [subgroups] Needs subgroups of `lanes`.
 * @property {(n: number, lanes: 4 | 8) => (a: Tensor, b: Tensor) => Tensor} make
 */

/** @type {readonly Version[]} */
export const versions = [
  {
    name: 'v1 naive',
    idea: 'an output an invocation; two loads for each multiply-add',
    make: (n) =>
      launched({
        name: 'naive',
        grid: () => [n / 8, n / 8],
        wgsl: `
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  var sum = 0.0;
  for (var k = 0u; k < params.n; k++) { sum += a[id.y * params.n + k] * b[k * params.n + id.x]; }
  y[id.y * params.n + id.x] = sum;
}`,
      }),
  },
  {
    name: 'v2 workgroup tiles',
    idea: 'a workgroup loads tiles of 16 × 16 once for all of its invocations: a sixteenth of the loads',
    make: (n) =>
      launched({
        name: 'tiles',
        grid: () => [n / 16, n / 16],
        wgsl: `
var<workgroup> tileA: array<f32, 256>;
var<workgroup> tileB: array<f32, 256>;
@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_id) at: vec3u) {
  var sum = 0.0;
  for (var k = 0u; k < params.n; k += 16u) {
    tileA[at.y * 16u + at.x] = a[id.y * params.n + k + at.x];
    tileB[at.y * 16u + at.x] = b[(k + at.y) * params.n + id.x];
    workgroupBarrier();
    for (var i = 0u; i < 16u; i++) { sum += tileA[at.y * 16u + i] * tileB[i * 16u + at.x]; }
    workgroupBarrier();
  }
  y[id.y * params.n + id.x] = sum;
}`,
      }),
  },
  {
    name: 'v3 register blocks',
    idea: '4 × 4 outputs an invocation: 8 loads from workgroup memory for 16 multiply-adds, instead of 2 for each',
    make: (n) =>
      launched({
        name: 'blocks',
        grid: () => [n / 64, n / 64],
        wgsl: `
var<workgroup> tileA: array<f32, 1024>; // 64 rows × 16 steps
var<workgroup> tileB: array<f32, 1024>; // 16 steps × 64 columns
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(local_invocation_index) l: u32) {
  let x = l % 16u;
  let down = l / 16u;
  ${times(4, (r) => times(4, (c) => `var s${r}${c} = 0.0;`))}
  for (var k = 0u; k < params.n; k += 16u) {
    ${times(4, (i) => `tileA[${i * 256}u + l] = a[(g.y * 64u + ${i * 16}u + down) * params.n + k + x];`)}
    ${times(4, (i) => `tileB[${i * 256}u + l] = b[(k + ${i * 4}u + l / 64u) * params.n + g.x * 64u + l % 64u];`)}
    workgroupBarrier();
    for (var i = 0u; i < 16u; i++) {
      ${times(4, (r) => `let a${r} = tileA[(${r * 16}u + down) * 16u + i];`)}
      ${times(4, (c) => `let b${c} = tileB[i * 64u + ${c * 16}u + x];`)}
      ${times(4, (r) => times(4, (c) => `s${r}${c} += a${r} * b${c};`))}
    }
    workgroupBarrier();
  }
  ${times(4, (r) =>
    times(4, (c) => `y[(g.y * 64u + ${r * 16}u + down) * params.n + g.x * 64u + ${c * 16}u + x] = s${r}${c};`),
  )}
}`,
      }),
  },
  {
    name: 'v4 subgroup broadcast',
    idea: 'no workgroup memory, no barriers: the lanes load as many steps of a row of a, and hand them round; 8 rows × 2 columns',
    subgroups: true,
    make: (n, lanes) =>
      launched({
        name: 'broadcast',
        requires: ['subgroups'],
        grid: () => [n / 16, n / 8],
        wgsl: `
${laneHead(8)}
  let row = g.y * 8u;
  let col = g.x * 16u + l;
  ${times(8, (r) => times(2, (c) => `var s${r}${c} = 0.0;`))}
  for (var k = 0u; k < params.n; k += ${lanes}u) {
    ${times(8, (r) => `let a${r} = a[(row + ${r}u) * params.n + k + lane % ${lanes}u];`)}
    ${times(
      lanes,
      (i) => `{
      ${times(2, (c) => `let b${c} = b[(k + ${i}u) * params.n + col + ${c * 8}u];`)}
      ${times(8, (r) => `{ let w = subgroupBroadcast(a${r}, ${i}u); ${times(2, (c) => `s${r}${c} += w * b${c};`)} }`)}
    }`,
    )}
  }
  ${times(8, (r) => times(2, (c) => `y[(row + ${r}u) * params.n + col + ${c * 8}u] = s${r}${c};`))}
}`,
      }),
  },
  {
    name: 'v5 vec4 loads, shared',
    idea: 'vec4s: a quarter of the address checks; a lane holds four steps of a row of a, 16 rows × 4 columns',
    subgroups: true,
    make: (n, lanes) =>
      launched(
        {
          name: 'vec4 loads',
          requires: ['subgroups'],
          grid: () => [n / 32, n / 16],
          wgsl: `
${laneHead(8)}
  let row = g.y * 16u;
  let col = g.x * 8u + l;
  ${times(16, (r) => `var s${r} = vec4f();`)}
  for (var k = 0u; k < params.n; k += 4u) {
    ${loadA(16, lanes)}
    ${times(
      4,
      (i) => `{
      let w = b[((k + ${i}u) * params.n) / 4u + col];
      ${times(16, (r) => `s${r} += ${shared(r, i, lanes)} * w;`)}
    }`,
    )}
  }
  ${times(16, (r) => `y[(row + ${r}u) * params.n / 4u + col] = s${r};`)}
}`,
        },
        true,
      ),
  },
  {
    name: 'v6 row after row',
    idea: 'all four steps are loaded first; then each row of sums is fetched and spilled once for four, so that 32 rows pay',
    subgroups: true,
    make: (n, lanes) =>
      launched(
        {
          name: 'row after row',
          requires: ['subgroups'],
          grid: () => [n / 32, n / 32],
          wgsl: `
${laneHead(8)}
  let row = g.y * 32u;
  let col = g.x * 8u + l;
  ${times(32, (r) => `var s${r} = vec4f();`)}
  for (var k = 0u; k < params.n; k += 4u) {
    ${loadA(32, lanes)}
    ${times(4, (i) => `let b${i} = b[((k + ${i}u) * params.n) / 4u + col];`)}
    ${times(32, (r) => times(4, (i) => `s${r} += ${shared(r, i, lanes)} * b${i};`))}
  }
  ${times(32, (r) => `y[(row + ${r}u) * params.n / 4u + col] = s${r};`)}
}`,
        },
        true,
      ),
  },
  {
    name: 'v7 the library',
    idea: 'its own choice: any sizes, transposes, f16, bias and activation; on CPU adapters v6 (src/kernels/matmul-lanes.ts)',
    make: () => (a, b) => matmul(a, b),
  },
];

/** The launch of a kernel of one version. */
function launched(spec, four = false) {
  const type = four ? 'vec4<f32>' : 'f32';
  const bind = { a: `read ${type}`, b: `read ${type}`, y: `write ${type}` };
  const version = kernel({ bind, params: { n: 'u32' }, ...spec });
  return (a, b) => {
    const y = empty(a);
    dispatch(version, { a, b, y }, { n: a.shape[0] });
    return y;
  };
}

function laneHead(group) {
  return `@compute @workgroup_size(${group})
fn main(
  @builtin(workgroup_id) g: vec3u, @builtin(local_invocation_index) l: u32,
  @builtin(subgroup_invocation_id) lane: u32
) {`;
}

/** Four steps of so many rows of a, as vec4s that the lanes hold between them. */
function loadA(rows, lanes) {
  const at = (j) => `(row + ${j * lanes}u + lane % ${lanes}u) * params.n`;
  return times(rows / lanes, (j) => `let a${j} = a[(${at(j)} + k) / 4u];`);
}

/** Step i of row r, from the lane that holds it. */
function shared(r, i, lanes) {
  return `subgroupBroadcast(a${Math.floor(r / lanes)}[${i}], ${r % lanes}u)`;
}

function times(count, code) {
  return Array.from({ length: count }, (_, i) => code(i)).join('\n');
}
