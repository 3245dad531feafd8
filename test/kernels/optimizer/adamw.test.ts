import { describe, expect, it } from 'vitest';
import { accumulateBucket } from '../../../src/kernels/optimizer/accumulate.ts';
import { type AdamWConstants, adamW, adamWHyperparameters } from '../../../src/kernels/optimizer/adamw.ts';
import { BLOCK, blockWord } from '../../../src/kernels/optimizer/clip.ts';
import { tensor, variable } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { run } from '../../../src/tensor/run/step.ts';
import { close, normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const constants: AdamWConstants = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.05 };

/** The step of section 10, in float64. */
function reference(
  { p, m, v }: { p: number; m: number; v: number },
  g: number,
  { t, lr, decays }: { t: number; lr: number; decays: boolean },
): { p: number; m: number; v: number } {
  const { beta1, beta2, eps, weightDecay } = constants;
  const mean = beta1 * m + (1 - beta1) * g;
  const square = beta2 * v + (1 - beta2) * g * g;
  const denominator = Math.sqrt(square) / Math.sqrt(1 - beta2 ** t) + eps;
  const kept = decays ? p * (1 - lr * weightDecay) : p;
  return { p: kept - ((lr / (1 - beta1 ** t)) * mean) / denominator, m: mean, v: square };
}

/** Two parameters: 100 floats that decay, 3 that do not, with padding after each. */
const N = 3 * BLOCK;
const holds = (i: number) => i < 100 || (i >= 2 * BLOCK && i < 2 * BLOCK + 3);

function makeTensors(values: (i: number) => number) {
  const start = Float32Array.from({ length: N }, (_, i) => (holds(i) ? values(i) : 0));
  return {
    parameters: variable(device.current, [N], start),
    m: variable(device.current, [N]),
    v: variable(device.current, [N]),
    blocks: tensor(device.current, new Uint32Array([blockWord(64, true), blockWord(36, true), blockWord(3, false)])),
  };
}

const scalar = (value: number): Tensor => tensor(device.current, value);

describe('adamW', () => {
  it('follows the formula over several steps and leaves padding alone', async () => {
    const random = seeded(4);
    const buffer = makeTensors(() => normal(random));
    const start = await read(buffer.parameters);
    let wanted = Array.from(start, (p) => ({ p, m: 0, v: 0 }));
    for (let t = 1; t <= 5; t++) {
      const lr = 0.01 / t;
      // Padding of gradients holds anything.
      const g = Float32Array.from({ length: N }, (_, i) => (holds(i) ? normal(random) : Number.NaN));
      const hyper = tensor(device.current, adamWHyperparameters(t, lr, 0.9, 0.95));
      const gradients = tensor(device.current, g);
      await run(device.current, () => adamW({ ...buffer, gradients }, hyper, scalar(0.5), constants) as undefined);
      wanted = wanted.map((state, i) =>
        holds(i) ? reference(state, 0.5 * (g[i] as number), { t, lr, decays: i < 100 }) : state,
      );
    }
    const [p, m, v] = (await readAll([buffer.parameters, buffer.m, buffer.v])) as Float32Array[];
    close(
      p!,
      wanted.map((state) => state.p),
      1e-6,
      'p',
    );
    close(
      m!,
      wanted.map((state) => state.m),
      1e-6,
      'm',
    );
    close(
      v!,
      wanted.map((state) => state.v),
      1e-6,
      'v',
    );
  });

  it('moves by the learning rate at first, whatever the size of the gradient', async () => {
    const buffer = makeTensors(() => 0);
    const hyper = tensor(device.current, adamWHyperparameters(1, 0.1, 0.9, 0.95));
    const g = Float32Array.from({ length: N }, (_, i) => (i % 2 ? 1e-5 : -1e9));
    await run(
      device.current,
      () => adamW({ ...buffer, gradients: tensor(device.current, g) }, hyper, scalar(1), constants) as undefined,
    );
    const p = await read(buffer.parameters);
    for (let i = 0; i < 100; i++) expect(p[i]).toBeCloseTo(i % 2 ? -0.1 : 0.1, 3);
  });

  it('changes nothing where the factor says so, but clears', async () => {
    const buffer = makeTensors((i) => i);
    const before = await read(buffer.parameters);
    const gradients = variable(device.current, [N], new Float32Array(N).fill(Number.NaN));
    const hyper = tensor(device.current, adamWHyperparameters(1, 0.1, 0.9, 0.95));
    await run(device.current, () => adamW({ ...buffer, gradients }, hyper, scalar(-1), constants, true) as undefined);
    const [p, m, v, g] = await readAll([buffer.parameters, buffer.m, buffer.v, gradients]);
    expect(p).toEqual(before);
    expect([...(m as Float32Array), ...(v as Float32Array)].every((x) => x === 0)).toBe(true);
    expect([...(g as Float32Array)].every((x, i) => (holds(i) ? x === 0 : Number.isNaN(x)))).toBe(true);
  });

  it('accumulates', async () => {
    const { blocks } = makeTensors(() => 0);
    const sum = variable(device.current, [N]);
    const gradients = tensor(
      device.current,
      Float32Array.from({ length: N }, (_, i) => (holds(i) ? i : Number.NaN)),
    );
    for (const fraction of [0.25, 0.5]) {
      await run(device.current, () => accumulateBucket(sum, gradients, blocks, 0, fraction) as undefined);
    }
    expect([...(await read(sum))]).toEqual(Array.from({ length: N }, (_, i) => (holds(i) ? 0.75 * i : 0)));
  });
});
