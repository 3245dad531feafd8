import { describe, expect, it } from 'vitest';
import { Muon, type MuonOptions } from '../../../src/nn/optimizer/muon.ts';
import { variable } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { close, normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
type Matrix = number[][];

const product = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, x, k) => sum + x * b[k]![j]!, 0)));
const transposed = (a: Matrix): Matrix => a[0]!.map((_, j) => a.map((row) => row[j]!));
const map = (a: Matrix, f: (x: number, i: number, j: number) => number): Matrix =>
  a.map((row, i) => row.map((x, j) => f(x, i, j)));
const matrixOf = (values: ArrayLike<number>, cols: number): Matrix =>
  Array.from({ length: values.length / cols }, (_, i) => Array.from({ length: cols }, (_, j) => values[i * cols + j]!));

/** Newton and Schulz as it is written: on the wide form. */
function orthogonal(x: Matrix): Matrix {
  if (x.length > x[0]!.length) return transposed(orthogonal(transposed(x)));
  const length = Math.max(Math.hypot(...x.flat()), 1e-7);
  let y = map(x, (v) => v / length);
  for (let i = 0; i < 5; i++) {
    const gram = product(y, transposed(y));
    const square = product(gram, gram);
    const inner = map(gram, (g, i, j) => -4.775 * g + 2.0315 * square[i]![j]!);
    const next = product(inner, y);
    y = map(y, (v, i, j) => 3.4445 * v + next[i]![j]!);
  }
  return y;
}

const shapes = [
  [4, 9],
  [11, 3],
  [5, 5],
  [1, 6],
] as const;
const matrices = (random: () => number): [string, Tensor][] =>
  shapes.map(([rows, cols], i) => [
    `w${i}`,
    variable(
      device.current,
      [rows, cols],
      Float32Array.from({ length: rows * cols }, () => normal(random)),
    ),
  ]);
const some = (random: () => number) =>
  shapes.map(([rows, cols]) => Float32Array.from({ length: rows * cols }, () => normal(random)));
const inputs = { a: shapes[0], b: shapes[1], c: shapes[2], d: shapes[3], hyper: [4] } as const;
const training = (optimizer: Muon, check = false) =>
  step(device.current, inputs, ({ a, b, c, d, hyper }) => optimizer.update([a, b, c, d], hyper).norm, { check });

describe('Muon', () => {
  it.each<[string, MuonOptions]>([
    ['with the defaults of PyTorch', {}],
    ['without Nesterov, by the root mean square', { nesterov: false, adjust: 'rms', momentum: 0.8, weightDecay: 0 }],
    ['over several buffers', { bufferBytes: 512 }],
  ])('follows its rule %s', async (_, options) => {
    const random = seeded(3);
    const named = matrices(random);
    const optimizer = new Muon(device.current, named, options);
    using train = await training(optimizer, true);
    const { momentum = 0.95, nesterov = true, adjust = 'spectral', weightDecay = 0.1 } = options;
    const state = (await readAll(named.map(([, t]) => t))).map((values, k) => {
      const p = matrixOf(values as Float32Array, shapes[k]![1]);
      return { p, m: map(p, () => 0) };
    });
    for (let t = 1; t <= 3; t++) {
      const gradients = some(random);
      const [a, b, c, d] = gradients as [Float32Array, Float32Array, Float32Array, Float32Array];
      train({ a, b, c, d, hyper: optimizer.hyperparameters(t, 0.05) });
      state.forEach((one, k) => {
        const [rows, cols] = shapes[k]!;
        const g = matrixOf(gradients[k]!, cols);
        one.m = map(one.m, (m, i, j) => momentum * m + (1 - momentum) * g[i]![j]!);
        const direction = map(one.m, (m, i, j) => (nesterov ? (1 - momentum) * g[i]![j]! + momentum * m : m));
        const x = orthogonal(direction);
        const ratio = adjust === 'rms' ? 0.2 * Math.sqrt(Math.max(rows, cols)) : Math.sqrt(Math.max(1, rows / cols));
        one.p = map(one.p, (p, i, j) => p * (1 - 0.05 * weightDecay) - 0.05 * ratio * x[i]![j]!);
      });
    }
    const got = (await readAll(named.map(([, t]) => t))) as Float32Array[];
    state.forEach(({ p }, k) => void close(got[k]!, p.flat(), 3e-5, named[k]![0]));
    close(await read(optimizer.state().get('m.w1') as Tensor), state[1]!.m.flat(), 1e-6, 'momentum');
  });

  it('changes nothing at a gradient that is not finite, and takes sums of micro-batches', async () => {
    const named = matrices(seeded(4));
    const optimizer = new Muon(device.current, named);
    using micro = await step(device.current, inputs, ({ a, b, c, d }) => {
      optimizer.accumulate([a, b, c, d], 1);
      return {};
    });
    using apply = await step(device.current, { hyper: [4] }, ({ hyper }) => optimizer.apply(hyper).norm);
    const hyper = optimizer.hyperparameters(1, 0.1);
    const [a, b, c, d] = some(seeded(5)) as [Float32Array, Float32Array, Float32Array, Float32Array];
    const all = () => readAll([...named.map(([, t]) => t), ...optimizer.state().values()]);
    const before = await all();
    micro({ a: a.with(0, Number.NaN), b, c, d, hyper });
    expect(Number.isFinite((await read(apply({ hyper })))[0])).toBe(false);
    expect(await all()).toEqual(before);
    micro({ a, b, c, d, hyper });
    expect(Number.isFinite((await read(apply({ hyper })))[0])).toBe(true);
    expect((await all()).every((values) => [...(values as Float32Array)].every(Number.isFinite))).toBe(true);
    expect(await all()).not.toEqual(before);
  });

  it('refuses what is no matrix', () => {
    const named: [string, Tensor][] = [['bias', variable(device.current, [3])]];
    expect(() => new Muon(device.current, named)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Muon: it updates matrices, and 'bias' has 1 axes; give that to another optimizer, such as AdamW]`,
    );
    expect(() => new Muon(device.current, [], { momentum: 1 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Muon: momentum must be at least 0 and below 1; it is 1]`,
    );
  });
});
