import { describe, expect, it } from 'vitest';
import { linear } from '../../../src/kernels/matmul/matmul.ts';
import { SGD } from '../../../src/nn/optimizer/sgd.ts';
import { WeightAverage } from '../../../src/nn/optimizer/weight-average.ts';
import { tensor, variable, write } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { run, step } from '../../../src/tensor/run/step.ts';
import { close, normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

function averaged(decay: number) {
  const random = seeded(2);
  const model = {
    weight: variable(
      device.current,
      [3, 4],
      Float32Array.from({ length: 12 }, () => normal(random)),
    ),
    bias: variable(device.current, [3], [1, 2, 3]),
  };
  const optimizer = new SGD(device.current, Object.entries(model), { bufferBytes: 512 });
  return { model, optimizer, average: new WeightAverage(optimizer, { decay }), random };
}
const training = ({ optimizer, average }: ReturnType<typeof averaged>) =>
  step(device.current, { g: [3, 4], h: [3], hyper: [4], rest: [] }, ({ g, h, hyper, rest }) => {
    const update = optimizer.update([g, h], hyper);
    average.update(rest);
    return update;
  });

describe('WeightAverage', () => {
  it('follows the weights', async () => {
    const all = averaged(0.8);
    const { model, optimizer, average, random } = all;
    using train = await training(all);
    let wanted: number[] = [];
    for (let t = 1; t <= 5; t++) {
      const g = Float32Array.from({ length: 12 }, () => normal(random));
      train({ g, h: [1, 1, 1], hyper: optimizer.hyperparameters(t, 0.1), rest: average.rest(t) });
      const weights = [...(await read(model.weight))];
      wanted = t === 1 ? weights : wanted.map((w, i) => 0.8 * w + 0.2 * weights[i]!);
    }
    expect([...average.state().keys()]).toEqual(['weight', 'bias']);
    close(await read(average.state().get('weight') as Tensor), wanted, 1e-6, 'average');
  });

  it('stands in for the weights of a model, which keeps its own', async () => {
    const all = averaged(0.5);
    const { model, optimizer, average } = all;
    using train = await training(all);
    const { weight, bias } = model;
    const forward = (x: Tensor) => linear(x, model.weight, { bias: model.bias });
    using evaluate = await step(device.current, { x: [1, 4] }, ({ x }) => average.within(model, () => forward(x)));
    expect([model.weight, model.bias]).toEqual([weight, bias]);
    for (let t = 1; t <= 3; t++) {
      train({ g: new Float32Array(12), h: [1, 1, 1], hyper: optimizer.hyperparameters(t, 1), rest: average.rest(t) });
    }
    // The bias was 0, −1, −2 above its start of 1 after the first step: averages are 0, −0.5, −1.25.
    close(await read(evaluate({ x: [0, 0, 0, 0] })), [-1.25, -0.25, 0.75], 1e-6, 'with averages');
    expect([...(await read(bias))]).toEqual([-2, -1, 0]);
  });

  it('goes on from a saved state', async () => {
    const [one, other] = [averaged(0.9), averaged(0.9)];
    using train = await training(one);
    using trainOther = await training(other);
    const data = (t: number) => ({
      g: new Float32Array(12).fill(t),
      h: [t, t, t],
      hyper: one.optimizer.hyperparameters(t, 0.1),
      rest: one.average.rest(t),
    });
    train(data(1));
    for (const key of ['weight', 'bias'] as const) {
      write(other.model[key], await read(one.model[key]));
      write(other.average.state().get(key) as Tensor, await read(one.average.state().get(key) as Tensor));
    }
    train(data(2));
    trainOther(data(2));
    for (const key of ['weight', 'bias']) {
      expect(await read(other.average.state().get(key) as Tensor)).toEqual(
        await read(one.average.state().get(key) as Tensor),
      );
    }
  });

  it('says how much an update takes of the weights, and frees its memory', () => {
    const { optimizer } = averaged(0.9);
    const before = device.current.bytes;
    const average = new WeightAverage(optimizer, { decay: 0.9 });
    expect([1, 2, 1000].map((t) => average.rest(t))).toEqual([1, 1 - 0.9, 1 - 0.9]);
    expect([1, 2, 1000].map((t) => average.rest(t, true))).toEqual([1, 1 - 3 / 12, 1 - 0.9]);
    average.dispose();
    expect(device.current.bytes).toBe(before);
    expect(() => average.rest(0)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: WeightAverage: updates are counted 1, 2, …; t is 0]`,
    );
    expect(() => new WeightAverage(optimizer, { decay: 1 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: WeightAverage: decay must be at least 0 and below 1; it is 1]`,
    );
    const model = { p: optimizer.parameters[0] };
    expect(() => average.within(model, async () => 1)).toThrowErrorMatchingInlineSnapshot(
      `[StepError: WeightAverage: within() records what is called in it; give a function that is not async]`,
    );
  });

  it('refuses a rate that is no scalar, and a model that the optimizer does not update', async () => {
    const { average, model } = averaged(0.9);
    for (const [rest, found] of [
      [tensor(device.current, [1, 2]), 'a scalar, as rest(t) gives it; got rest [2]'],
      [tensor(device.current, [], [0]), 'a scalar, as rest(t) gives it; got rest [0]'],
      [0.1, 'a tensor; it is the number 0.1; an input of the step, a scalar that rest(t) fills'],
      [undefined, 'a tensor; it is undefined; an input of the step, a scalar that rest(t) fills'],
    ] as const) {
      await expect(
        run(device.current, () => {
          average.update(rest as never);
          return [];
        }),
      ).rejects.toThrow(`WeightAverage: rest must be ${found}`);
    }
    const other = averaged(0.9).model;
    expect(() => average.within(other, () => 1)).toThrowErrorMatchingInlineSnapshot(
      `[StepError: WeightAverage: within() wants a model that the optimizer updates; it updates none of this one]`,
    );
    // A part of the model will do, and so does what holds more.
    expect(average.within({ weight: model.weight }, () => 1)).toBe(1);
    expect(average.within([model, other], () => 2)).toBe(2);
  });
});
