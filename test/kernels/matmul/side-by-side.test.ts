import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { source } from '../../../src/gpu/kernel.ts';
import { mean, sum } from '../../../src/kernels/axis/reduce.ts';
import { add } from '../../../src/kernels/elementwise/binary.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { square } from '../../../src/kernels/elementwise/unary.ts';
import { linear, matmul } from '../../../src/kernels/matmul/matmul.ts';
import { mlp } from '../../../src/kernels/matmul/mlp.ts';
import { AdamW } from '../../../src/nn/optimizer/adamw.ts';
import { SGD } from '../../../src/nn/optimizer/sgd.ts';
import { free, variable } from '../../../src/tensor/graph/host-tensors.ts';
import type { Launch, Tensor } from '../../../src/tensor/graph/tensor.ts';
import { fusedLaunchesOf } from '../../../src/tensor/run/launches.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { close, normal, seeded } from '../../support/check-op.ts';
import { asOnGpu, useDevice } from '../../support/device.ts';

const device = useDevice();

/** Launches are those of a GPU until the test ends. */
function gpuForm(): void {
  asOnGpu(device.current);
  onTestFinished(() => void vi.restoreAllMocks());
}

/** Variables that are freed with the test, with values of about `deviation`. */
function variables(deviation: number) {
  const random = seeded(7);
  return (...shape: number[]) => {
    const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => deviation * normal(random));
    const t = variable(device.current, shape, values);
    onTestFinished(() => free(t));
    return { t, values, shape };
  };
}

const named = (launches: readonly Launch[], pattern: RegExp) =>
  launches.filter(({ kernel }) => pattern.test(kernel.name));
const isPair = / and matmul/;

/** `a · b` of matrices in float64, either of them turned. */
function times(a: Matrix, b: Matrix): Matrix {
  const cell = (r: number, c: number) => a[0]?.map((_, k) => a[r]![k]! * b[k]![c]!).reduce((x, y) => x + y, 0) ?? 0;
  return a.map((_, r) => (b[0] as number[]).map((_, c) => cell(r, c)));
}
type Matrix = number[][];
const turned = (a: Matrix): Matrix => (a[0] as number[]).map((_, c) => a.map((row) => row[c] as number));
const matrixOf = ({ values, shape }: { values: Float32Array; shape: number[] }): Matrix =>
  Array.from({ length: shape[0] as number }, (_, r) => [...values.subarray(r * shape[1]!, (r + 1) * shape[1]!)]);

