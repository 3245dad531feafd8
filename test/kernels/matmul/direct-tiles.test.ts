import { afterEach, expect, it, vi } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { linear, matmul } from '../../../src/kernels/matmul/matmul.ts';
import { free, tensor, variable } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { launchesOf } from '../../../src/tensor/run/launches.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
import { seeded } from '../../support/check-op.ts';
import { asOnGpu, useDevice } from '../../support/device.ts';

const device = useDevice();
afterEach(() => {
  const gpu = device.current;
  Object.defineProperty(gpu, 'adapter', { value: gpu.gpu.adapterInfo });
  vi.restoreAllMocks();
});

/** Launches are those of a GPU of this vendor until the test ends. */
function onGpuOf(vendor: string): void {
  asOnGpu(device.current);
  Object.defineProperty(device.current, 'adapter', { value: { vendor }, configurable: true });
}

/** Sixteenths, of which f32 adds up some thousand products without rounding: sums in another order are the same. */
function values(count: number, seed: number): Float32Array {
  const random = seeded(seed);
  return Float32Array.from({ length: count }, () => Math.round(random() * 32 - 16) / 16);
}

/** What `body` gives on a GPU of a vendor, and how often its kernels hold nothing but b in workgroup memory. */
async function run(vendor: string, body: () => Tensor[]) {
  onGpuOf(vendor);
  const codes = await Promise.all(
    launchesOf(device.current, body).map(({ kernel }) =>
      typeof kernel.wgsl === 'string' ? kernel.wgsl : kernel.wgsl(),
    ),
  );
  const direct = codes.filter((code) => code.includes('bTile') && !code.includes('aTile')).length;
  return { read: await readAll(body()), direct };
}

// Rows and columns beyond the last tile, steps that are no whole 16, and more of them than one run has; a is read along either axis, and so is b.
it('a layer and its gradients are to the bit those of the usual tiles', async () => {
  const [rows, width, out] = [244, 1148, 252];
  const [x, w, b, dy] = [values(rows * width, 1), values(out * width, 2), values(out, 3), values(rows * out, 4)];
  const body = () => {
    const gpu = device.current;
    const [X, W, B] = [tensor(gpu, x, [rows, width]), tensor(gpu, w, [out, width]), tensor(gpu, b)] as const;
    const y = linear(X, W, { bias: B, activation: 'relu' });
    return [y, ...gradients(y, [X, W, B], tensor(gpu, dy, [rows, out]))];
  };
  const [usual, direct] = [await run('nvidia', body), await run('apple', body)];
  expect([usual.direct, direct.direct]).toEqual([0, 3]);
  expect(direct.read).toEqual(usual.read);
  // The first row, of the numbers themselves.
  for (let c = 0; c < out; c++) {
    let sum = b[c] as number;
    for (let k = 0; k < width; k++) sum += (x[k] as number) * (w[c * width + k] as number);
    expect(direct.read[0]?.[c]).toBe(Math.max(0, sum));
  }
});

it('so are products of a batch, whose last rows and columns are followed by those of the next', async () => {
  const [batch, rows, inner, cols] = [5, 100, 20, 124];
  const [a, b] = [values(batch * rows * inner, 5), values(batch * inner * cols, 6)];
  // What belongs to the next product must not come in: infinity times 0 is NaN.
  a[rows * inner] = Number.POSITIVE_INFINITY;
  b[inner * cols] = Number.POSITIVE_INFINITY;
  const body = () => {
    const gpu = device.current;
    const A = tensor(gpu, a, [batch, rows, inner]);
    return [
      matmul(A, tensor(gpu, b, [batch, inner, cols])),
      matmul(tensor(gpu, a, [batch, inner, rows]), tensor(gpu, b, [batch, inner, cols]), { transposeA: true }),
      matmul(A, tensor(gpu, b, [batch, cols, inner]), { transposeB: true }),
    ];
  };
  const [usual, direct] = [await run('nvidia', body), await run('apple', body)];
  expect([usual.direct, direct.direct]).toEqual([0, 3]);
  expect(direct.read).toEqual(usual.read);
});

it('is for large products of f32, in whole vec4s', async () => {
  const of = async (rows: number, inner: number, cols: number, dtype: 'f32' | 'f16' = 'f32') => {
    onGpuOf('apple');
    const [a, b] = [
      variable(device.current, [rows, inner], undefined, dtype),
      variable(device.current, [inner, cols], undefined, dtype),
    ];
    const [launch] = launchesOf(device.current, () => matmul(a, b));
    for (const t of [a, b]) free(t);
    const wgsl = launch?.kernel.wgsl as string | (() => Promise<string>);
    return !(typeof wgsl === 'string' ? wgsl : await wgsl()).includes('aTile');
  };
  expect(await of(256, 16, 256)).toBe(true);
  expect(await of(192, 16, 256)).toBe(false);
  if (device.current.features.has('shader-f16')) expect(await of(256, 16, 256, 'f16')).toBe(false);
  expect(await of(256, 18, 256)).toBe(false);
  expect(await of(256, 16, 254)).toBe(false);
  expect(await of(1024, 16, 64)).toBe(true);
});
