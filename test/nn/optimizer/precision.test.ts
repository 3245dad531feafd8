import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../../src/gpu/errors.ts';
import { mean } from '../../../src/kernels/axis/reduce.ts';
import { sub } from '../../../src/kernels/elementwise/binary.ts';
import { cast } from '../../../src/kernels/elementwise/cast.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { square } from '../../../src/kernels/elementwise/unary.ts';
import { Block } from '../../../src/nn/layers/block.ts';
import { xavierUniform } from '../../../src/nn/layers/init.ts';
import { parameters, replaceParameters } from '../../../src/nn/layers/module.ts';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import { AdamW } from '../../../src/nn/optimizer/adamw.ts';
import { HalfPrecision, LossScale } from '../../../src/nn/optimizer/precision.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const hasF16 = () => device.current.features.has('shader-f16');
const [B, N, D] = [2, 7, 32];

function transformer() {
  const init = xavierUniform;
  const model = new Block(newWeights(device.current, 3), { dim: D, heads: 4, hidden: 48, eps: 1e-6, init });
  const random = seeded(5);
  const draw = () => Float32Array.from({ length: B * N * D }, () => normal(random));
  return { model, x: draw(), y: draw() };
}

const distance = (a: Tensor, b: Tensor) => mean(square(sub(cast(a, 'f32'), b)));

describe('HalfPrecision', () => {
  it('refuses a device without f16', ({ skip }) => {
    skip(hasF16(), 'this device has f16');
    const { model } = transformer();
    const optimizer = new AdamW(device.current, parameters(model));
    expect(() => new HalfPrecision(model, optimizer)).toThrow(/has no f16 arithmetic \(shader-f16\); train in f32$/);
  });

  it('gives the gradients of f32, to the precision of f16, and the parameters back', async ({ skip }) => {
    skip(!hasF16(), 'this device has no f16');
    const { model, x, y } = transformer();
    const optimizer = new AdamW(device.current, parameters(model));
    const half = new HalfPrecision(model, optimizer);
    const [xs, ys] = [tensor(device.current, x, [B, N, D]), tensor(device.current, y, [B, N, D])];
    const before = [...parameters(model).values()];

    const plain = distance(model.forward(xs), ys);
    const wanted = (await readAll([plain, ...gradients(plain, optimizer.parameters)])) as Float32Array[];
    using made = await step(
      device.current,
      { scale: [] },
      ({ scale }) => {
        const input = cast(xs, 'f16');
        const { loss, gradients } = half.backward(scale, () => ({ loss: distance(model.forward(input), ys) }));
        expect(gradients.every((g) => g.dtype === 'f16')).toBe(true);
        return [loss, ...gradients.map((g) => cast(g, 'f32'))];
      },
      { check: true },
    );
    expect([...parameters(model).values()]).toEqual(before);
    const got = (await readAll(made({ scale: 1024 }) as Tensor[])) as Float32Array[];
    expect(Math.abs((got[0]?.[0] as number) / (wanted[0]?.[0] as number) - 1)).toBeLessThan(1e-3);
    [...parameters(model).keys()].forEach((name, i) => {
      const [a, b] = [got[i + 1] as Float32Array, wanted[i + 1] as Float32Array];
      // The gradient of the keys' bias is zero but for rounding: it is part of a larger tensor here.
      const top = b.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
      const worst = a.reduce((m, v, k) => Math.max(m, Math.abs(v / 1024 - (b[k] as number))), 0);
      expect(worst / top, name).toBeLessThan(6e-3);
    });
  });

  it('survives overflow: the update is skipped, the scale falls until it fits, then the model learns', async ({
    skip,
  }) => {
    skip(!hasF16(), 'this device has no f16');
    const { model, x, y } = transformer();
    const optimizer = new AdamW(device.current, parameters(model), { weightDecay: 0 });
    const half = new HalfPrecision(model, optimizer);
    const scale = new LossScale({ initial: 2 ** 30, interval: 20 });
    using train = await step(
      device.current,
      { x: [B, N, D], y: [B, N, D], hyper: [optimizer.hyperparameterCount], scale: [] },
      ({ x, y, hyper, scale }) => {
        const { loss, gradients } = half.backward(scale, () => ({ loss: distance(model.forward(cast(x, 'f16')), y) }));
        return { loss, norm: optimizer.update(gradients, hyper).norm };
      },
    );
    const all = [...parameters(model).values()];
    const start = await readAll(all);
    const losses: number[] = [];
    const scales: number[] = [];
    for (let i = 0; i < 80; i++) {
      const hyper = optimizer.hyperparameters(scale.updates + 1, 0.01, 1 / scale.value);
      const { loss, norm } = train({ x, y, hyper, scale: scale.value });
      const made = scale.adjust((await read(norm))[0]);
      if (!made && i < 3) expect(await readAll(all)).toEqual(start);
      losses.push((await read(loss))[0] as number);
      scales.push(scale.value);
    }
    expect(scales.slice(0, 3)).toEqual([2 ** 29, 2 ** 28, 2 ** 27]);
    expect(scale.updates).toBeGreaterThan(50);
    expect(scale.updates).toBeLessThan(78);
    expect(losses[1]).toBe(losses[0]);
    expect(losses.at(-1)).toBeLessThan((losses[0] as number) / 4);
  });

  it('refuses a model that does not hold the parameters of the optimizer', ({ skip }) => {
    skip(!hasF16(), 'this device has no f16');
    const { model } = transformer();
    const optimizer = new AdamW(device.current, parameters(model));
    expect(() => new HalfPrecision({ model: model.attn }, optimizer)).toThrow(
      /^f16: \d+ of the optimizer's parameters are not in the model, the first is \[/,
    );
    expect(() => new HalfPrecision(new Map([['model', [model]]]), optimizer)).not.toThrow();
  });

  it('gives parameters back when the body fails', ({ skip }) => {
    skip(!hasF16(), 'this device has no f16');
    const { model } = transformer();
    const optimizer = new AdamW(device.current, parameters(model));
    const before = [...parameters(model).values()];
    const half = new HalfPrecision(model, optimizer);
    expect(() =>
      half.backward(tensor(device.current, 1), () => {
        throw new Error('no');
      }),
    ).toThrow('no');
    expect([...parameters(model).values()]).toEqual(before);
  });
});

