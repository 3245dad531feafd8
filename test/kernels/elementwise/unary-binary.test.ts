import { describe, expect, it } from 'vitest';
import { add, div, maximum, minimum, mul, sub, where } from '../../../src/kernels/elementwise/binary.ts';
import { cast } from '../../../src/kernels/elementwise/cast.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import {
  abs,
  addScalar,
  clamp,
  exp,
  gelu,
  log,
  neg,
  relu,
  scale,
  sigmoid,
  sign,
  sqrt,
  square,
  tanh,
} from '../../../src/kernels/elementwise/unary.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { checkOp, normal, type OpCase, type Ref, ref, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const map = (f: (x: number) => number) => (inputs: readonly Ref[]) => {
  const x = inputs[0] as Ref;
  return ref(x.shape, x.data.map(f));
};

/** Which element of each input meets which, by NumPy's rules. The same shapes come many times over: each of them is worked out once. */
const pairings = new Map<string, { readonly shape: number[]; readonly places: readonly Int32Array[] }>();

function pairing(inputs: readonly Ref[]): { readonly shape: number[]; readonly places: readonly Int32Array[] } {
  const key = JSON.stringify(inputs.map((x) => x.shape));
  let found = pairings.get(key);
  if (!found) {
    const rank = Math.max(...inputs.map((x) => x.shape.length));
    const padded = inputs.map((x) => [...new Array<number>(rank - x.shape.length).fill(1), ...x.shape]);
    const shape = Array.from({ length: rank }, (_, axis) => {
      const lengths = padded.map((one) => one[axis] as number);
      return lengths.find((n) => n !== 1) ?? 1;
    });
    const total = shape.reduce((a, b) => a * b, 1);
    const places = padded.map((one) =>
      Int32Array.from({ length: total }, (_, i) => {
        let rest = i;
        let at = 0;
        let stride = 1;
        for (let axis = rank - 1; axis >= 0; axis--) {
          const place = rest % (shape[axis] as number);
          rest = Math.floor(rest / (shape[axis] as number));
          const own = one[axis] as number;
          if (own !== 1) at += place * stride;
          stride *= own;
        }
        return at;
      }),
    );
    pairings.set(key, (found = { shape, places }));
  }
  return found;
}

/** `f` of the elements that meet. */
const zip =
  (f: (...values: number[]) => number) =>
  (inputs: readonly Ref[]): Ref => {
    const { shape, places } = pairing(inputs);
    const values: number[] = new Array(inputs.length);
    const y = new Float64Array(shape.reduce((a, b) => a * b, 1));
    for (let i = 0; i < y.length; i++) {
      for (let n = 0; n < values.length; n++) values[n] = inputs[n]?.data[places[n]?.[i] as number] as number;
      y[i] = f(...values);
    }
    return { shape, data: y };
  };

/** erf by its Taylor series, and by the continued fraction of erfc beyond 3. */
function erf(x: number): number {
  const a = Math.abs(x);
  if (a > 3) {
    let f = 0;
    for (let k = 60; k > 0; k--) f = k / 2 / (a + f);
    return Math.sign(x) * (1 - Math.exp(-a * a) / ((a + f) * Math.sqrt(Math.PI)));
  }
  let term = x;
  let total = x;
  for (let n = 1; n < 80; n++) {
    term *= (-x * x) / n;
    total += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
}

const shapes = [[[]], [[1]], [[3, 17]], [[65, 197]], [[0, 3]]] as const;
// The first is not far out: a tensor of one element is compared at its own size.
const wide: OpCase['values'] = (_input, i, random) => (i === 0 ? 0.7 : 20 * random() - 10);
const positive: OpCase['values'] = (_input, _i, random) => 0.1 + 3 * random();
// Far enough from 0, and from ±1, for central differences.
const awayFromKinks: OpCase['values'] = (_input, i, random) =>
  (i % 2 ? 1 : -1) * (i % 3 ? 0.2 : 1.2) * (1 + random() / 2);

checkOp('neg', neg, { reference: map((x) => -x), cases: shapes });
checkOp('abs', abs, { reference: map(Math.abs), cases: shapes, values: awayFromKinks });
checkOp('exp', exp, { reference: map(Math.exp), cases: shapes });
checkOp('log', log, { reference: map(Math.log), cases: shapes, values: positive });
checkOp('sqrt', sqrt, { reference: map(Math.sqrt), cases: shapes, values: positive });
checkOp('square', square, { reference: map((x) => x * x), cases: shapes });
checkOp('sign', sign, { reference: map(Math.sign), cases: shapes, values: awayFromKinks });
checkOp('sigmoid', sigmoid, { reference: map((x) => 1 / (1 + Math.exp(-x))), cases: shapes, values: wide });
checkOp('tanh', tanh, { reference: map(Math.tanh), cases: shapes, values: wide });
checkOp('relu', relu, { reference: map((x) => Math.max(x, 0)), cases: shapes, values: awayFromKinks });
checkOp('gelu', (x) => gelu(x), {
  reference: map((x) => (x / 2) * (1 + erf(x / Math.SQRT2))),
  cases: shapes,
  values: wide,
});
checkOp('gelu tanh', (x) => gelu(x, 'tanh'), {
  reference: map((x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))),
  cases: shapes,
  values: wide,
});
checkOp('gelu quick', (x) => gelu(x, 'quick'), {
  reference: map((x) => x / (1 + Math.exp(-1.702 * x))),
  cases: shapes,
  values: wide,
});
checkOp('clamp', (x) => clamp(x, -1, 0.5), {
  reference: map((x) => Math.min(0.5, Math.max(-1, x))),
  cases: shapes,
  values: awayFromKinks,
});
checkOp('scale', (x) => scale(x, -2.5), { reference: map((x) => -2.5 * x), cases: shapes });
checkOp('addScalar', (x) => addScalar(x, 0.25), { reference: map((x) => x + 0.25), cases: shapes });

