import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Device } from '../../../src/gpu/device.ts';
import { source } from '../../../src/gpu/kernel.ts';
import { sum } from '../../../src/kernels/axis/reduce.ts';
import { cast } from '../../../src/kernels/elementwise/cast.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { square } from '../../../src/kernels/elementwise/unary.ts';
import { useHalfSums } from '../../../src/kernels/matmul/half-sums.ts';
import { linear, matmul } from '../../../src/kernels/matmul/matmul.ts';
import { mlp } from '../../../src/kernels/matmul/mlp.ts';
import { useSubgroupMatrices } from '../../../src/kernels/matmul/subgroup-matrices.ts';
import { tune } from '../../../src/kernels/matmul/tune.ts';
import { productClass, productsOf } from '../../../src/kernels/matmul/variants.ts';
import { free, tensor, variable } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { fusedLaunchesOf } from '../../../src/tensor/run/launches.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { normal, seeded } from '../../support/check-op.ts';
import { asOnGpu, useDevice } from '../../support/device.ts';
import {
  type EmulationOptions,
  emulated,
  emulateMatrixUnits,
  type MatrixConfig,
  matrixConfigs,
  withoutMatrixUnits,
} from '../../support/subgroup-matrices.ts';

const device = useDevice();
beforeEach(({ skip }) => {
  skip(!device.current.features.has('subgroups'), 'this device has no subgroups');
  asOnGpu(device.current);
});
afterEach(() => {
  device.current.tuned.clear();
  withoutMatrixUnits(device.current);
});

/** Lets products be those of these units, and tells how often one was compiled. */
async function use(configs: readonly MatrixConfig[], options?: EmulationOptions): Promise<string[]> {
  const given = emulateMatrixUnits(device.current, configs, options);
  await useSubgroupMatrices(device.current);
  return given;
}

/** Numbers that f16 has, with 5 bits behind the point: sums of products are exact in f32, in whatever order. */
function values(count: number, seed: number): Float32Array {
  const random = seeded(seed);
  return Float32Array.from({ length: count }, () => Math.round(normal(random) * 32) / 32);
}

const made = (gpu: Device, shape: number[], seed: number, dtype: 'f32' | 'f16') =>
  cast(
    tensor(
      gpu,
      values(
        shape.reduce((n, m) => n * m, 1),
        seed,
      ),
      shape,
    ),
    dtype,
  );

/** Every product of a body is computed by tiles of 64. */
function byLargeTiles(gpu: Device, body: () => unknown, parts = 1): void {
  for (const product of productsOf(gpu, body)) gpu.tuned.set(productClass(product), `tile 8 ${parts}`);
}

const units = [
  ['f32 by 8 x 8 x 8 of f32', 'f32', matrixConfigs.apple, 4],
  ['f16 by 8 x 8 x 8 of f32', 'f16', matrixConfigs.apple, 1],
  ['f16 by 16 x 16 x 16', 'f16', matrixConfigs.nvidia, 4],
  ['f16 by 8 x 16 x 16', 'f16', matrixConfigs.intel, 2],
] as const;

// Rows of whole vec4s, and rows that begin anywhere; more than one tile, and edges on each side; a batch that shares b.
const shapes = [
  { sizes: [2, 33, 37, 35], transposeA: true, transposeB: false },
  { sizes: [2, 36, 44, 40], transposeA: false, transposeB: false },
  { sizes: [1, 68, 36, 20], transposeA: true, transposeB: true },
  { sizes: [2, 3, 70, 41], transposeA: false, transposeB: true },
] as const;

