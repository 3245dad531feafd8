import { expect, test } from 'vitest';
import { gpuModel } from '../../../cli/src/gpu-model/model.ts';
import { kernel } from '../../../src/gpu/kernel.ts';
import { free, variable } from '../../../src/tensor/graph/host-tensors.ts';
import { dispatch, empty } from '../../../src/tensor/graph/record.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

/** What is wrong with a kernel from `x [2^18]` to `y` like it, of 256 workgroups of 64 if not told otherwise. */
async function faultsOf(body: string, { before = '', groups = 256, threads = 64 } = {}): Promise<string[]> {
  const made = kernel({
    name: 'planted',
    bind: { x: 'read T', y: 'write T' },
    grid: () => [groups],
    wgsl: `${before}
@compute @workgroup_size(${threads})
fn main(@builtin(global_invocation_id) at: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = at.x;
${body}
}`,
  });
  const x = variable(device.current, [2 ** 18]);
  try {
    const body = () => {
      const y = empty(x);
      dispatch(made, { x, y }, {});
      return y;
    };
    const [launch] = await gpuModel(device.current, body, { gpus: ['h100'] });
    return launch!.gpus[0]!.faults.map(({ kind, words }) => `${kind}: ${words}`);
  } finally {
    free(x);
  }
}

test('a kernel that reads and writes what lies side by side has no fault', async () => {
  expect(await faultsOf('  y[i] = x[i] * 2.0;')).toEqual([]);
});

test('rows of 32 elements in workgroup memory, of which every thread reads its own', async () => {
  const before = 'var<workgroup> tile: array<f32, 2048>;';
  const body = (stride: number) => `  tile[l] = x[i];
  workgroupBarrier();
  var sum = 0.0;
  for (var k = 0u; k < 32u; k++) { sum += tile[l % 32u * ${stride}u + k]; }
  y[i] = sum;`;
  expect(await faultsOf(body(32), { before })).toEqual([
    'bank conflicts: 32 words of one bank at once, 32.0 turns where 1 would do; make rows one element longer',
    'scalar loads: a load of one element of tile, turn after turn side by side in each thread; store vec4s, and load them',
  ]);
  expect(await faultsOf(body(33), { before })).toEqual([]);
});

test('loads of 4 bytes, 8 elements apart from thread to thread, use an eighth of each sector', async () => {
  expect(await faultsOf('  y[i] = x[i * 8u];')).toEqual([
    'scattered accesses: a warp touches 8.0 lines of 128 bytes, and uses 13 % of the sectors; let neighbours read neighbours',
  ]);
});

test('a thread that loads elements 8 apart one by one could load a vec4', async () => {
  const before = 'var<workgroup> tile: array<f32, 128>;';
  const loads = `  tile[l] = x[i];
  workgroupBarrier();
  let first = l % 8u;
  y[i] = tile[first] + tile[first + 8u] + tile[first + 16u] + tile[first + 24u];`;
  expect(await faultsOf(loads, { before })).toEqual([
    'scalar loads: 4 loads of one element of tile, 8 elements apart, in each thread; store vec4s, and load them',
  ]);
});

test('one workgroup leaves all units idle but one', async () => {
  expect(await faultsOf('  y[i] = x[i];', { groups: 1 })).toEqual([
    'few workgroups: 1 workgroup for 132 units; split the work further',
  ]);
});

test('workgroups of 8 threads leave most of a warp empty', async () => {
  expect(await faultsOf('  y[i] = x[i];', { threads: 8 })).toEqual([
    'half-empty warps: workgroups of 8 in warps of 32: 75 % of the lanes are empty; take at least 32 threads',
  ]);
  expect(await faultsOf('  y[i] = x[i];', { threads: 48 })).toEqual([
    'half-empty warps: workgroups of 48 in warps of 32: 25 % of the lanes are empty; take a multiple of 32',
  ]);
});

test('a private array lies in memory where its index is known only when it runs, not where the loop can be unrolled', async () => {
  const body = (last: string) => `  var kept = array<f32, 4>(x[i], 1.0, 2.0, 3.0);
  var sum = 0.0;
  for (var k = 0u; k < ${last}; k++) { sum += kept[k]; }
  y[i] = sum;`;
  expect(await faultsOf(body('4u'))).toEqual([]);
  expect(await faultsOf(body('1u + u32(abs(x[7]))'))).toEqual([
    'private array in memory: kept (16 bytes a thread) is indexed by what is known only when it runs, so it lies in memory; unroll the loop, or keep it in workgroup memory',
  ]);
});

