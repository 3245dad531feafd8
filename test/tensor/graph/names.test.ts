import { expect, it } from 'vitest';
import { scale } from '../../../src/kernels/elementwise/unary.ts';
import { parameter, parameters } from '../../../src/nn/layers/module.ts';
import { free } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { run, step } from '../../../src/tensor/run/step.ts';
import { useDevice } from '../../support/device.ts';
import { objectNames } from '../../support/hostile.ts';

const device = useDevice();
const own = <T>(name: string, value: T): Readonly<Record<string, T>> => Object.fromEntries([[name, value]]);

it('inputs, results and parameters may be called what every object has', async () => {
  const gpu = device.current;
  for (const name of objectNames) {
    const twice = await step(gpu, own(name, [2]), (inputs) => own(name, scale(inputs[name] as Tensor, 2)));
    const results = twice(own(name, Float32Array.of(1, 2)));
    expect(Object.keys(results)).toEqual([name]);
    expect([...(await read(results[name] as Tensor))]).toEqual([2, 4]);
    expect(() => twice({} as never)).toThrow(`input '${name}' is missing`);
    twice.dispose();
    const plain = await step(gpu, { x: [2] }, ({ x }) => scale(x, 2));
    expect(() => plain({ x: [1, 2], ...own(name, [1, 2]) } as never)).toThrow(
      `inputs come by name: { x }; there is no '${name}'`,
    );
    plain.dispose();
    const weight = parameter(gpu, [1], Float32Array.of(1));
    expect(Object.keys(await run(gpu, () => own(name, scale(weight, 1))))).toEqual([name]);
    class Holder {}
    const holder = Object.defineProperty(new Holder(), name, { value: weight, enumerable: true, writable: true });
    expect([...parameters(holder)]).toEqual([[name, weight]]);
    free(weight);
  }
});