// lavapipe takes seconds to compile each: of other units not all.
describe.for(units)('%s', ([, dtype, configs, count]) => {
  it.for(shapes.slice(0, count))(
    'multiplies $sizes, turned: $transposeA, $transposeB',
    async ({ sizes: [batch, m, inner, n], transposeA, transposeB }, { skip }) => {
      const gpu = device.current;
      skip(dtype === 'f16' && !gpu.features.has('shader-f16'), 'this device has no f16');
      await use(configs);
      const a = values(batch * m * inner, 1);
      const b = values(inner * n, 2);
      const y = matmul(
        cast(tensor(gpu, a, [batch, ...(transposeA ? [inner, m] : [m, inner])]), dtype),
        cast(tensor(gpu, b, transposeB ? [n, inner] : [inner, n]), dtype),
        { transposeA, transposeB },
      );
      const got = await read(cast(y, 'f32'));
      for (let i = 0; i < batch * m * n; i++) {
        const [z, row, col] = [Math.floor(i / (m * n)), Math.floor(i / n) % m, i % n];
        let sum = 0;
        for (let k = 0; k < inner; k++) {
          sum +=
            a[z * m * inner + (transposeA ? k * m + row : row * inner + k)]! *
            b[transposeB ? col * inner + k : k * n + col]!;
        }
        expect(Math.abs(got[i]! - sum)).toBeLessThanOrEqual(dtype === 'f32' ? 0 : 2 ** -11 * Math.abs(sum));
      }
    },
  );
});

/** What a body gives by the usual tiles, and by matrix units. */
async function byBoth(
  configs: readonly MatrixConfig[],
  body: () => readonly Tensor[],
  options?: EmulationOptions,
): Promise<readonly [readonly Float32Array[], readonly Float32Array[]]> {
  const run = async () => (await readAll(body().map((t) => cast(t, 'f32')))) as Float32Array[];
  const usual = await run();
  const given = await use(configs, options);
  const before = given.length;
  const units = await run();
  expect(given.length).toBeGreaterThan(before);
  return [usual, units];
}

it('finishes sums as the usual tiles do: bias, GELU and what it is of, residual, gradients, sums of rows', async () => {
  const gpu = device.current;
  const body = () => {
    const [x, w, v] = [made(gpu, [35, 21], 1, 'f32'), made(gpu, [24, 21], 2, 'f32'), made(gpu, [11, 24], 3, 'f32')];
    const [c, d, residual] = [made(gpu, [24], 4, 'f32'), made(gpu, [11], 5, 'f32'), made(gpu, [35, 11], 6, 'f32')];
    const y = mlp(x, { weight1: w, bias1: c, weight2: v, bias2: d }, { residual });
    return [y, ...gradients(y, [x, w, v, c, d], made(gpu, [35, 11], 7, 'f32'))];
  };
  const [usual, units] = await byBoth(matrixConfigs.apple, body);
  for (const [i, of] of usual.entries()) {
    const most = of.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
    for (const [j, x] of of.entries()) expect(Math.abs(units[i]![j]! - x)).toBeLessThanOrEqual(2e-6 * most);
  }
});

it.for(['tile 4 1', 'tile 8 1'])('adds up in runs of 1024, sums of rows as well: %s', async (variant, { skip }) => {
  const gpu = device.current;
  skip(!gpu.features.has('shader-f16'), 'this device has no f16');
  // The gradient of a weight is summed over all rows.
  const body = () => {
    const [x, w] = [made(gpu, [2100, 12], 1, 'f16'), made(gpu, [36, 12], 2, 'f16')];
    const b = made(gpu, [36], 3, 'f16');
    const dy = made(gpu, [2100, 36], 4, 'f16');
    return gradients(linear(x, w, { bias: b }), [w, b], dy);
  };
  for (const product of productsOf(gpu, body)) gpu.tuned.set(productClass(product), variant);
  const [usual, units] = await byBoth(matrixConfigs.nvidia, body);
  expect(units).toEqual(usual);
  expect(units[1]).toHaveLength(36);
});

