import { expect, it, vi } from 'vitest';
import { profileOf } from '../../../src/gpu/profile.ts';
import { mean } from '../../../src/kernels/axis/reduce.ts';
import { add } from '../../../src/kernels/elementwise/binary.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { square } from '../../../src/kernels/elementwise/unary.ts';
import { linear } from '../../../src/kernels/matmul/matmul.ts';
import { layerNorm } from '../../../src/kernels/row-ops/layer-norm.ts';
import { AdamW } from '../../../src/nn/optimizer/adamw.ts';

import { free, variable } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { close, normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

/** Residual blocks of a layer norm and a linear layer each: x + linear(norm(x)). */
function network(rows: number, widths: readonly number[]) {
  const random = seeded(rows);
  const parameter = (...shape: number[]) =>
    variable(
      device.current,
      shape,
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => normal(random)),
    );
  const named: [string, Tensor][] = [];
  const make = (name: string, ...shape: number[]) => {
    const t = parameter(...shape);
    named.push([name, t]);
    return t;
  };
  const halves = widths.map((width, i) => {
    const x = parameter(rows, width);
    const blocks = [0, 1].map((b) => ({
      norm: make(`${i}.${b}.norm`, width),
      shift: make(`${i}.${b}.shift`, width),
      weight: make(`${i}.${b}.weight`, width, width),
    }));
    const first = make(`${i}.first`, width, width);
    return {
      x,
      loss: () =>
        mean(
          square(
            blocks.reduce(
              (y, { norm, shift, weight }) => linear(layerNorm(y, norm, shift, 1e-6), weight, { residual: y }),
              linear(x, first),
            ),
          ),
        ),
    };
  });
  const loss = () => halves.map((half) => half.loss()).reduce((a, b) => add(a, b));
  return { named, loss, xs: halves.map(({ x }) => x) };
}

/** Parameters after two updates, and how many launches of each kernel one takes. `check` runs every op by itself. */
async function trained(rows: number, widths: readonly number[], check: boolean) {
  const { named, loss, xs } = network(rows, widths);
  const optimizer = new AdamW(device.current, named, { maxNorm: 1 });
  using train = await step(
    device.current,
    { hyper: [optimizer.hyperparameterCount] },
    ({ hyper }) => {
      const { norm } = optimizer.update(gradients(loss(), optimizer.parameters), hyper);
      return { norm };
    },
    { check },
  );
  for (const t of [1, 2]) train({ hyper: optimizer.hyperparameters(t, 0.01) });
  const { norm } = train({ hyper: optimizer.hyperparameters(3, 0.01) });
  const values = await readAll([norm, ...named.map(([, t]) => t)]);
  optimizer.dispose();
  for (const t of [...xs, ...named.map(([, t]) => t)]) free(t);
  const launches = (name: string) => train.launches.filter(({ kernel }) => kernel.name === name).length;
  return { values: values as Float32Array[], launches };
}

for (const form of ['this adapter', 'a GPU'] as const) {
  it(`sums of gradients and of layer norms' weights are left to fewer launches, with the same values: ${form}`, async ({
    onTestFinished,
  }) => {
    const gpu = device.current;
    if (form === 'a GPU') {
      vi.spyOn(gpu, 'profile', 'get').mockReturnValue(profileOf(gpu.adapter, false, false));
      onTestFinished(() => void vi.restoreAllMocks());
    }
    // One is enough where kernels take long to compile.
    const widths = form === 'a GPU' ? [8] : [8, 12];
    const fused = await trained(70, widths, false);
    const plain = await trained(70, widths, true);
    fused.values.forEach((value, i) => {
      close(value, Float64Array.from(plain.values[i] as Float32Array), 1e-5, `result ${i}`);
    });
    expect(plain.launches('layer-norm-weights')).toBe(2 * widths.length);
    expect(plain.launches('accumulate')).toBe(2 * widths.length);
    expect(fused.launches('layer-norm-weights of all')).toBe(1);
    expect(fused.launches('layer-norm-weights')).toBe(0);
    expect(fused.launches('accumulate')).toBe(0);
  });
}

it('widths that are no multiple of four have a launch of their own, and a width of its own one alone', async () => {
  const fused = await trained(9, [6, 8], false);
  expect(fused.launches('layer-norm-weights of all')).toBe(2);
  const plain = await trained(9, [6, 8], true);
  fused.values.forEach((value, i) => {
    close(value, Float64Array.from(plain.values[i] as Float32Array), 1e-5, `result ${i}`);
  });
});

it('a gradient that somebody else reads is not left to others', async () => {
  const gpu = device.current;
  const x = variable(
    gpu,
    [3, 8],
    Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)),
  );
  const [weight, bias] = [variable(gpu, [8], new Float32Array(8).fill(2)), variable(gpu, [8])];
  const body = (isRead: boolean) => () => {
    const h = square(x);
    const n = layerNorm(h, weight, bias, 1e-6);
    const [dn] = gradients(mean(square(n)), [n]);
    const through = gradients(n, [h], dn)[0] as Tensor;
    const both = gradients(add(n, h), [h], dn)[0] as Tensor;
    return isRead ? [through, both] : [both];
  };
  using alone = await step(gpu, {}, body(false));
  using read = await step(gpu, {}, body(true));
  const count = (one: { launches: readonly { kernel: { name: string } }[] }) =>
    one.launches.filter(({ kernel }) => kernel.name === 'accumulate').length;
  expect(count(alone)).toBe(0);
  const [both] = await readAll(alone({}));
  const [through, sum] = await readAll(read({}));
  expect([...(both as Float32Array)]).toEqual([...(sum as Float32Array)]);
  expect(through).toHaveLength(24);
  for (const t of [x, weight, bias]) free(t);
});