const pairs = [
  [[], []],
  [[1], [1]],
  [
    [3, 17],
    [3, 17],
  ],
  [[65, 197], [197]],
  [[3], [65, 3]],
  [
    [3, 1, 5],
    [4, 1],
  ],
  [[2, 3], []],
  [[1], [2, 3]],
  [
    [2, 1, 3, 1, 2, 1],
    [1, 3, 1, 2, 1, 4],
  ],
  [
    [2, 3, 4, 5],
    [1, 3, 4, 1],
  ],
  [[0, 3], [3]],
  [
    [0, 3],
    [1, 1],
  ],
] as const;

checkOp('add', add, { reference: zip((a = 0, b = 0) => a + b), cases: pairs });
checkOp('sub', sub, { reference: zip((a = 0, b = 0) => a - b), cases: pairs });
checkOp('mul', mul, { reference: zip((a = 0, b = 0) => a * b), cases: pairs });
checkOp('div', div, {
  reference: zip((a = 0, b = 0) => a / b),
  cases: pairs,
  values: (input, _i, random) => (input === 0 ? normal(random) : 1 + random()),
});
// Distinct values, so that no difference crosses the kink.
const apart: OpCase['values'] = (input, i) => ((i * 31 + input * 17) % 97) / 10 + input * 0.05;
checkOp('maximum', maximum, { reference: zip(Math.max), cases: pairs, values: apart });
checkOp('minimum', minimum, { reference: zip(Math.min), cases: pairs, values: apart });
checkOp('where', where, {
  reference: zip((c = 0, a = 0, b = 0) => (c !== 0 ? a : b)),
  cases: [
    [[], [], []],
    [
      [3, 17],
      [3, 17],
      [3, 17],
    ],
    [[4, 1], [65], [3, 1, 1]],
    [[2, 3], [], []],
    [[0, 3], [3], []],
  ],
  values: (input, i, random) => (input === 0 ? Number(i % 3 !== 1) : normal(random)),
  constant: [0],
});

const withNumbers: Readonly<Record<string, [(x: Tensor) => Tensor, (x: number) => number]>> = {
  'add(x, 1.5)': [(x) => add(x, 1.5), (x) => x + 1.5],
  'add(1.5, x)': [(x) => add(1.5, x), (x) => 1.5 + x],
  'sub(x, 1.5)': [(x) => sub(x, 1.5), (x) => x - 1.5],
  'sub(1.5, x)': [(x) => sub(1.5, x), (x) => 1.5 - x],
  'mul(x, -2)': [(x) => mul(x, -2), (x) => -2 * x],
  'mul(-2, x)': [(x) => mul(-2, x), (x) => -2 * x],
  'div(x, 3)': [(x) => div(x, 3), (x) => x / 3],
  'div(3, x)': [(x) => div(3, x), (x) => 3 / x],
  'maximum(x, 0.5)': [(x) => maximum(x, 0.5), (x) => Math.max(x, 0.5)],
  'maximum(0.5, x)': [(x) => maximum(0.5, x), (x) => Math.max(x, 0.5)],
  'minimum(x, 0.5)': [(x) => minimum(x, 0.5), (x) => Math.min(x, 0.5)],
  'minimum(0.5, x)': [(x) => minimum(0.5, x), (x) => Math.min(x, 0.5)],
  'where(x, x, 7)': [(x) => where(maximum(x, 0), x, 7), (x) => (x > 0 ? x : 7)],
  'where(x, 7, x)': [(x) => where(maximum(x, 0), 7, x), (x) => (x > 0 ? 7 : x)],
};
for (const [name, [op, f]] of Object.entries(withNumbers))
  checkOp(name, op, { reference: map(f), cases: shapes, values: awayFromKinks });
