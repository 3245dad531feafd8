import { expect, it, onTestFinished } from 'vitest';
import { mean } from '../../../src/kernels/axis/reduce.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { square, tanh } from '../../../src/kernels/elementwise/unary.ts';
import { matmul } from '../../../src/kernels/matmul/matmul.ts';
import { SGD } from '../../../src/nn/optimizer/sgd.ts';
import { free, variable } from '../../../src/tensor/graph/host-tensors.ts';
import { scan } from '../../../src/tensor/graph/scan.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

it('layers that are one parameter, scanned, keep the gradient of each until the optimizer reads it', async () => {
  const random = seeded(3);
  const make = (shape: readonly number[], deviation: number) => {
    const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => deviation * normal(random));
    const t = variable(device.current, shape, values);
    onTestFinished(() => free(t));
    return { t, values };
  };
  // Large enough for the buffer of gradients to share its memory with what is needed before (a MiB).
  const [x, first, layers] = [make([64, 256], 1), make([256, 256], 0.06), make([5, 256, 256], 0.06)];
  const loss = () => {
    const [last] = scan((h, w) => [tanh(matmul(h, w)), undefined], matmul(x.t, first.t), layers.t);
    return mean(square(last));
  };
  const optimizer = new SGD(device.current, [
    ['layers', layers.t],
    ['first', first.t],
  ]);
  onTestFinished(() => optimizer.dispose());
  const byThemselves = (await readAll(gradients(loss(), optimizer.parameters))) as Float32Array[];
  using train = await step(device.current, { hyper: [optimizer.hyperparameterCount] }, ({ hyper }) => {
    return optimizer.update(gradients(loss(), optimizer.parameters), hyper).norm;
  });
  const rate = 1000;
  train({ hyper: optimizer.hyperparameters(1, rate) });
  const after = (await readAll([layers.t, first.t])) as Float32Array[];
  for (const [k, { values }] of [layers, first].entries()) {
    let [off, largest] = [0, 0];
    values.forEach((before, i) => {
      const wanted = byThemselves[k]?.[i] as number;
      off = Math.max(off, Math.abs((before - (after[k]?.[i] as number)) / rate - wanted));
      largest = Math.max(largest, Math.abs(wanted));
    });
    expect(off / largest, ['layers', 'first'][k]).toBeLessThan(1e-3);
  }
});