test('more values at once than a thread has registers', async () => {
  const body = (count: number) => {
    const values = Array.from({ length: count }, (_, k) => `v${k}`);
    return `  let s = vec4f(x[i]);
${values.map((name, k) => `  let ${name} = s * ${k}.5;`).join('\n')}
  y[i] = (${values.join(' + ')}).x;`;
  };
  const [fault] = await faultsOf(body(70));
  expect(fault).toMatch(
    /^many registers: about 29\d values at once, where a thread has 255 registers: some lie in memory; let a thread make fewer results at once$/,
  );
  expect(await faultsOf(body(5))).toEqual([]);
});

test('lanes that wait for one of them', async () => {
  const [fault] = await faultsOf(`  var sum = x[i];
  for (var k = 0u; k < select(1u, 100u, l % 32u == 0u); k++) { sum = sum * 1.5 + 1.0; }
  y[i] = sum;`);
  expect(fault).toMatch(
    /^divergence: lanes do nothing 9\d % of the time, while others of their warp take another way; give the lanes of a warp equal work$/,
  );
});

test('lanes that take turns in a loop, though each does the same in all', async () => {
  const body = (lane: string) => `  var sum = x[i];
  for (var k = 0u; k < 64u; k++) {
    if ((k + ${lane}) % 4u == 0u) { sum = sin(sum) * exp(sum) + sqrt(abs(sum)) * 1.5 + sum * sum * sum; }
  }
  y[i] = sum;`;
  expect(await faultsOf(body('l'))).toEqual([expect.stringMatching(/^divergence: lanes do nothing 5\d % of the time/)]);
  expect(await faultsOf(body('at.y'))).toEqual([]);
  const inner = `  var sum = x[i];
  for (var r = 0u; r < 32u; r++) { for (var k = 0u; k < (l + r) % 32u; k++) { sum = sum * 1.5 + sin(sum); } }
  y[i] = sum;`;
  expect(await faultsOf(inner)).toEqual([expect.stringMatching(/^divergence: lanes do nothing \d\d % of the time/)]);
});

test('elements that a thread loads turn after turn, and stores side by side, could be vec4s', async () => {
  expect(
    await faultsOf('  var sum = 0.0;\n  for (var k = 0u; k < 4u; k++) { sum += x[i * 4u + k]; }\n  y[i] = sum;'),
  ).toContain(
    'scalar loads: a load of one element of x, turn after turn side by side in each thread; store vec4s, and load them',
  );
  const both = Array.from({ length: 4 }, (_, k) => `  y[4u * i + ${k}u] = x[4u * i + ${k}u];`).join('\n');
  expect((await faultsOf(both)).filter((words) => words.startsWith('scalar'))).toEqual([
    'scalar loads: 4 loads of one element of x, side by side, in each thread; store vec4s, and load them',
    'scalar stores: 4 stores of one element of y, side by side, in each thread; store a vec4',
  ]);
});

test('threads that change one word of memory', async () => {
  const before = 'var<workgroup> hits: array<atomic<u32>, 64>;\nvar<workgroup> all: atomic<u32>;';
  const words =
    'contended atomics: 32 threads of a warp change one word, one after the other; add up in registers or in workgroup memory first, and let one thread change it';
  const body = (place: string) => `  atomicAdd(&${place}, 1u);
  workgroupBarrier();
  y[i] = x[i] + f32(atomicLoad(&${place}));`;
  expect(await faultsOf(body('hits[0]'), { before })).toEqual([words]);
  expect(await faultsOf(body('all'), { before })).toEqual([words]);
  expect(await faultsOf(body('hits[l]'), { before })).toEqual([]);
});