it.for([
  ['f16', matrixConfigs.nvidia, 1],
  ['f16', matrixConfigs.intel, 2],
] as const)('computes tiles of 64, of %s, in parts and not', async ([dtype, configs, parts], { skip }) => {
  const gpu = device.current;
  skip(!gpu.features.has('shader-f16'), 'this device has no f16');
  const body = () => [matmul(made(gpu, [70, 90], 1, dtype), made(gpu, [90, 68], 2, dtype))];
  byLargeTiles(gpu, body, parts);
  const [usual, units] = await byBoth(configs, body);
  expect(units).toEqual(usual);
});

it('takes subgroups that are as large as they may be', async () => {
  const gpu = device.current;
  const { subgroupMinSize } = gpu.adapter as { subgroupMinSize?: number };
  const body = () => [matmul(made(gpu, [36, 20], 1, 'f32'), made(gpu, [20, 39], 2, 'f32'))];
  const [usual, units] = await byBoth(matrixConfigs.apple, body, { subgroupMaxSize: subgroupMinSize! });
  expect(units).toEqual(usual);
});

it('gives zeros where there is nothing to sum', async () => {
  const gpu = device.current;
  await use(matrixConfigs.apple);
  const y = matmul(variable(gpu, [3, 0]), variable(gpu, [0, 4]));
  expect(await read(y)).toEqual(new Float32Array(12));
});

it('runs two products side by side', async () => {
  const gpu = device.current;
  await use(matrixConfigs.apple);
  const some = (...shape: number[]) => variable(gpu, shape, values(shape[0]! * shape[1]!, 7));
  const [x, ...weights] = [some(40, 8), ...Array.from({ length: 10 }, () => some(8, 8))] as [Tensor, ...Tensor[]];
  const launches = await fusedLaunchesOf(gpu, () =>
    gradients(sum(square(weights.reduce((y, weight) => linear(y, weight), x))), weights),
  );
  for (const t of [x, ...weights]) free(t);
  const pairs = launches.filter(({ kernel }) => / and matmul/.test(kernel.name));
  expect(pairs).toHaveLength(9);
  const { kernel, element } = pairs[0]!;
  const code = source(kernel, element);
  expect(code).toContain('enable chromium_experimental_subgroup_matrix;');
  const { subgroupMinSize } = gpu.adapter as { subgroupMinSize?: number };
  const module = gpu.gpu.createShaderModule({ code: emulated(code, subgroupMinSize!) });
  expect((await module.getCompilationInfo()).messages).toEqual([]);
});

it('writes the layout among the arguments where the compiler does not know it in the template', async () => {
  const gpu = device.current;
  const given = await use(matrixConfigs.oblong, { spelling: 'argument' });
  expect(given.some((code) => /subgroupMatrixLoad<Left>\(&aTile,.*, false, \d+u\)/.test(code))).toBe(true);
  const got = await read(matmul(tensor(gpu, [1, 2], [1, 2]), tensor(gpu, [3, 4], [2, 1])));
  expect(got).toEqual(Float32Array.of(11));
});

it('is compared with the usual tiles by tune', async () => {
  const gpu = device.current;
  await use(matrixConfigs.large);
  // Kernels that are not compiled yet multiply wrongly.
  vi.restoreAllMocks();
  emulateMatrixUnits(gpu, matrixConfigs.large, { change: (code) => code.replace('sum +=', 'sum -=') });
  const body = () => [matmul(made(gpu, [33, 19], 1, 'f32'), made(gpu, [19, 23], 2, 'f32'))];
  const [found] = await tune(gpu, body, { runs: 1, save: false, again: true });
  expect(found?.tried.find(({ variant }) => variant === 'tile 4 1')).toEqual({ variant: 'tile 4 1' });
  expect(found?.chosen).toMatch(/^subgroup/);
});

