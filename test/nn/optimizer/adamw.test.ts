import { describe, expect, it } from 'vitest';
import { mean, sum } from '../../../src/kernels/axis/reduce.ts';
import { sub } from '../../../src/kernels/elementwise/binary.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { square } from '../../../src/kernels/elementwise/unary.ts';
import { linear } from '../../../src/kernels/matmul/matmul.ts';
import { AdamW, type AdamWOptions } from '../../../src/nn/optimizer/adamw.ts';
import { variable, write } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { close, normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

/** Two layers, and a loss that they can bring to 0. */
function network(options: AdamWOptions = {}, hidden = 6) {
  const random = seeded(9);
  const parameter = (shape: readonly number[]) =>
    variable(
      device.current,
      shape,
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => normal(random)),
    );
  const named: [string, Tensor][] = [
    ['fc1.weight', parameter([hidden, 3])],
    ['fc1.bias', parameter([hidden])],
    ['fc2.weight', parameter([2, hidden])],
  ];
  const [w, b, v] = named.map(([, t]) => t) as [Tensor, Tensor, Tensor];
  const loss = (x: Tensor, y: Tensor) => mean(square(sub(linear(linear(x, w, { bias: b, activation: 'gelu' }), v), y)));
  const optimizer = new AdamW(device.current, named, options);
  const batch = () => ({
    x: Float32Array.from({ length: 12 }, () => normal(random)),
    y: Float32Array.from({ length: 8 }, () => normal(random)),
  });
  return { named, loss, optimizer, batch };
}

const inputs = { x: [4, 3], y: [4, 2], hyper: [4] } as const;

async function training({ loss, optimizer }: ReturnType<typeof network>, check = false) {
  return step(
    device.current,
    inputs,
    ({ x, y, hyper }) => {
      const l = loss(x, y);
      return { loss: l, norm: optimizer.update(gradients(l, optimizer.parameters), hyper).norm };
    },
    { check },
  );
}

const values = (named: readonly [string, Tensor][]) => readAll(named.map(([, t]) => t)) as Promise<Float32Array[]>;