checkOp('where(condition, 1, -2)', (c) => where(c, 1, -2), {
  reference: map((c) => (c !== 0 ? 1 : -2)),
  cases: [[[3, 17]], [[0, 3]]],
  values: (_input, i) => i % 3,
  constant: [0],
});

/** Without the sign of zero, and what is nearly zero. */
const tidy = (v: number) => (Math.abs(v) < 1e-35 ? 0 : v);

describe('pointwise', () => {
  const device = useDevice();

  const x16 = () => tensor(device.current, [1, 2], [2], 'f16');

  it('takes a u32 condition', async () => {
    const condition = tensor(device.current, new Uint32Array([1, 0, 4_000_000_000]));
    const y = where(condition, tensor(device.current, [1, 2, 3]), tensor(device.current, 9));
    expect([...(await read(y))]).toEqual([1, 9, 3]);
  });

  it('keeps numbers as params: no tensor is made of them', async () => {
    const x = tensor(device.current, [1, 2, 3, 4, 5], [5]);
    using made = await step(device.current, {}, () => [add(x, 1), mul(2, x), where(x, 1, 0)]);
    expect(made.launches.map(({ tensors }) => tensors.length)).toEqual([2, 2, 2]);
    expect(made.launches.flatMap(({ kernel }) => kernel.name)).toEqual(['add', 'mul', 'where']);
  });

  it('is of the dtype of its tensors, whatever the number', async ({ skip }) => {
    expect([add(1, x16()), where(x16(), 1, x16()), where(x16(), 1, 0)].map((y) => y.dtype)).toEqual([
      'f16',
      'f16',
      'f16',
    ]);
    skip(!device.current.features.has('shader-f16'), 'this device has no f16');
    expect([...(await read(cast(add(x16(), 0.1), 'f32')))]).toEqual([1.099609375, 2.099609375]);
  });

  it('gives the gradient of equal values to the first', async () => {
    const a = tensor(device.current, [1, 2]);
    const b = tensor(device.current, [1, 3]);
    const ones = tensor(device.current, [1, 1]);
    const [da, db] = gradients(maximum(a, b), [a, b], ones);
    expect([...(await read(da)), ...(await read(db))]).toEqual([1, 0, 0, 1]);
  });

  it('covers a two-dimensional grid', async () => {
    const values = new Float32Array(17_000_000);
    for (let i = 0; i < values.length; i++) values[i] = i % 1000;
    const y = await read(scale(tensor(device.current, values), 2));
    expect(y.length).toBe(values.length);
    let wrong = 0;
    for (let i = 0; i < values.length; i++) wrong += Number(y[i] !== 2 * (values[i] as number));
    expect(wrong).toBe(0);
  });

  it('adds the gradients of a tensor used twice', async () => {
    const x = tensor(device.current, [2, 3]);
    const [dx] = gradients(mul(x, x), [x], tensor(device.current, [1, 10]));
    expect([...(await read(dx))]).toEqual([4, 60]);
  });

  it('stays finite far out', async () => {
    const x = tensor(device.current, [-3e38, -1000, -100, 100, 1000, 3e38]);
    for (const form of ['erf', 'tanh', 'quick'] as const) {
      const y = gelu(x, form);
      const [dx] = gradients(y, [x], tensor(device.current, new Float32Array(6).fill(1)));
      expect((await read(y)).map(tidy)).toEqual(Float32Array.of(0, 0, 0, 100, 1000, 3e38));
      expect((await read(dx)).map(tidy)).toEqual(Float32Array.of(0, 0, 0, 1, 1, 1));
    }
    expect(await read(tanh(x))).toEqual(Float32Array.of(-1, -1, -1, 1, 1, 1));
    expect((await read(sigmoid(x))).map(tidy)).toEqual(Float32Array.of(0, 0, 0, 1, 1, 1));
  });

  it('has gelu and tanh to 3e-7 of their size', async () => {
    const random = seeded(5);
    const values = Float32Array.from({ length: 20_000 }, () => 12 * random() - 6);
    const x = tensor(device.current, values);
    const y = await read(gelu(scale(x, Math.SQRT2)));
    const t = await read(tanh(x));
    values.forEach((v, i) => {
      // gelu(x√2) = x/√2 (1 + erf(x)), so the error of erf shows times x/√2.
      const slack = (Math.abs(v) / Math.SQRT2) * 3e-7 + 1e-6 * Math.max(0, v);
      expect(Math.abs((y[i] as number) - (v / Math.SQRT2) * (1 + erf(v)))).toBeLessThanOrEqual(slack + 1e-7);
      expect(Math.abs((t[i] as number) / Math.tanh(v) - 1)).toBeLessThan(3e-7);
    });
  });

  it('has gelu to 1e-4 of what it is far below 0', async () => {
    const x = [-1, -2, -3, -4, -5];
    // x Φ(x), by erfc in float64.
    const want = [-0.158655254, -0.0455002639, -0.00404969409, -1.26684967e-4, -1.43325786e-6];
    const y = await read(gelu(tensor(device.current, x)));
    for (const [i, v] of want.entries()) expect(Math.abs((y[i] as number) / v - 1)).toBeLessThan(1e-4);
  });

  it('says what is wrong', () => {
    const a = tensor(device.current, new Float32Array(6), [2, 3]);
    const b = tensor(device.current, new Float32Array(2));
    const ids = tensor(device.current, new Uint32Array(6), [2, 3]);
    expect(() => add(a, b)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: add: axes must be equal, or 1, counted from the last; got a [2, 3], b [2]]`,
    );
    expect(() => where(a, b, a)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: where: axes must be equal, or 1, counted from the last; got a [2], b [2, 3], condition [2, 3]]`,
    );
    expect(() => exp(ids)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: exp: floats are needed: cast(x, 'f32') (x is u32); got x [2, 3]]`,
    );
    const long = tensor(device.current, new Float32Array(16), [2, 1, 2, 1, 2, 1, 2]);
    const other = tensor(device.current, new Float32Array(8), [1, 2, 1, 2, 1, 2, 1]);
    expect(() => mul(long, other)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: mul: more than 6 axes cannot be broadcast at once; got a [2, 1, 2, 1, 2, 1, 2], b [1, 2, 1, 2, 1, 2, 1]]`,
    );
  });
});

