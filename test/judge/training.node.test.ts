import { describe, expect, it } from 'vitest';
import type { Device } from '../../src/gpu/device.ts';
import { sum } from '../../src/kernels/axis/reduce.ts';
import { add, mul } from '../../src/kernels/elementwise/binary.ts';
import { gradients } from '../../src/kernels/elementwise/gradients.ts';
import * as nn from '../../src/nn/index.ts';
import type { Tensor } from '../../src/tensor/graph/tensor.ts';
import { read, readAll } from '../../src/tensor/run/read.ts';
import { step } from '../../src/tensor/run/step.ts';
import { useDevice } from '../support/device.ts';
import { argument, hostTensor, tensorsOf } from './calls.ts';
import { type Case, casesOf, difference, numberOf, type Value, type Values } from './cases.ts';

// Layers with the weights of torch.nn, ten steps of torch.optim, and torch's schedulers; see README.md.

interface Judged<C> {
  readonly tolerance: { readonly value: number; readonly gradient: number };
  readonly cases: readonly C[];
}

interface LayerCase extends Case {
  /** Arguments of the constructor, behind the weights. */
  readonly construct: readonly unknown[];
  readonly weights: Readonly<Record<string, Values>>;
  readonly method: string;
  /** What the gradients are multiplied by, and the gradients of the sum of that. */
  readonly along?: readonly (readonly Value[])[];
  readonly seconds?: readonly (readonly Value[])[];
  /** Weights that the call moves. */
  readonly after: Readonly<Record<string, readonly Value[]>>;
}

interface OptimizerCase {
  readonly options: Readonly<Record<string, number | boolean>>;
  readonly shapes: readonly (readonly number[])[];
  readonly start: readonly (readonly Value[])[];
  readonly rates: readonly number[];
  /** Of each step, of each parameter; and the parameters after it. */
  readonly gradients: readonly (readonly (readonly Value[])[])[];
  readonly after: readonly (readonly (readonly Value[])[])[];
}

interface RateCase {
  readonly args: readonly unknown[];
  readonly rates: readonly number[];
}

type Layer = Readonly<Record<string, (...args: unknown[]) => Tensor>>;
const classes = nn as unknown as Readonly<Record<string, new (...args: unknown[]) => Layer>>;
const optimizers = nn as unknown as Readonly<
  Record<string, new (device: Device, parameters: Map<string, Tensor>, options: object) => nn.Optimizer>
>;
const schedules = nn as unknown as Readonly<Record<string, (...args: unknown[]) => nn.Rate>>;

const all = Object.entries(casesOf<Judged<LayerCase | OptimizerCase | RateCase>>('training'));
/** The entries whose cases have a field. */
function with_<C>(field: keyof C): [string, Judged<C>][] {
  return all.filter(([, { cases }]) => field in (cases[0] as object)) as unknown as [string, Judged<C>][];
}

const device = useDevice();

describe('layers judged by torch.nn', () => {
  for (const [name, { tolerance, cases }] of with_<LayerCase>('construct')) {
    it(`${name}: ${cases.length} cases`, async () => {
      for (const one of cases) await checkLayer(name, one, tolerance);
    });
  }
});

