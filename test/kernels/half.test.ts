import { describe, expect, it } from 'vitest';
import { kernel } from '../../src/gpu/kernel.ts';
import { sum } from '../../src/kernels/axis/reduce.ts';
import { add } from '../../src/kernels/elementwise/binary.ts';
import { gradients } from '../../src/kernels/elementwise/gradients.ts';
import { gelu } from '../../src/kernels/elementwise/unary.ts';
import { permute } from '../../src/kernels/layout/layout.ts';
import { slice } from '../../src/kernels/layout/slice.ts';
import { l2Normalize } from '../../src/kernels/row-ops/l2-normalize.ts';
import { layerNorm } from '../../src/kernels/row-ops/layer-norm.ts';
import { softmax } from '../../src/kernels/row-ops/softmax.ts';
import { tensor } from '../../src/tensor/graph/host-tensors.ts';
import { dispatch, empty } from '../../src/tensor/graph/record.ts';
import type { Tensor } from '../../src/tensor/graph/tensor.ts';
import { readAll } from '../../src/tensor/run/read.ts';
import type { Shape } from '../../src/tensor/values/shape.ts';
import { close, normal, seeded } from '../support/check-op.ts';
import { useDevice } from '../support/device.ts';

const toHalf = kernel({
  name: 'to-half',
  bind: { x: 'read f32', y: 'write T' },
  params: { n: 'u32' },
  grid: ({ n }) => [Math.ceil(n / 64)],
  wgsl: `
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) i: vec3u) { if (i.x < params.n) { y[i.x] = T(x[i.x]); } }`,
});
const toFull = kernel({
  name: 'to-full',
  bind: { x: 'read T', y: 'write f32' },
  params: { n: 'u32' },
  grid: ({ n }) => [Math.ceil(n / 64)],
  wgsl: `
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) i: vec3u) { if (i.x < params.n) { y[i.x] = f32(x[i.x]); } }`,
});

function half(x: Tensor): Tensor {
  const y = empty(x, x.shape, 'f16');
  dispatch(toHalf, { x, y }, { n: x.size });
  return y;
}

function full(x: Tensor): Tensor {
  const y = empty(x, x.shape, 'f32');
  dispatch(toFull, { x, y }, { n: x.size });
  return y;
}

type Case = readonly [name: string, op: (...xs: Tensor[]) => Tensor, ...shapes: Shape[]];
const vectors = (n: number): Shape[] => [[n], [n]];
const norm = (...[x, w, b]: Tensor[]) => layerNorm(x!, w!, b!, 1e-5);
const cases: readonly Case[] = [
  ['softmax of rows', (x) => softmax(x!), [5, 64]],
  ['softmax of ragged rows', (x) => softmax(x!), [131, 37]],
  ['softmax of columns', (x) => softmax(x!, 0), [17, 12]],
  ['layerNorm', norm, [7, 96], ...vectors(96)],
  ['layerNorm of ragged rows', norm, [131, 33], ...vectors(33)],
  ['l2Normalize', (x) => l2Normalize(x!), [5, 33]],
  ['gelu', (x) => gelu(x!), [3, 37]],
  ['add', (a, b) => add(a!, b!), [3, 37], [3, 37]],
  ['add of a row', (a, b) => add(a!, b!), [6, 36], [36]],
  ['add of a ragged row', (a, b) => add(a!, b!), [6, 37], [37]],
  ['sum', (x) => sum(x!, { axes: 1 }), [9, 37]],
  ['sum of columns', (x) => sum(x!, { axes: 0 }), [37, 12]],
  ['transpose', (x) => permute(x!, [1, 0]), [8, 12]],
  ['slice', (x) => slice(x!, 1, 4, 12), [5, 16]],
];

describe('f16', () => {
  const device = useDevice();
  for (const [name, op, ...shapes] of cases) {
    it(name, async ({ skip }) => {
      skip(!device.current.features.has('shader-f16'), 'this device has no f16');
      const random = seeded(name.length);
      // Halves, so that both start from the same numbers.
      const values = () => Math.round(normal(random) * 64) / 64;
      const xs = shapes.map((shape) =>
        tensor(device.current, Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, values), shape),
      );
      const results = (inputs: readonly Tensor[], seed: (y: Tensor) => Tensor) => {
        const y = op(...inputs);
        return [y, ...gradients(y, inputs, seed(y))];
      };
      const dy = (y: Tensor) =>
        tensor(
          device.current,
          Float32Array.from({ length: y.size }, (_, i) => ((i * 7) % 16) / 8 - 1),
          y.shape,
        );
      const want = await readAll(results(xs, dy));
      const got = await readAll(results(xs.map(half), (y) => half(dy(y))).map(full));
      // A half has 11 bits; a gradient rounds what it sums up, and results it reuses.
      want.forEach((one, i) => {
        close(got[i]!, one, i === 0 ? 1.5e-3 : 6e-3, i === 0 ? 'forward' : `gradient of input ${i - 1}`);
      });
    });
  }

  it('is there, or the device says that it is not', async () => {
    const x = half(tensor(device.current, [1, 2]));
    if (device.current.features.has('shader-f16')) expect([...(await readAll([full(x)]))[0]!]).toEqual([1, 2]);
    else await expect(readAll([full(x)])).rejects.toThrow(/has no f16 arithmetic \(shader-f16\); use f32/);
  });
});