describe('AdamW', () => {
  it('learns', async () => {
    const net = network({ weightDecay: 0 });
    using train = await training(net);
    const batch = net.batch();
    const [before = 0] = await read(train({ ...batch, hyper: net.optimizer.hyperparameters(1, 0.03) }).loss);
    for (let t = 2; t < 200; t++) train({ ...batch, hyper: net.optimizer.hyperparameters(t, 0.03) });
    const [after = 0] = await read(train({ ...batch, hyper: net.optimizer.hyperparameters(200, 0.03) }).loss);
    expect(after).toBeLessThan(before / 100);
  });

  it('follows the formula with clipping, decay and several buffers', async () => {
    const [beta1, beta2, lr, maxNorm, weightDecay] = [0.8, 0.9, 0.02, 0.5, 0.1];
    const net = network({ beta1, beta2, maxNorm, weightDecay, bufferBytes: 256 });
    const { named, loss, optimizer, batch } = net;
    using train = await training(net, true);
    using slopes = await step(device.current, { x: [4, 3], y: [4, 2] }, ({ x, y }) =>
      gradients(loss(x, y), optimizer.parameters),
    );
    const state = (await values(named)).map((p) => ({
      p: Array.from(p),
      m: Array.from(p, () => 0),
      v: Array.from(p, () => 0),
    }));
    for (let t = 1; t <= 4; t++) {
      const data = batch();
      const grads = (await readAll(slopes(data))) as Float32Array[];
      const { norm } = train({ ...data, hyper: optimizer.hyperparameters(t, lr) });
      const length = Math.sqrt(grads.flatMap((g) => [...g]).reduce((a, g) => a + g * g, 0));
      expect((await read(norm))[0]).toBeCloseTo(length, 4);
      const factor = Math.min(1, maxNorm / (length + 1e-6));
      state.forEach(({ p, m, v }, k) => {
        const decay = named[k]![1].shape.length > 1 ? 1 - lr * weightDecay : 1;
        p.forEach((_, i) => {
          const g = (grads[k]![i] as number) * factor;
          m[i] = beta1 * m[i]! + (1 - beta1) * g;
          v[i] = beta2 * v[i]! + (1 - beta2) * g * g;
          const denominator = Math.sqrt(v[i]!) / Math.sqrt(1 - beta2 ** t) + 1e-8;
          p[i] = p[i]! * decay - ((lr / (1 - beta1 ** t)) * m[i]!) / denominator;
        });
      });
      const got = await values(named);
      state.forEach(({ p }, k) => {
        close(got[k]!, p, 2e-5, `step ${t}: ${named[k]![0]}`);
      });
    }
    const kept = optimizer.state();
    expect([...kept.keys()]).toEqual([
      'm.fc1.weight',
      'm.fc1.bias',
      'm.fc2.weight',
      'v.fc1.weight',
      'v.fc1.bias',
      'v.fc2.weight',
    ]);
    close(await read(kept.get('m.fc1.bias') as Tensor), state[1]!.m, 1e-5, 'm');
    close(await read(kept.get('v.fc2.weight') as Tensor), state[2]!.v, 1e-5, 'v');
  });

  it('takes a launch or two a buffer, however many parameters', async () => {
    const named = Array.from({ length: 200 }, (_, i): [string, Tensor] => [
      `w${i}`,
      variable(device.current, [5], new Float32Array(5).fill(i)),
    ]);
    const optimizer = new AdamW(device.current, named);
    using train = await step(device.current, { hyper: [4] }, ({ hyper }) => {
      const loss = named.map(([, w]) => sum(square(w))).reduce((a, b) => sub(a, b));
      return optimizer.update(gradients(loss, optimizer.parameters), hyper).norm;
    });
    const labels = train.launches.map((launch) => launch.label).filter((text) => text.startsWith('optimizer'));
    expect(labels).toEqual(['optimizer / squared-norm', 'optimizer / clip', 'optimizer / adamw']);
  });

  it('accumulates micro-batches to the same step', async () => {
    const [whole, parts] = [network({ maxNorm: 1 }), network({ maxNorm: 1 })];
    using train = await training(whole);
    using micro = await step(device.current, { x: [2, 3], y: [2, 2] }, ({ x, y }) => {
      const l = parts.loss(x, y);
      parts.optimizer.accumulate(gradients(l, parts.optimizer.parameters), 0.5);
      return l;
    });
    using apply = await step(device.current, { hyper: [4] }, ({ hyper }) => parts.optimizer.apply(hyper));
    for (let t = 1; t <= 3; t++) {
      const { x, y } = whole.batch();
      const hyper = whole.optimizer.hyperparameters(t, 0.05);
      const { norm } = train({ x, y, hyper });
      micro({ x: x.slice(0, 6), y: y.slice(0, 4) });
      micro({ x: x.slice(6), y: y.slice(4) });
      const got = apply({ hyper });
      close(await read(got.norm), await read(norm), 1e-5, `norm ${t}`);
      const [want, have] = [await values(whole.named), await values(parts.named)];
      want.forEach((p, k) => {
        close(have[k]!, p, 1e-4, `parameter ${k} after step ${t}`);
      });
    }
  });

  it('changes nothing at a gradient that is not finite, and goes on after it', async () => {
    const net = network();
    using train = await training(net);
    const good = net.batch();
    train({ ...good, hyper: net.optimizer.hyperparameters(1, 0.01) });
    const before = await values(net.named);
    const state = await readAll([...net.optimizer.state().values()]);
    const { norm } = train({
      x: good.x.map(() => Number.NaN),
      y: good.y,
      hyper: net.optimizer.hyperparameters(2, 0.01),
    });
    expect(Number.isFinite((await read(norm))[0])).toBe(false);
    expect(await values(net.named)).toEqual(before);
    expect(await readAll([...net.optimizer.state().values()])).toEqual(state);
    train({ ...good, hyper: net.optimizer.hyperparameters(2, 0.01) });
    expect(await values(net.named)).not.toEqual(before);
  });

  it('continues from a saved state to the bit', async () => {
    const [first, second] = [network(), network()];
    using trainFirst = await training(first);
    using trainSecond = await training(second);
    const batches = [first.batch(), first.batch(), first.batch()];
    trainFirst({ ...batches[0]!, hyper: first.optimizer.hyperparameters(1, 0.01) });
    trainFirst({ ...batches[1]!, hyper: first.optimizer.hyperparameters(2, 0.01) });
    for (const [name, t] of second.optimizer.state()) write(t, await read(first.optimizer.state().get(name) as Tensor));
    for (const [i, [, t]] of second.named.entries()) write(t, await read(first.named[i]![1]));
    trainFirst({ ...batches[2]!, hyper: first.optimizer.hyperparameters(3, 0.01) });
    trainSecond({ ...batches[2]!, hyper: second.optimizer.hyperparameters(3, 0.01) });
    expect(await values(second.named)).toEqual(await values(first.named));
  });

  it('replays without making buffers, and frees what it made', async () => {
    const start = device.current.bytes;
    const net = network();
    const train = await training(net);
    train({ ...net.batch(), hyper: net.optimizer.hyperparameters(1, 0.01) });
    await values(net.named);
    const made = device.current.buffersMade;
    for (let t = 2; t <= 20; t++) train({ ...net.batch(), hyper: net.optimizer.hyperparameters(t, 0.01) });
    expect(device.current.buffersMade).toBe(made);
    expect(net.optimizer.bytes).toBe(3 * 4 * (128 + 128 + 128) + 6 * 4);
    train.dispose();
    net.optimizer.dispose();
    // Parameters stay, and can be used.
    expect((await values(net.named)).flatMap((p) => [...p]).every(Number.isFinite)).toBe(true);
    expect(device.current.bytes - start).toBeLessThan(64 * 1024);
  });

  it('refuses a limit of nothing', () => {
    const named: [string, Tensor][] = [['w', variable(device.current, [1])]];
    expect(() => new AdamW(device.current, named, { maxNorm: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: AdamW: maxNorm must be above 0; it is 0]`,
    );
  });
});
