import { expect, it } from 'vitest';
import { accumulateBucket } from '../../../src/kernels/optimizer/accumulate.ts';
import { add } from '../../../src/tensor/graph/fill.ts';
import { free, range, tensor, variable } from '../../../src/tensor/graph/index.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

it('reads results and parts of variables as soon as they have their last value, and leaves all as a call does', async () => {
  const sums = variable(device.current, [256]);
  const blocks = tensor(device.current, Uint32Array.of(64, 64, 64, 64));
  const half = (i: number): Tensor => range(sums, i * 512, [128]);
  const body = ({ x }: { x: Tensor }) => {
    const twice = add(x, x);
    // The second half has its last value first, the first one is written once more.
    accumulateBucket(half(0), x, blocks, 0, 1);
    accumulateBucket(half(1), twice, blocks, 2, 1);
    const four = add(twice, twice);
    accumulateBucket(half(0), four, blocks, 0, 1);
    let late = four;
    for (let i = 0; i < 200; i++) late = add(late, x);
    return { twice, late };
  };
  using both = await step(device.current, { x: [128] }, body, {
    readEarly: ({ twice }) => [half(0), twice, half(1)],
  });
  const x = Float32Array.from({ length: 128 }, (_, i) => i);
  const times = (n: number) => x.map((value) => n * value);
  for (let call = 1; call <= 3; call++) {
    const { results, early } = both.readEarly({ x });
    const ended: string[] = [];
    const say = (name: string) => (values: unknown) => {
      ended.push(name);
      return values;
    };
    const [first, twice, second, late] = await Promise.all([
      ...early.map((values, i) => values.then(say(`early ${i}`))),
      read(results.late).then(say('late')),
    ]);
    expect(first).toEqual(times(5 * call));
    expect(twice).toEqual(times(2));
    expect(second).toEqual(times(2 * call));
    expect(late).toEqual(times(204));
    expect(ended.at(-1)).toBe('late');
    expect(ended.indexOf('early 0')).toBeGreaterThan(ended.indexOf('early 1'));
  }
  const { late } = both({ x });
  expect(await read(late)).toEqual(times(204));
  expect(await read(sums)).toEqual(Float32Array.from({ length: 256 }, (_, i) => (i < 128 ? 20 * i : 8 * (i - 128))));
  free(sums);
});

it('refuses tensors that the step does not write, and steps that were not made for it', async () => {
  const still = variable(device.current, [4]);
  const make = (options: object) =>
    step(device.current, { x: [4] }, ({ x }) => add(x, still), options as { readEarly: () => Tensor[] });
  await expect(make({ name: 'some', readEarly: () => [still] })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[StepError: some: readEarly: tensor 0 is written by no launch of this step; read it with read()]`,
  );
  using plain = await make({});
  expect(() => plain.readEarly({ x: [1, 2, 3, 4] })).toThrowErrorMatchingInlineSnapshot(
    `[StepError: step: made without readEarly]`,
  );
  await expect(make({ check: true, readEarly: (sum: Tensor) => [sum] })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[StepError: step: readEarly goes with neither check nor time]`,
  );
  free(still);
});
