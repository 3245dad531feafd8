import { describe, expect, it } from 'vitest';
import { mean, sum } from '../../../src/kernels/axis/reduce.ts';
import { add } from '../../../src/kernels/elementwise/binary.ts';
import { cast } from '../../../src/kernels/elementwise/cast.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { broadcastTo } from '../../../src/kernels/layout/layout.ts';
import { linear, matmul } from '../../../src/kernels/matmul/matmul.ts';
import { layerNorm } from '../../../src/kernels/row-ops/layer-norm.ts';
import { unshuffle } from '../../../src/kernels/zeroseg/masking.ts';
import { fill } from '../../../src/tensor/graph/fill.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read } from '../../../src/tensor/run/read.ts';
import type { Shape } from '../../../src/tensor/values/shape.ts';
import { useDevice } from '../../support/device.ts';

// Half floats have 11 bits: 2049 is none of them, and nor is what most sums come to on their way. They are added up in f32, and
// rounded once, at the end.

const device = useDevice();
const half = (x: Tensor) => cast(x, 'f16');
const filled = (shape: Shape, value: number) => fill(device.current, shape, value, 'f16');

/** All elements of what an op gives, as a set. */
async function valuesOf(x: Tensor): Promise<number[]> {
  expect(x.dtype).toBe('f16');
  return [...new Set(await read(cast(x, 'f32')))];
}

const SHAPE = [3, 5, 7, 11];
/** Every set of axes but the empty one. */
const sets = Array.from({ length: 15 }, (_, i) =>
  SHAPE.map((_n, axis) => axis).filter((axis) => ((i + 1) >> axis) & 1),
);

/** The gradient of input `which`, where 1 + 2⁻¹⁰ arrives everywhere: no half float holds three of it. */
function gradient(which: number, inputs: readonly Tensor[], op: (...xs: Tensor[]) => Tensor): Tensor {
  const y = op(...inputs);
  return gradients(y, inputs, filled(y.shape, 1 + 2 ** -10))[which] as Tensor;
}

/** Where 777 of it are added up, and what they come to. */
const N = 777;
const GRADIENTS: Readonly<Record<string, () => Tensor>> = {
  'bias of linear': () =>
    gradient(2, [filled([N, 8], 0), filled([4, 8], 0), filled([4], 0)], (x, w, b) => linear(x!, w!, { bias: b })),
  'weight of linear': () => gradient(1, [filled([N, 8], 1), filled([4, 8], 0)], (x, w) => linear(x!, w!)),
  'beta of layerNorm': () =>
    gradient(2, [filled([N, 8], 1), filled([8], 1), filled([8], 0)], (x, w, b) => layerNorm(x!, w!, b!, 1)),
  'a row that add stretches': () => gradient(1, [filled([N, 6], 1), filled([6], 1)], (a, b) => add(a!, b!)),
  'what is stretched on two sides': () => gradient(0, [filled([1, 5, 1], 1)], (x) => broadcastTo(x!, [37, 5, 21])),
  'an operand that a batch shares': () =>
    gradient(1, [filled([111, 7, 4], 1), filled([1, 4, 4], 1)], (a, b) => matmul(a!, b!)),
  'the token of unshuffle': () =>
    gradient(1, [filled([1, 0, 6], 1), filled([1, 1, 6], 1)], (visible, token) =>
      unshuffle(
        visible!,
        token!,
        tensor(
          device.current,
          Uint32Array.from({ length: N }, (_, i) => i),
          [1, N],
        ),
      ),
    ),
};

describe('f16 sums', () => {
  it.for(sets.map((axes) => ({ axes, names: axes.join(', ') })))(
    'over the axes $names are rounded once',
    async ({ axes }, { skip }) => {
      skip(!device.current.features.has('shader-f16'), 'this device has no f16');
      const value = 1 + 2 ** -10;
      const count = axes.reduce((product, axis) => product * (SHAPE[axis] as number), 1);
      const want = [...(await read(cast(half(tensor(device.current, [value * count, value])), 'f32')))];
      expect(await valuesOf(sum(filled(SHAPE, value), { axes }))).toEqual([want[0]]);
      expect(await valuesOf(mean(filled(SHAPE, value), { axes }))).toEqual([want[1]]);
      // Sums that no half float holds on the way to a mean that one does.
      expect(await valuesOf(mean(filled(SHAPE, 60_000), { axes }))).toEqual([60_000]);
    },
  );

  it.for(Object.entries(GRADIENTS))('%s', async ([, op], { skip }) => {
    skip(!device.current.features.has('shader-f16'), 'this device has no f16');
    const [want] = await read(cast(half(tensor(device.current, [N * (1 + 2 ** -10)])), 'f32'));
    expect(await valuesOf(op())).toEqual([want]);
  });
});
