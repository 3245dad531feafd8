import { expect, it } from 'vitest';
import { sum } from '../../../src/kernels/axis/reduce.ts';
import { cast } from '../../../src/kernels/elementwise/cast.ts';
import { square } from '../../../src/kernels/elementwise/unary.ts';
import { BatchNorm, trainable } from '../../../src/nn/layers/batch-norm.ts';
import { Dropout, Dropout2d } from '../../../src/nn/layers/dropout.ts';
import { Linear } from '../../../src/nn/layers/linear.ts';
import { MultiHeadAttention } from '../../../src/nn/layers/multi-head-attention.ts';
import { GroupNorm, InstanceNorm, RMSNorm } from '../../../src/nn/layers/norms.ts';
import { Sequential } from '../../../src/nn/layers/sequential.ts';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import { Lion } from '../../../src/nn/optimizer/lion.ts';
import { HalfPrecision } from '../../../src/nn/optimizer/precision.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

it('layers train in half precision where the device has it', async () => {
  const w = newWeights(device.current, 1);
  const attend = new MultiHeadAttention(w.in('attend'), 8, 2);
  const model = new Sequential(
    new Linear(w.in(0), 6, 8),
    new RMSNorm(w.in(1), 8),
    new GroupNorm(w.in(2), 2, 8),
    new InstanceNorm(w.in(3), 8),
    new Dropout2d(0.1, 1),
    new BatchNorm(w.in(5), 8),
    attend,
    new Dropout(0.1, 0),
    new Linear(w.in(8), 8, 1),
  );
  const optimizer = new Lion(device.current, trainable(model));
  if (!device.current.features.has('shader-f16')) {
    expect(() => new HalfPrecision(model, optimizer)).toThrow(/has no f16 arithmetic/);
    return;
  }
  const half = new HalfPrecision(model, optimizer);
  const inputs = { x: [2, 5, 6], hyper: [4], scale: [], key: { shape: [2], dtype: 'u32' } } as const;
  using train = await step(device.current, inputs, ({ x, hyper, scale, key }) => {
    const { loss, gradients } = half.backward(scale, () => {
      const y = model.forwardInTraining(cast(x, 'f16'), key);
      expect(y.dtype).toBe('f16');
      return { loss: sum(square(cast(y, 'f32'))) };
    });
    return { loss, norm: optimizer.update(gradients, hyper).norm };
  });
  const random = seeded(1);
  // Squares of these are beyond the range of f16.
  const x = Float32Array.from({ length: 60 }, () => 300 * normal(random));
  const losses: number[] = [];
  for (let t = 1; t <= 40; t++) {
    const { loss, norm } = train({ x, hyper: optimizer.hyperparameters(t, 0.01, 1 / 8), scale: 8, key: [3, 1] });
    expect(Number.isFinite((await read(norm))[0])).toBe(true);
    losses.push((await read(loss))[0] as number);
  }
  expect(losses.at(-1)).toBeLessThan((losses[0] as number) / 2);
});
