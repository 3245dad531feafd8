import { describe, expect, it } from 'vitest';
import { sum } from '../../../src/kernels/axis/reduce.ts';
import { mul } from '../../../src/kernels/elementwise/binary.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { Dropout } from '../../../src/nn/layers/dropout.ts';
import { parameters } from '../../../src/nn/layers/module.ts';
import { GRU, LSTM, type RecurrentOptions } from '../../../src/nn/layers/recurrent.ts';
import { GRUCell, LSTMCell } from '../../../src/nn/layers/recurrent-cells.ts';
import { newWeights, weightsFrom } from '../../../src/nn/layers/weights.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
import { type Shape, size } from '../../../src/tensor/values/shape.ts';
import { normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
type Values = Map<string, Float64Array>;
const [T, B, I, H] = [4, 2, 3, 5];
const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
const draw = (seed: number, shape: Shape) => {
  const random = seeded(seed);
  return Float64Array.from({ length: size(shape) }, () => 0.5 * normal(random));
};

/** One sequence through one layer in one direction, by the formulas of PyTorch's documentation: `x [T, width]`. */
function layerOf(
  kind: 'GRU' | 'LSTM',
  w: Values,
  suffix: string,
  x: number[][],
  h0: number[],
  c0: number[],
  reverse: boolean,
) {
  const gate = (name: string, bias: string, k: number, v: readonly number[]) => {
    const weights = w.get(name + suffix) as Float64Array;
    return v.reduce(
      (total, one, i) => total + (weights[k * v.length + i] as number) * one,
      w.get(bias + suffix)?.[k] ?? 0,
    );
  };
  let [h, c] = [h0, c0];
  const ys: number[][] = [];
  for (let step = 0; step < x.length; step++) {
    const t = reverse ? x.length - 1 - step : step;
    const at = (g: number, k: number) => gate('weight_ih', 'bias_ih', g * H + k, x[t] as number[]);
    const back = (g: number, k: number) => gate('weight_hh', 'bias_hh', g * H + k, before);
    const before = h;
    const memory = c;
    if (kind === 'GRU') {
      h = before.map((value, k) => {
        const r = sigmoid(at(0, k) + back(0, k));
        const z = sigmoid(at(1, k) + back(1, k));
        const n = Math.tanh(at(2, k) + r * back(2, k));
        return (1 - z) * n + z * value;
      });
    } else {
      c = memory.map(
        (value, k) =>
          sigmoid(at(1, k) + back(1, k)) * value + sigmoid(at(0, k) + back(0, k)) * Math.tanh(at(2, k) + back(2, k)),
      );
      h = c.map((value, k) => sigmoid(at(3, k) + back(3, k)) * Math.tanh(value));
    }
    ys[t] = h;
  }
  return { ys, h, c };
}

/** All of it: y `[T, B, D H]`, and the states `[layers D, B, H]`. */
function reference(
  kind: 'GRU' | 'LSTM',
  w: Values,
  x: Float64Array,
  { layers = 1, bidirectional = false }: RecurrentOptions,
) {
  const suffixes = bidirectional ? ['', '_reverse'] : [''];
  const count = layers * suffixes.length;
  const states = { h: new Float64Array(count * B * H), c: new Float64Array(count * B * H) };
  const given = (name: string, at: number, b: number) =>
    Array.from((w.get(name) ?? new Float64Array(count * B * H)).subarray((at * B + b) * H, (at * B + b + 1) * H));
  const y: number[] = [];
  const perBatch = Array.from({ length: B }, (_, b) => {
    let rows = Array.from({ length: T }, (_, t) => Array.from(x.subarray((t * B + b) * I, (t * B + b + 1) * I)));
    for (let layer = 0; layer < layers; layer++) {
      const results = suffixes.map((suffix, d) => {
        const at = layer * suffixes.length + d;
        const one = layerOf(kind, w, `_l${layer}${suffix}`, rows, given('h0', at, b), given('c0', at, b), d === 1);
        states.h.set(one.h, (at * B + b) * H);
        states.c.set(one.c, (at * B + b) * H);
        return one.ys;
      });
      rows = rows.map((_, t) => results.flatMap((ys) => ys[t] as number[]));
    }
    return rows;
  });
  for (let t = 0; t < T; t++) for (const rows of perBatch) y.push(...(rows[t] as number[]));
  return { y, ...states };
}

const near = (got: ArrayLike<number>, want: ArrayLike<number>, digits = 5) => {
  expect(got.length).toBe(want.length);
  Array.from(got).forEach((value, i) => {
    expect(value).toBeCloseTo(want[i] as number, digits);
  });
};

describe.each(['GRU', 'LSTM'] as const)('%s', (kind) => {
  const gates = kind === 'GRU' ? 3 : 4;
  const make = (options: RecurrentOptions) => {
    const values: Values = new Map();
    let seed = 1;
    const weights = weightsFrom(device.current, (name, shape) => {
      values.set(name, draw(seed++, shape));
      return Float32Array.from(values.get(name) as Float64Array);
    });
    return { layer: new { GRU, LSTM }[kind](weights, I, H, options), values };
  };
  const forward = (layer: GRU | LSTM, x: Tensor, h?: Tensor, c?: Tensor) => {
    if (layer instanceof GRU) return { y: layer.forward(x, h).y, states: [layer.forward(x, h).state] };
    const { y, state } = layer.forward(x, h && c && [h, c]);
    return { y, states: state };
  };

  it.each<RecurrentOptions>([{}, { bias: false }, { layers: 2, bidirectional: true }])(
    'is PyTorch’s formula, %j',
    async (options) => {
      const { layer, values } = make(options);
      const x = draw(50, [T, B, I]);
      const count = (options.layers ?? 1) * (options.bidirectional ? 2 : 1);
      const shape = [count, B, H];
      values.set('h0', draw(51, shape)).set('c0', draw(52, shape));
      const [h0, c0] = [
        tensor(device.current, values.get('h0') as Float64Array, shape),
        tensor(device.current, values.get('c0') as Float64Array, shape),
      ];
      const { y, states } = forward(layer, tensor(device.current, x, [T, B, I]), h0, c0);
      const want = reference(kind, values, x, options);
      expect(y.shape).toEqual([T, B, H * (options.bidirectional ? 2 : 1)]);
      expect(states.map((state) => state.shape)).toEqual(states.map(() => shape));
      const [gotY, h, c] = (await readAll([y, ...states])) as Float32Array[];
      near(gotY as Float32Array, want.y);
      near(h as Float32Array, want.h);
      if (c) near(c, want.c);
    },
  );

  it('has the gradients of the formula, through time', async () => {
    const { layer, values } = make({});
    const x = draw(60, [T, B, I]);
    const weights = draw(61, [T, B, H]);
    const image = tensor(device.current, x, [T, B, I]);
    const all = parameters(layer);
    const of = [image, ...all.values()];
    const y = sum(mul(forward(layer, image).y, tensor(device.current, weights, [T, B, H])));
    const got = (await readAll(gradients(y, of))) as Float32Array[];
    const loss = (w: Values, at: Float64Array) =>
      reference(kind, w, at, {}).y.reduce((total, one, i) => total + one * (weights[i] as number), 0);
    const slope = (f: (moved: Float64Array) => number, at: Float64Array) =>
      at.map((one, i) => (f(at.with(i, one + 1e-5)) - f(at.with(i, one - 1e-5))) / 2e-5);
    near(
      got[0] as Float32Array,
      slope((moved) => loss(values, moved), x),
      4,
    );
    [...all.keys()].forEach((name, i) => {
      const at = values.get(name) as Float64Array;
      near(
        got[i + 1] as Float32Array,
        slope((moved) => loss(new Map(values).set(name, moved), x), at),
        4,
      );
    });
  });

  it('takes the batch first where that is asked for, and goes on from a state', async () => {
    const { layer } = make({});
    const first = Object.assign(make({ batchFirst: true }).layer, Object.fromEntries(parameters(layer)));
    const x = draw(70, [T, B, I]);
    const turned = Float64Array.from({ length: x.length }, (_, i) => {
      const [b, t, k] = [Math.floor(i / (T * I)), Math.floor(i / I) % T, i % I];
      return x[(t * B + b) * I + k] as number;
    });
    const whole = forward(layer, tensor(device.current, x, [T, B, I]));
    const half = (from: number) => tensor(device.current, x.slice(from * B * I, (from + 2) * B * I), [2, B, I]);
    const begun = forward(layer, half(0));
    const rest = forward(layer, half(2), ...begun.states);
    const [y, other, after] = (await readAll([
      whole.y,
      forward(first, tensor(device.current, turned, [B, T, I])).y,
      rest.y,
    ])) as [Float32Array, Float32Array, Float32Array];
    near(after, y.subarray(2 * B * H));
    expect(other[H]).toBe(y[B * H]);
  });

  it('has the names, shapes and first values of PyTorch', async () => {
    const layer = new { GRU, LSTM }[kind](newWeights(device.current, 3), I, H, { layers: 2, bidirectional: true });
    const shapes = [...parameters(layer)].map(([name, { shape }]) => `${name} ${shape.join(' ')}`);
    const of = (suffix: string, width: number) => [
      `weight_ih_${suffix} ${gates * H} ${width}`,
      `weight_hh_${suffix} ${gates * H} ${H}`,
      `bias_ih_${suffix} ${gates * H}`,
      `bias_hh_${suffix} ${gates * H}`,
    ];
    expect(shapes).toEqual([...of('l0', I), ...of('l0_reverse', I), ...of('l1', 2 * H), ...of('l1_reverse', 2 * H)]);
    const values = ((await readAll([...parameters(layer).values()])) as Float32Array[]).flatMap((one) => [...one]);
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(1 / Math.sqrt(H));
    expect(Math.max(...values)).toBeGreaterThan(0.9 / Math.sqrt(H));
    expect(Math.min(...values)).toBeLessThan(-0.9 / Math.sqrt(H));
  });

  it('drops, in training, between layers: what each but the last gives to the next', async () => {
    const { layer, values } = make({ layers: 3, dropout: 0.5, stream: 6 });
    const below = make({}).layer;
    const parts = [0, 1, 2].map((at) => {
      const names = [...parameters(below).keys()].map((name) => [name, name.replace('l0', `l${at}`)] as const);
      const given = new Map(names.map(([own, name]) => [own, values.get(name) as Float64Array]));
      const weights = weightsFrom(device.current, (name) => Float32Array.from(given.get(name) as Float64Array));
      return new { GRU, LSTM }[kind](weights, at === 0 ? I : H, H);
    });
    const x = tensor(device.current, draw(80, [T, B, I]), [T, B, I]);
    const key = tensor(device.current, new Uint32Array([5, 1]));
    let y = x;
    parts.forEach((part, at) => {
      y = forward(part, y).y;
      if (at < 2) y = new Dropout(0.5, 6 + at).forwardInTraining(y, key);
    });
    const trained = layer.forwardInTraining(x, key);
    const [got, want, plain] = (await readAll([trained.y, y, forward(layer, x).y])) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    near(got, want);
    expect([...got]).not.toEqual([...plain]);
    expect(() => layer.forwardInTraining(x, undefined as never)).toThrow(
      `${kind}: in training the seed of the step comes second, u32 [2]; got undefined`,
    );
  });

  it.each([true, false])('has a cell, which is one turn of it, with biases: %s', async (bias) => {
    const { layer, values } = make({ bias });
    const weights = weightsFrom(device.current, (name) => Float32Array.from(values.get(`${name}_l0`) as Float64Array));
    const cell = new { GRU: GRUCell, LSTM: LSTMCell }[kind](weights, I, H, { bias });
    const names = [...parameters(layer)].map(([name, { shape }]) => [name.replace('_l0', ''), shape]);
    expect([...parameters(cell)].map(([name, { shape }]) => [name, shape])).toEqual(names);
    const x = draw(90, [B, I]);
    const [h0, c0] = [draw(91, [B, H]), draw(92, [B, H])];
    const of = (data: Float64Array, width: number) => tensor(device.current, data, [B, width]);
    const turn = (h?: Tensor, c?: Tensor) =>
      cell instanceof GRUCell ? [cell.forward(of(x, I), h)] : cell.forward(of(x, I), h && c && [h, c]);
    const wanted = (h: Float64Array, c: Float64Array) =>
      Array.from({ length: B }, (_, b) => {
        const row = (data: Float64Array, width: number) => Array.from(data.subarray(b * width, (b + 1) * width));
        return layerOf(kind, values, '_l0', [row(x, I)], row(h, H), row(c, H), false);
      });
    const none = new Float64Array(B * H);
    for (const [states, want] of [
      [turn(of(h0, H), of(c0, H)), wanted(h0, c0)],
      [turn(), wanted(none, none)],
    ] as const) {
      const [h, c] = (await readAll(states)) as [Float32Array, Float32Array | undefined];
      near(
        h,
        want.flatMap((one) => one.h),
      );
      if (c)
        near(
          c,
          want.flatMap((one) => one.c),
        );
    }
    expect(() => cell.forward(of(h0, H))).toThrow(`${kind}Cell: x must be [B, C] with 3 channels; got x [2, 5]`);
    const wrong = of(x, I);
    expect(() => cell.forward(of(x, I), (kind === 'GRU' ? wrong : [wrong, wrong]) as never)).toThrow(
      `${kind}Cell: a state must be [B, H]; got state [2, 3], expected [2, 5]`,
    );
    expect(() => cell.forward(of(x, I), (kind === 'GRU' ? [] : wrong) as never)).toThrow(
      kind === 'GRU'
        ? 'GRUCell: a state must be a tensor, as forward gave it; it is a list'
        : 'LSTMCell: the state is a list [h, c], as forward gave it; got a Tensor',
    );
  });

  it('says what does not fit', () => {
    const { layer } = make({});
    const [wrong, message] =
      kind === 'GRU'
        ? [[1, 2], 'GRU: a state must be a tensor, as forward gave it; it is a list']
        : [tensor(device.current, [1]), 'LSTM: the state is a list [h, c], as forward gave it; got a Tensor'];
    const [T, B, I] = [2, 2, 3];
    const fitting = tensor(device.current, new Float32Array(T * B * I), [T, B, I]);
    expect(() => layer.forward(fitting, wrong as never)).toThrow(message);
    const x = tensor(device.current, new Float32Array(8), [2, 2, 2]);
    expect(() => forward(layer, x)).toThrow(`${kind}: x must be [T, B, C] with 3 channels; got x [2, 2, 2]`);
    const fits = tensor(device.current, new Float32Array(12), [2, 2, 3]);
    expect(() => forward(layer, fits, x, x)).toThrow(
      `${kind}: a state must be [layers · directions, B, H]; got state [2, 2, 2], expected [1, 2, 5]`,
    );
  });
});
