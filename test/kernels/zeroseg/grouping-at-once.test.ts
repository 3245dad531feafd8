import { expect, it, onTestFinished, vi } from 'vitest';
import { cast } from '../../../src/kernels/elementwise/cast.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { randomGumbel } from '../../../src/kernels/elementwise/random.ts';
import { assignNormalise, gumbelSoftmax } from '../../../src/kernels/zeroseg/grouping.ts';
import { fill } from '../../../src/tensor/graph/fill.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { type Shape, size } from '../../../src/tensor/values/shape.ts';
import { close, normal, seeded } from '../../support/check-op.ts';
import { asOnGpu, useDevice } from '../../support/device.ts';

const device = useDevice();

/** Short steps do without. */
const MANY = 24;

function random(shape: Shape, seed: number, dtype: 'f32' | 'f16' = 'f32'): Tensor {
  const next = seeded(seed);
  const values = Float32Array.from({ length: size(shape) }, () => normal(next));
  return cast(tensor(device.current, values, shape), dtype);
}

/** What a body returns in a step of its own, which is short, and in a long one on a GPU, and which kernels choose and weigh there. */
async function onGpu(body: () => readonly Tensor[]) {
  const once = async (fills: number) => {
    const all = () => [...body(), ...Array.from({ length: fills }, (_, i) => fill(device.current, [1], i))];
    using one = await step(device.current, {}, all);
    const values = (await readAll(one({}))) as Float32Array[];
    return { values: values.slice(0, values.length - fills), names: one.launches.map(({ kernel }) => kernel.name) };
  };
  const { values: alone, names } = await once(0);
  expect(names.length).toBeLessThan(MANY);
  asOnGpu(device.current);
  onTestFinished(() => void vi.restoreAllMocks());
  const long = await once(MANY);
  return { alone, values: long.values, names: long.names.filter((name) => /random|choose|assign/.test(name)).sort() };
}

const key = () => tensor(device.current, Uint32Array.of(3, 5));

/** Groups choose by logits `[B, G, N]`, and what becomes of weights that `dy` arrives at. */
function weighted(logits: Tensor, { isHard = true, eps = 1, tau = 1 }, noise?: Tensor): Tensor[] {
  const { soft, hard } = gumbelSoftmax(logits, { axis: 1, tau, ...(noise ? { noise } : {}) });
  const weights = assignNormalise(isHard ? hard : soft, eps);
  const [dx] = gradients(weights, [logits], random(logits.shape, 3, logits.dtype as 'f32'));
  return [soft, hard, weights, dx];
}

it.each<[string, readonly [number, number, number], boolean, Parameters<typeof weighted>[1], string[]]>([
  ['noise of a key', [2, 16, 25], true, {}, []],
  ['noise of a key, soft, an odd number of logits', [3, 5, 7], true, { isHard: false, tau: 0.5 }, []],
  ['more noise than one workgroup makes', [2, 33, 70], true, { eps: 0.25 }, ['random']],
  ['no noise', [3, 5, 64], false, { tau: 2 }, []],
  ['a group for each invocation', [1, 256, 5], false, { isHard: false, eps: 2 }, []],
])('on a GPU members choose and are weighed by one launch each way: %s', async (_, shape, isNoisy, options, others) => {
  const { alone, values, names } = await onGpu(() =>
    weighted(random(shape, 1), options, isNoisy ? randomGumbel(key(), shape, 4) : undefined),
  );
  for (const [i, value] of values.entries())
    close(value, Float64Array.from(alone[i] as Float32Array), 2e-6, `result ${i}`);
  expect(names).toEqual(['choose and weights', 'choose and weights backward', ...others]);
});

it('in f16 too', async ({ skip }) => {
  skip(!device.current.features.has('shader-f16'), 'the adapter has no f16');
  const { alone, values, names } = await onGpu(() => weighted(random([2, 6, 10], 1, 'f16'), {}));
  for (const [i, value] of values.entries())
    close(value, Float64Array.from(alone[i] as Float32Array), 2e-3, `result ${i}`);
  expect(names).toEqual(['choose and weights', 'choose and weights backward']);
});

it('what is no number is shown as by the ops', async () => {
  const logits = Float32Array.of(1, Number.NaN, 0, Infinity, -Infinity, 2, 2, 1, -Infinity, 0, 0, -Infinity);
  const { alone, values, names } = await onGpu(() => weighted(tensor(device.current, logits, [2, 2, 3]), {}));
  expect(names).toEqual(['choose and weights', 'choose and weights backward']);
  expect(values).toEqual(alone);
});

it('where others need what lies between, or there is too much of it, ops stay by themselves', async () => {
  const { alone, values, names } = await onGpu(() => {
    const [logits, other] = [random([2, 4, 6], 1), random([2, 4, 6], 2)];
    const noise = randomGumbel(key(), [2, 4, 6], 1);
    const { soft, hard } = gumbelSoftmax(logits, { axis: 1, noise });
    // What arrives at both is added up before.
    const dx = gradients([assignNormalise(hard), soft], [logits], [other, random([2, 4, 6], 5)]);
    return [noise, ...dx, assignNormalise(gumbelSoftmax(random([1, 8, 2000], 6), { axis: 1 }).hard)];
  });
  for (const [i, value] of values.entries())
    close(value, Float64Array.from(alone[i] as Float32Array), 2e-6, `result ${i}`);
  expect(names).toEqual([
    'assign-normalise',
    'assign-normalise backward',
    'choose',
    'choose and weights',
    'choose backward',
    'random',
  ]);
});