describe('operands', () => {
  const device = useDevice();
  const x = () => tensor(device.current, [1, 2]);
  const unary = { abs, exp, log, neg, relu, sigmoid, sign, sqrt, square, tanh, gelu };
  const binary = { add, sub, mul, div, maximum, minimum };
  const none = [undefined, null, 1, '1', [1, 2], new Float32Array(2), Promise.resolve()] as unknown as Tensor[];
  const notNumbers = none.filter((one: unknown) => typeof one !== 'number');

  it('must be tensors', () => {
    for (const [name, op] of Object.entries(unary)) {
      for (const wrong of none) expect(() => op(wrong), name).toThrow(/^[\w-]+: x must be a tensor; it is /);
    }
    for (const [name, op] of Object.entries(binary)) {
      for (const wrong of notNumbers) {
        expect(() => op(x(), wrong)).toThrow(new RegExp(`^${name}: b must be a tensor or a number; it is `));
        expect(() => op(wrong, x())).toThrow(new RegExp(`^${name}: a must be a tensor or a number; it is `));
      }
      expect(() => op(1, 2)).toThrow(`${name}: a or b must be a tensor`);
    }
    for (const wrong of none) {
      expect(() => where(wrong, x(), x())).toThrow(/^where: condition must be a tensor; .*; for a number choose on/);
    }
    for (const wrong of notNumbers) {
      expect(() => where(x(), wrong, x())).toThrow(/^where: a must be a tensor or a number; it is /);
      expect(() => where(x(), x(), wrong)).toThrow(/^where: b must be a tensor or a number; it is /);
    }
  });

  it('must be floats of one dtype', () => {
    const u = tensor(device.current, [1, 0], [2], 'bool');
    const h = tensor(device.current, [1, 2], [2], 'f16');
    for (const op of Object.values(unary))
      expect(() => op(u)).toThrow(/floats are needed: cast\(x, 'f32'\) \(x is bool\)/);
    for (const op of Object.values(binary)) {
      expect(() => op(u, u)).toThrow(/floats are needed: cast\(x, 'f32'\) \(a is bool, b is bool\)/);
      expect(() => op(x(), h)).toThrow(/one dtype is needed: cast one of them \(a is f32, b is f16\)/);
    }
    expect(() => where(u, h, x())).toThrow(/^where: one dtype is needed/);
  });

  it('that are numbers must be numbers', () => {
    for (const wrong of [undefined, null, '1', true, 1n, [1], x()] as unknown as number[]) {
      expect(() => scale(x(), wrong)).toThrow(/^scale: factor must be a number; it is /);
      expect(() => addScalar(x(), wrong)).toThrow(/^addScalar: value must be a number; it is /);
      expect(() => clamp(x(), wrong, 1)).toThrow(/^clamp: low must be a number; it is /);
      expect(() => clamp(x(), 0, wrong)).toThrow(/^clamp: high must be a number; it is /);
    }
    expect(() => scale(x(), x() as never)).toThrow(
      'scale: factor must be a number; it is a Tensor; for a tensor use mul(a, b)',
    );
    expect(() => gelu(x(), 'exact' as 'erf')).toThrow(
      "gelu: approximate must be 'erf', 'tanh' or 'quick'; it is the string 'exact'",
    );
  });
});