test('a private array that is indexed through a pointer', async () => {
  const words =
    'private array in memory: kept (16 bytes a thread) is indexed by what is known only when it runs, so it lies in memory; unroll the loop, or keep it in workgroup memory';
  const kept = '  const N = 4u;\n  var kept = array<f32, N>(x[i], 1.0, 2.0, 3.0);\n';
  const before = 'fn one(all: ptr<function, array<f32, 4>>, k: u32) -> f32 { return (*all)[k]; }';
  expect(await faultsOf(`${kept}  y[i] = one(&kept, l % 4u);`, { before })).toEqual([words]);
  expect(await faultsOf(`${kept}  let all = &kept;\n  y[i] = (*all)[l % 4u];`)).toEqual([words]);
});

test('workgroup memory of which few threads have much', async () => {
  const before = 'var<workgroup> tile: array<f32, 4096>;';
  expect(
    await faultsOf('  tile[l] = x[i];\n  workgroupBarrier();\n  y[i] = tile[31u - l];', { before, threads: 32 }),
  ).toEqual([
    'much workgroup memory: 16384 bytes for 32 threads leave 448 of 2048 threads on a unit; share them among more threads, or keep less',
  ]);
});

test('kernels without a fault: single values, pointers to tiles, builtins in a struct, names that hide others', async () => {
  const before = `struct Cell { at: vec3f, weight: f32 }
var<workgroup> cell: Cell;
var<workgroup> flag: u32;
var<workgroup> tile: array<f32, 64>;
fn first(row: ptr<workgroup, array<f32, 64>>, k: u32) -> f32 { return (*row)[k]; }`;
  const bodies = [
    '  if (l == 0u) { cell.weight = x[i]; }\n  workgroupBarrier();\n  y[i] = cell.weight + x[i];',
    '  if (l == 0u) { flag = 3u; }\n  y[i] = x[i] * f32(workgroupUniformLoad(&flag));',
    '  if (l == 0u) { flag = 0u; }\n  else if (flag == 7u) { return; }\n  y[i] = x[i];',
    '  tile[l] = x[i];\n  workgroupBarrier();\n  let row = &tile;\n  y[i] = first(&tile, 63u - l) + (*row)[l];',
    '  let v = x[i];\n  { let x = array<f32, 2>(v, 2.0); let i = 1u; y[at.x] = x[i] + x[0]; }',
    '  var k = 0u;\n  loop { if (k >= 4u) { break; } continuing { k++; } }\n  y[i] = x[i] + f32(k + arrayLength(&x));',
  ];
  for (const body of bodies) expect(await faultsOf(body, { before }), body).toEqual([]);
});

test('lanes that join a loop later, one after the other, read side by side with those that are there', async () => {
  const loop = (test: string, load: string) => `  var sum = 0.0;
  for (var k = 0u; k < 64u; k++) { if (${test}) { sum += ${load}; } }
  y[i] = sum;`;
  expect(await faultsOf(loop('k >= 2u * l', 'x[k * 32u + l]'), { threads: 32 })).toEqual([]);
  expect(await faultsOf(loop('k < 64u - 2u * l', 'x[k * 32u + l]'), { threads: 32 })).toEqual([]);
  const before = 'var<workgroup> tile: array<f32, 2048>;';
  const triangle = `  tile[l] = x[i];\n  workgroupBarrier();\n${loop('k >= 2u * l', 'tile[k * 32u]')}`;
  expect(await faultsOf(triangle, { before, threads: 32 })).toEqual([]);
});

test('an index may end with one value of workgroup memory', async () => {
  const before = 'var<workgroup> base: u32;';
  const body = `  if (l == 0u) { base = 32u; }
  workgroupBarrier();
  y[i] = x[i + base] + x[base];`;
  expect(await faultsOf(body, { before })).toEqual([]);
});

test('atomics that lie far apart are scattered, though some of them meet', async () => {
  const before = 'var<workgroup> hits: array<atomic<u32>, 2048>;';
  const body = (index: string) => `  atomicAdd(&hits[${index}], 1u);
  workgroupBarrier();
  y[i] = x[i] + f32(atomicLoad(&hits[l]));`;
  const [apart] = await faultsOf(body('select(l * 32u, 0u, l < 4u)'), { before });
  expect(apart).toMatch(/^bank conflicts: /);
  const [met] = await faultsOf(body('l % 4u'), { before });
  expect(met).toMatch(/^contended atomics: /);
});
