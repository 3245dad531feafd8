import { afterEach, expect, it, vi } from 'vitest';
import { source } from '../../../src/gpu/kernel.ts';
import { sum } from '../../../src/kernels/axis/reduce.ts';
import { cast } from '../../../src/kernels/elementwise/cast.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { square } from '../../../src/kernels/elementwise/unary.ts';
import { useHalfSums } from '../../../src/kernels/matmul/half-sums.ts';
import { linear, matmul } from '../../../src/kernels/matmul/matmul.ts';
import { free, tensor, variable } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { fusedLaunchesOf, launchesOf } from '../../../src/tensor/run/launches.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
import { normal, seeded } from '../../support/check-op.ts';
import { asOnGpu, useDevice } from '../../support/device.ts';

const device = useDevice();
afterEach(() => {
  const gpu = device.current;
  Reflect.deleteProperty(gpu, 'form');
  Object.defineProperty(gpu, 'adapter', { value: gpu.gpu.adapterInfo });
  vi.restoreAllMocks();
});

/** Launches are those of a GPU of this vendor until the test ends. */
function onGpuOf(vendor: string): void {
  asOnGpu(device.current);
  Object.defineProperty(device.current, 'adapter', { value: { vendor }, configurable: true });
}

/** Numbers that f16 has: with 5 bits behind the point, below 8. */
function values(count: number, seed: number, scale = 1): Float32Array {
  const random = seeded(seed);
  return Float32Array.from({ length: count }, () => (Math.round(normal(random) * 32) / 32) * scale);
}

// Rows of whole vec4s, and rows that begin anywhere; sums of rows, for the bias, pass through memory, and so do columns that are no vec4s.
it.for([
  [36, 20, 12],
  [35, 21, 11],
] as const)(
  'halves in workgroup memory, as on Apple: a layer of %i rows, from %i to %i, and its gradients are to the bit those of f32 tiles',
  async ([rows, width, out], { skip }) => {
    const gpu = device.current;
    skip(!gpu.features.has('shader-f16'), 'this device has no f16');
    const [x, w] = [values(rows * width, 1), values(out * width, 2)];
    const run = async (vendor: string) => {
      onGpuOf(vendor);
      const body = () => {
        const [X, W, B] = [
          cast(tensor(gpu, x, [rows, width]), 'f16'),
          cast(tensor(gpu, w, [out, width]), 'f16'),
          cast(tensor(gpu, values(out, 3)), 'f16'),
        ] as const;
        const y = linear(X, W, { bias: B });
        const dy = cast(tensor(gpu, values(rows * out, 4), [rows, out]), 'f16');
        return [y, ...gradients(y, [X, W, B], dy)].map((t) => cast(t, 'f32'));
      };
      const codes = await Promise.all(
        launchesOf(gpu, body).map(({ kernel }) => (typeof kernel.wgsl === 'string' ? kernel.wgsl : kernel.wgsl())),
      );
      return { read: await readAll(body()), code: codes.join() };
    };
    const [usual, halves] = [await run('nvidia'), await run('apple')];
    expect([usual.code.includes('vec4h'), halves.code.includes('vec4h')]).toEqual([false, true]);
    expect(halves.read).toEqual(usual.read);
    // The sums are those of float64.
    for (const [i, got] of (usual.read[0] as Float32Array).entries()) {
      let sum = values(out, 3)[i % out] as number;
      for (let k = 0; k < width; k++) sum += x[Math.floor(i / out) * width + k]! * w[(i % out) * width + k]!;
      expect(Math.abs(got - sum)).toBeLessThanOrEqual(2 ** -11 * Math.abs(sum) + 1e-6);
    }
  },
);