describe('on a GPU, products that do not wait for each other run side by side', () => {
  it('a layer’s gradients of its input and of its weight, which are as in float64', async () => {
    gpuForm();
    const make = variables(0.35);
    const x = make(40, 8);
    const layers = Array.from({ length: 10 }, () => make(8, 8));
    const weights = layers.map(({ t }) => t);
    using backward = await step(device.current, {}, () =>
      gradients(sum(square(weights.reduce((y, weight) => linear(y, weight), x.t))), weights),
    );
    // The first layer's input needs no gradient.
    expect(named(backward.launches, isPair)).toHaveLength(9);
    // The gradient of the sum is computed where that of the square is.
    expect(backward.launches).toHaveLength(10 + 1 + 9 + 1);
    const found = await readAll(backward({}));
    const inputs = [matrixOf(x)];
    for (const layer of layers) inputs.push(times(inputs.at(-1) as Matrix, turned(matrixOf(layer))));
    let d = (inputs.at(-1) as Matrix).map((row) => row.map((y) => 2 * y));
    for (let i = 9; i >= 0; i--) {
      const expected = Float64Array.from(times(turned(d), inputs[i] as Matrix).flat());
      close(found[i] as Float32Array, expected, 5e-6, `weight ${i}`);
      d = times(d, matrixOf(layers[i] as (typeof layers)[number]));
    }
  });

  it('MLPs with all that is added, of any size: their WGSL is valid, and binds no more than every device can', async () => {
    gpuForm();
    const make = variables(1);
    for (const [rows, width, hidden] of [
      [600, 16, 24],
      [37, 7, 9],
    ] as const) {
      const x = make(rows, width).t;
      const layers = [0, 1, 2].map(() => ({
        weight: make(width, width).t,
        bias: make(width).t,
        weight1: make(hidden, width).t,
        bias1: make(hidden).t,
        weight2: make(width, hidden).t,
        bias2: make(width).t,
      }));
      const all = layers.flatMap((layer, i) => Object.entries(layer).map(([name, t]) => [`${i}.${name}`, t] as const));
      const optimizer = new AdamW(device.current, all);
      onTestFinished(() => optimizer.dispose());
      const hyper = make(optimizer.hyperparameterCount).t;
      const launches = await fusedLaunchesOf(device.current, () => {
        const y = layers.reduce(
          (y, { weight, bias, ...rest }) => mlp(linear(y, weight, { bias, residual: y }), rest, { residual: y }),
          x,
        );
        return optimizer.update(gradients(mean(square(y)), optimizer.parameters), hyper).norm;
      });
      // Of each MLP both layers; of the linear layers all but the first.
      const pairs = named(launches, isPair);
      expect(pairs).toHaveLength(3 * 2 + 2);
      for (const { kernel, element, tensors } of pairs) {
        expect(tensors.length).toBeLessThanOrEqual(8);
        expect(tensors.every((t) => t.size > 0)).toBe(true);
        const module = device.current.gpu.createShaderModule({ code: source(kernel, element) });
        expect((await module.getCompilationInfo()).messages.map(({ message }) => message)).toEqual([]);
      }
      // Nine weights' parts, whose inner axis is that of the rows, are added up by one launch.
      expect(named(launches, /parts of all$/)).toHaveLength(rows === 600 ? 1 : 0);
      expect(named(launches, /parts$/)).toHaveLength(0);
    }
  });

  it.each([70, 1100])(
    'with biases and %i rows each weight and bias has the gradient that it has by itself',
    async (rows) => {
      gpuForm();
      const make = variables(0.2);
      const x = make(rows, 28).t;
      const layers = Array.from({ length: 9 }, () => ({ weight: make(28, 28), bias: make(28) }));
      const all = layers.flatMap((layer, i) =>
        Object.entries(layer).map(([name, one]) => ({ name: `${i}.${name}`, one })),
      );
      const optimizer = new SGD(
        device.current,
        all.map(({ name, one }) => [name, one.t]),
      );
      onTestFinished(() => optimizer.dispose());
      const loss = () => mean(square(layers.reduce((y, { weight, bias }) => linear(y, weight.t, { bias: bias.t }), x)));
      const byThemselves = await readAll(gradients(loss(), optimizer.parameters));
      using train = await step(device.current, { hyper: [optimizer.hyperparameterCount] }, ({ hyper }) => {
        return optimizer.update(gradients(loss(), optimizer.parameters), hyper).norm;
      });
      // The inner axis of many rows is split, and the parts of all are added up together.
      expect(named(train.launches, /parts of all$/)).toHaveLength(rows === 70 ? 0 : 1);
      expect(named(train.launches, isPair).length).toBeGreaterThan(4);
      train({ hyper: optimizer.hyperparameters(1, 1) });
      const after = await readAll(all.map(({ one }) => one.t));
      for (const [k, { name, one }] of all.entries()) {
        const moved = one.values.map((before, i) => before - (after[k]?.[i] as number));
        close(moved, Float64Array.from(byThemselves[k] as Float32Array), 1e-4, name);
      }
    },
  );

  it('unless there are few launches, or each needs the one before', async () => {
    gpuForm();
    const make = variables(1);
    const [x, weight] = [make(8, 8).t, make(8, 8).t];
    const fused = (body: () => Tensor[]) => fusedLaunchesOf(device.current, body);
    const repeated = (next: (t: Tensor) => Tensor): Tensor[] => {
      const all = [x];
      for (let i = 0; i < 24; i++) all.push(next(all.at(-1) as Tensor));
      return all;
    };
    expect(named(await fused(() => [matmul(x, weight), matmul(weight, x)]), isPair)).toHaveLength(0);
    expect(named(await fused(() => repeated((t) => matmul(t, weight))), isPair)).toHaveLength(0);
    const free = await fused(() => repeated((t) => add(t, t)).map((t) => matmul(t, weight)));
    expect(named(free, isPair)).toHaveLength(12);
  });

  it('unless both keep a GPU busy by themselves', async () => {
    gpuForm();
    const large = variables(0)(3072, 4).t;
    const launches = await fusedLaunchesOf(device.current, () =>
      Array.from({ length: 24 }, () => matmul(large, large, { transposeB: true })),
    );
    expect(launches).toHaveLength(24);
  });
});
