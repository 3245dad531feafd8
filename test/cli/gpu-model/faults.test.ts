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
    'half-empty warps: workgroups of 8 in warps of 32; take at least 32 threads',
  ]);
});

test('a private array lies in memory where its index is known only when it runs, not where the loop can be unrolled', async () => {
  const body = (last: string) => `  var kept = array<f32, 4>(x[i], 1.0, 2.0, 3.0);
  var sum = 0.0;
  for (var k = 0u; k < ${last}; k++) { sum += kept[k]; }
  y[i] = sum;`;
  expect(await faultsOf(body('4u'))).toEqual([]);
  expect(await faultsOf(body('1u + l % 4u'))).toEqual([
    'private array in memory: kept (16 bytes a thread) is indexed by what is known only when it runs, so it lies in memory; unroll the loop',
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
    /^many registers: about 29\d values at once, where a thread has 255 registers: some lie in memory$/,
  );
  expect(await faultsOf(body(5))).toEqual([]);
});

test('lanes that wait for one of them', async () => {
  const [fault] = await faultsOf(`  var sum = x[i];
  for (var k = 0u; k < select(1u, 100u, l % 32u == 0u); k++) { sum = sum * 1.5 + 1.0; }
  y[i] = sum;`);
  expect(fault).toMatch(/^divergence: lanes do nothing 9\d % of the time/);
});
