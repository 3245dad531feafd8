import { describe, expect, it } from 'vitest';
import { formatBytes } from '../../src/gpu/errors.ts';
import { type Kernel, kernel, source } from '../../src/gpu/kernel.ts';
import { openDevice } from '../../src/gpu/open-device.ts';
import { add } from '../../src/tensor/graph/fill.ts';
import { tensor, variable } from '../../src/tensor/graph/host-tensors.ts';
import { read } from '../../src/tensor/run/read.ts';
import { step } from '../../src/tensor/run/step.ts';

async function failure(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'did not fail',
    (error: Error) => `${error.name}: ${error.message}`,
  );
}

describe('a device', () => {
  it.each([
    [{ adaptor: 'lavapipe' }, "openDevice: options come by name: { adapter, notice, tuning }; there is no 'adaptor'"],
    ['lavapipe', 'openDevice: options come by name: { adapter, notice, tuning }'],
    [null, 'openDevice: options come by name: { adapter, notice, tuning }'],
  ])('is not opened with %o', async (options, message) => {
    expect(await failure(openDevice(options as never))).toBe(`DeviceError: ${message}`);
  });

  it('that is lost fails the next read and the next step, and says what to do', async () => {
    const device = await openDevice({ notice: null });
    const x = tensor(device, [1, 2]);
    const twice = await step(device, { x: [2] }, ({ x }) => add(x, x));
    device.gpu.destroy();
    await device.gpu.lost;
    const told = /^DeviceError: the GPU device was lost \(.*\); open a new device and load the last checkpoint$/;
    expect(await failure(read(add(x, x)))).toMatch(told);
    expect(await failure((async () => twice({ x: [1, 2] }))())).toMatch(told);
  });

  it('that was disposed cannot be used', async () => {
    const device = await openDevice({ notice: null });
    const x = tensor(device, [1, 2]);
    device.dispose();
    device.dispose();
    expect(await failure(read(add(x, x)))).toMatchInlineSnapshot(
      `"DeviceError: this device was disposed; open another with openDevice()"`,
    );
  });

  it('says how much memory a tensor needs that it cannot hold', async () => {
    using device = await openDevice({ notice: null });
    const max = device.limits.maxBufferSize;
    const elements = Math.ceil(max / 4) + 4;
    const text = await failure((async () => variable(device, [elements]))());
    expect(text).toBe(
      `OutOfMemoryError: variable [${elements}] needs a buffer of ${formatBytes(elements * 4)}; '${device.name}' allows ` +
        `${formatBytes(max)}; use a smaller batch or model`,
    );
  });

  it('refuses a tensor larger than a kernel may bind', async () => {
    using device = await openDevice({ notice: null });
    const max = device.limits.maxStorageBufferBindingSize;
    if (max * 2 > device.limits.maxBufferSize || max > 2 ** 28) return;
    const x = variable(device, [max / 4 + 64]);
    expect(await failure(read(add(x, x)))).toMatch(
      /^OutOfMemoryError: accumulate: binds a tensor \[\d+\] of .* at most .*; use a smaller batch or model$/,
    );
  });

  it('reports what the GPU rejects at the next read, instead of zeros', async () => {
    using device = await openDevice({ notice: null });
    device.gpu.createBuffer({ size: 16, usage: 0x1 | 0x80 });
    await device.scoped(() => {}).refusal;
    expect(await failure(read(tensor(device, [1])))).toMatch(/^DeviceError: the GPU rejected a command: /);
    expect(await failure(read(tensor(device, [1])))).toBe('did not fail');
  });

  it('counts its buffers down to nothing that is not in use', async () => {
    using device = await openDevice({ notice: null });
    const before = device.bytes;
    const made = await step(device, { x: [1000] }, ({ x }) => add(x, add(x, x)));
    expect(made.memory.slots).toBe(made.memory.planned);
    expect(device.bytes - before).toBe(made.memory.planned + made.memory.own + made.memory.uniforms);
    made.dispose();
    expect(device.bytes - before).toBe(made.memory.planned);
  });
});

describe('a kernel', () => {
  it('gets its header from its declaration', () => {
    const k = kernel({
      name: 'scale',
      bind: { x: 'read T', ids: 'read u32', y: 'write T', sum: 'update f32' },
      params: { n: 'u32', factor: 'f32' },
      override: { WG: 64 },
      grid: () => [1],
      wgsl: 'fn main() {}',
    });
    expect(source(k as unknown as Kernel, 'f16')).toMatchInlineSnapshot(`
      "enable f16;
      alias T = f16;
      @group(0) @binding(0) var<storage, read> x: array<T>;
      @group(0) @binding(1) var<storage, read> ids: array<u32>;
      @group(0) @binding(2) var<storage, read_write> y: array<T>;
      @group(0) @binding(3) var<storage, read_write> sum: array<f32>;
      struct Params { n: u32, factor: f32 }
      @group(0) @binding(4) var<uniform> params: Params;
      override WG: u32 = 64;
      fn flatGroup(g: vec3u, size: vec3u) -> u32 { return g.x + g.y * size.x; }
      fn main() {}"
    `);
    expect(source(k as unknown as Kernel, 'f32').split('\n')[0]).toBe('alias T = f32;');
  });
});