/** The largest error of `y [24, 20]` over an inner axis, beside the bound of `useHalfSums`, and the mean square over that of rounding y. */
async function errorOf(inner: number, scale: number): Promise<{ ofBound: number; ofRounding: number }> {
  const gpu = device.current;
  const [m, n] = [24, 20];
  const [a, b] = [values(m * inner, 5, scale), values(inner * n, 6, 1 / scale)];
  const of = (x: Float32Array, shape: number[]) => cast(tensor(gpu, x, shape), 'f16');
  const [got] = (await readAll([cast(matmul(of(a, [m, inner]), of(b, [inner, n])), 'f32')])) as [Float32Array];
  let [ofBound, error, rounding] = [0, 0, 0];
  for (let i = 0; i < m * n; i++) {
    let [sum, most] = [0, 0];
    for (let k = 0; k < inner; k++) {
      const term = a[Math.floor(i / n) * inner + k]! * b[k * n + (i % n)]!;
      sum += term;
      most += Math.abs(term);
    }
    const off = Math.abs((got[i] as number) - sum);
    ofBound = Math.max(ofBound, off / (2 ** -11 * (16 * most + Math.abs(sum))));
    error += off ** 2;
    // Of rounding to 11 bits: a twelfth of the square of the last.
    rounding += 2 ** (2 * (Math.floor(Math.log2(Math.abs(sum))) - 10)) / 12;
  }
  return { ofBound, ofRounding: Math.sqrt(error / rounding) };
}

it('sums of 16 in f16, where they are asked for, keep within their bound, and lose what is out of range', async ({
  skip,
}) => {
  const gpu = device.current;
  skip(!gpu.features.has('shader-f16'), 'this device has no f16');
  onGpuOf('nvidia');
  const large = () => {
    // 300 · 300 - 300 · 300 + 1: in range of f16, but none of its products.
    const row = cast(tensor(gpu, [300, 300, 1, 0], [1, 4]), 'f16');
    return cast(matmul(row, cast(tensor(gpu, [300, -300, 1, 0], [4, 1]), 'f16')), 'f32');
  };
  expect(await readAll([large()])).toEqual([Float32Array.of(1)]);
  expect((await errorOf(256, 1)).ofRounding).toBeLessThan(1.1);
  useHalfSums(gpu);
  for (const [inner, scale] of [
    [64, 1],
    [256, 1],
    [1000, 1],
    [4096, 1],
    [256, 2048],
  ] as const) {
    const { ofBound, ofRounding } = await errorOf(inner, scale);
    expect(ofBound).toBeLessThan(1);
    expect(ofRounding).toBeGreaterThan(1.1);
    expect(ofRounding).toBeLessThan(4);
  }
  expect(Number.isFinite((await readAll([large()]))[0]?.[0])).toBe(false);
});

it('says what it takes', () => {
  const without = Object.create(device.current, {
    features: { value: new Set() },
    adapter: { value: { vendor: 'old' } },
  });
  expect(() => useHalfSums(without)).toThrow("useHalfSums: 'old' has no f16 (shader-f16); products there are of f32");
  expect(() => useHalfSums(Promise.resolve(without) as never)).toThrow(
    'useHalfSums: the device comes first, as await openDevice() gives it; got a promise; await it',
  );
});

it('two products side by side share the memory of halves', async ({ skip }) => {
  const gpu = device.current;
  skip(!gpu.features.has('shader-f16'), 'this device has no f16');
  onGpuOf('apple');
  const some = (...shape: number[]) => variable(gpu, shape, values(shape[0]! * shape[1]!, 7), 'f16');
  const [x, ...weights] = [some(40, 8), ...Array.from({ length: 10 }, () => some(8, 8))] as [Tensor, ...Tensor[]];
  const launches = await fusedLaunchesOf(gpu, () =>
    gradients(sum(square(weights.reduce((y, weight) => linear(y, weight), x))), weights),
  );
  for (const t of [x, ...weights]) free(t);
  const pairs = launches.filter(({ kernel }) => / and matmul/.test(kernel.name));
  expect(pairs).toHaveLength(9);
  for (const { kernel, element } of pairs) {
    expect(kernel.code.match(/Tile: ?array<\w+/g)?.map((text) => text.slice(-5))).toEqual(['vec4h', 'vec4h']);
    const module = gpu.gpu.createShaderModule({ code: source(kernel, element) });
    expect((await module.getCompilationInfo()).messages).toEqual([]);
  }
});