describe('replaceParameters', () => {
  it('reaches every field, until it is undone', () => {
    const { model } = transformer();
    const named = parameters(model);
    const others = new Map(
      [...named.values()].map((t) => [t, tensor(device.current, new Float32Array(t.size), t.shape)]),
    );
    const undo = replaceParameters(model, others);
    expect(parameters(model).size).toBe(0);
    expect(model.mlp.fc1.weight).toBe(others.get(named.get('mlp.fc1.weight') as Tensor));
    undo();
    expect(parameters(model)).toEqual(named);
  });
});

describe('LossScale', () => {
  it('halves at overflow, doubles after good updates, and counts those that were made', () => {
    const scale = new LossScale({ initial: 8, interval: 2 });
    expect([1, 1, Number.NaN, 1, 1, Number.POSITIVE_INFINITY, undefined].map((norm) => scale.adjust(norm))).toEqual([
      true,
      true,
      false,
      true,
      true,
      false,
      false,
    ]);
    expect(scale.state()).toEqual({ value: 4, good: 0, updates: 4 });
    scale.adjust(1);
    const other = new LossScale({ interval: 2 });
    other.restore(scale.state());
    other.adjust(1);
    expect(other.state()).toEqual({ value: 8, good: 0, updates: 6 });
    for (const initial of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 33, 2 ** -33]) {
      expect(() => new LossScale({ initial })).toThrow(
        `LossScale: initial is ${initial}; it must be between 2^-32 and 2^32`,
      );
    }
    expect(() => new LossScale({ interval: 0 })).toThrow(ArgumentError);
  });

  it('never becomes 0, however many updates overflow, and finds its way back', () => {
    const scale = new LossScale({ interval: 1 });
    for (let i = 0; i < 1200; i++) scale.adjust(Number.POSITIVE_INFINITY);
    expect([scale.value, Number.isFinite(1 / scale.value), scale.updates]).toEqual([2 ** -32, true, 0]);
    for (let i = 0; i < 1200; i++) scale.adjust(1);
    expect([scale.value, scale.updates]).toEqual([2 ** 32, 1200]);
  });

  it('goes on from a state only', () => {
    const scale = new LossScale();
    const state = scale.state();
    for (const [name, wrong] of [
      ['value', [0, -1, Number.NaN, Number.POSITIVE_INFINITY, undefined]],
      ['good', [-1, 0.5, Number.NaN, undefined]],
      ['updates', [-1, 0.5, Number.NaN, undefined]],
    ] as const) {
      for (const value of wrong) {
        expect(() => scale.restore({ ...state, [name]: value })).toThrow(
          new RegExp(`^LossScale: ${name} is ${value};`),
        );
        expect(scale.state()).toEqual(state);
      }
    }
  });
});