async function checkLayer(name: string, one: LayerCase, tolerance: { value: number; gradient: number }): Promise<void> {
  const inputs = one.inputs.map((x) => hostTensor(device.current, x));
  const weights = nn.weightsFrom(device.current, (full) =>
    Float32Array.from((one.weights[full] as Values).data, numberOf),
  );
  const construct = one.construct.map((arg) => argument(arg, inputs, device.current));
  const layer = new (classes[name] as (typeof classes)[string])(weights, ...construct);
  const named = nn.parameters(layer as nn.Module);
  expect([...named.keys()].toSorted()).toEqual(Object.keys(one.weights).toSorted());
  using run = await step(device.current, {}, () => {
    const args = one.args.map((arg) => argument(arg, inputs, device.current));
    const [y] = tensorsOf((layer[one.method] as Layer[string])(...args)) as [Tensor];
    const trained = Object.keys(one.weights).filter((weight) => !weight.startsWith('running'));
    const wrt = [
      ...inputs.filter(({ dtype }) => dtype !== 'u32'),
      ...trained.map((weight) => named.get(weight) as Tensor),
    ];
    const dy = hostTensor(device.current, { shape: y.shape, data: one.dys?.[0] ?? [] });
    const first = gradients(y, wrt, dy);
    const weighted = (one.along ?? []).map((data, i) => {
      const dx = first[i] as Tensor;
      return sum(mul(dx, hostTensor(device.current, { shape: dx.shape, data })));
    });
    const second = weighted.length > 0 ? gradients(weighted.reduce(add), wrt) : [];
    const listed = (what: string, all: readonly Tensor[]) => all.map((dx, i) => [`${what} ${i}`, dx] as const);
    return { y, ...Object.fromEntries([...listed('gradient', first), ...listed('second gradient', second)]) };
  });
  const made = run({}) as Record<string, Tensor>;
  const moved = Object.keys(one.after).map((weight) => named.get(weight) as Tensor);
  const values = await readAll([...Object.values(made), ...moved]);
  expect(made['y']?.shape).toEqual(one.results?.[0]?.shape);
  const wanted = [
    one.results?.[0]?.data ?? [],
    ...(one.gradients ?? []),
    ...(one.seconds ?? []),
    ...Object.values(one.after),
  ];
  expect(values.length).toBe(wanted.length);
  const names = [...Object.keys(made), ...Object.keys(one.after)];
  wanted.forEach((want, i) => {
    const result = names[i] as string;
    const allowed = result.startsWith('second')
      ? 4 * tolerance.gradient
      : tolerance[result.startsWith('gradient') ? 'gradient' : 'value'];
    const fault = difference(values[i] as Float32Array, want, allowed, false);
    expect(fault, `${name}(${JSON.stringify(one.construct)}).${one.method}: ${names[i]}`).toBeUndefined();
  });
}

describe('optimizers judged by torch.optim', () => {
  for (const [name, { tolerance, cases }] of with_<OptimizerCase>('options')) {
    it(`${name}: ${cases.length} cases`, async () => {
      for (const one of cases) await checkOptimizer(name, one, tolerance.value);
    });
  }
});

async function checkOptimizer(name: string, one: OptimizerCase, tolerance: number): Promise<void> {
  const parameters = one.start.map((data, i) =>
    nn.parameter(device.current, one.shapes[i] as number[], Float32Array.from(data, numberOf)),
  );
  const named = new Map(parameters.map((p, i) => [`p${i}`, p]));
  // In torch all parameters decay.
  const optimizer = new (optimizers[name] as (typeof optimizers)[string])(device.current, named, {
    ...one.options,
    decays: () => true,
  });
  const shapes = Object.fromEntries(one.shapes.map((shape, i) => [`g${i}`, shape]));
  using train = await step(device.current, { ...shapes, hyper: [optimizer.hyperparameterCount] }, (given) => {
    const { hyper, ...rest } = given as Record<string, Tensor>;
    return optimizer.update(
      one.shapes.map((_, i) => rest[`g${i}`] as Tensor),
      hyper as Tensor,
    ).norm;
  });
  for (const [t, rate] of one.rates.entries()) {
    const dys = one.gradients[t] as OptimizerCase['start'];
    const values = Object.fromEntries(dys.map((data, i) => [`g${i}`, Float32Array.from(data, numberOf)]));
    train({ ...values, hyper: optimizer.hyperparameters(t + 1, rate) } as never);
    for (const [i, p] of optimizer.parameters.entries()) {
      const fault = difference(await read(p), one.after[t]?.[i] ?? [], tolerance, false);
      expect(fault, `${name}(${JSON.stringify(one.options)}): parameter ${i} after step ${t + 1}`).toBeUndefined();
    }
  }
}

describe('schedules judged by torch.optim.lr_scheduler', () => {
  for (const [name, { tolerance, cases }] of with_<RateCase>('rates').filter(
    ([, { cases }]) => !('start' in (cases[0] as object)),
  )) {
    it(`${name}: ${cases.length} cases`, () => {
      for (const one of cases) {
        const rate = (schedules[name] as (typeof schedules)[string])(...one.args);
        const got = one.rates.map((_, i) => rate(i + 1));
        expect(difference(got, one.rates, tolerance.value, true), JSON.stringify(one.args)).toBeUndefined();
      }
    });
  }
});