describe('what it refuses', () => {
  const refusal = async (configs: readonly MatrixConfig[], options?: EmulationOptions) => {
    emulateMatrixUnits(device.current, configs, options);
    const error = await useSubgroupMatrices(device.current).then(
      () => undefined,
      (error: Error) => error,
    );
    // What is said of devices without f16 is said of some of this suite's.
    return error?.message.replaceAll(device.current.name, 'GPU').replace(/the device has no f16 [^;]*; /, '');
  };

  it('a device without the feature', async () => {
    await expect(useSubgroupMatrices(device.current)).rejects.toThrow(
      `useSubgroupMatrices: '${device.current.name}' was opened without matrix units (chromium-experimental-subgroup-matrix); where its ` +
        'GPU has them, Chrome gives them with chrome://flags/#enable-unsafe-webgpu, and Node with ZEROSEG_DAWN_FEATURES=allow_unsafe_apis',
    );
    await expect(useSubgroupMatrices(Promise.resolve(device.current) as never)).rejects.toThrow(
      'useSubgroupMatrices: the device comes first, as await openDevice() gives it; got a promise; await it',
    );
  });

  it('units without sums of f32, or of other sizes', async () => {
    const only = matrixConfigs.nvidia[0];
    expect(await refusal([only, { ...only, resultComponentType: 'f32', M: 64 }])).toMatchInlineSnapshot(
      `"useSubgroupMatrices: no matrix unit of 'GPU' fits (f16 to f16 16x16x16, f16 to f32 64x16x16; subgroups of up to 32 threads); products take f16 or f32 with sums of f32, M and N of 8 or 16, K of 8, 16 or 32, and workgroups of 128 threads and 20992 bytes; go on without"`,
    );
    expect(await refusal([])).toMatchInlineSnapshot(
      `"useSubgroupMatrices: no matrix unit of 'GPU' fits (it lists none; subgroups of up to 32 threads); products take f16 or f32 with sums of f32, M and N of 8 or 16, K of 8, 16 or 32, and workgroups of 128 threads and 20992 bytes; go on without"`,
    );
  });

  it('a compiler that knows neither spelling', async () => {
    const change = () => 'nonsense';
    expect(await refusal(matrixConfigs.oblongWide, { change })).toMatch(
      "useSubgroupMatrices: 'GPU' does not compile the kernel; kernel matmul does not compile:\n  line 1: ",
    );
    expect(device.current.form).toBeUndefined();
  });

  it('a second call before the first has resolved, which leaves what the first does', async () => {
    const gpu = device.current;
    const change = (code: string) => code.replace('sum +=', 'sum -=');
    emulateMatrixUnits(gpu, matrixConfigs.shallow, { change });
    const calls = await Promise.allSettled([useSubgroupMatrices(gpu), useSubgroupMatrices(gpu)]);
    expect(calls.map((call) => call.status === 'rejected' && String(call.reason).replaceAll(gpu.name, 'GPU'))).toEqual([
      expect.stringContaining('give wrong products of f'),
      "DeviceError: useSubgroupMatrices: an earlier call for 'GPU' has not resolved; await it, one call is enough",
    ]);
    expect(gpu.form).toBeUndefined();
    withoutMatrixUnits(gpu);
    await use(matrixConfigs.oblong);
  });

  it('units of f32 that round to the digits of f16', async () => {
    const change = (code: string) =>
      code.replace(/elementOf_\w+\(left, row, k\)/, 'bitcast<f32>(bitcast<u32>(f32($&)) & 0xffffe000u)');
    expect(await refusal(matrixConfigs.oblongWide, { change })).toMatch('give wrong products of f32');
  });

  it('units that multiply wrongly, and then leaves products as they were', async ({ skip }) => {
    const gpu = device.current;
    skip(!gpu.features.has('shader-f16'), 'this device has no f16');
    useHalfSums(gpu);
    const { form } = gpu;
    const change = (code: string) => code.replace('sum +=', 'sum -=');
    expect(await refusal(matrixConfigs.square, { change })).toMatchInlineSnapshot(
      `"useSubgroupMatrices: the matrix units of 'GPU' give wrong products of f16 (41 for -41); products stay as they were; please tell https://github.com/zeroseg/core/issues"`,
    );
    expect(gpu.form).toBe(form);
  });
});
