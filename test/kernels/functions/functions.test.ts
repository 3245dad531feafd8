import { describe, expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { sqrt } from '../../../src/kernels/elementwise/unary.ts';
import {
  ceil,
  celu,
  cos,
  cosh,
  elu,
  exp2,
  expm1,
  floor,
  glu,
  hardsigmoid,
  hardswish,
  hypot,
  leakyRelu,
  lerp,
  log1p,
  log2,
  log10,
  logaddexp,
  mish,
  pow,
  prelu,
  reciprocal,
  remainder,
  round,
  rsqrt,
  selu,
  silu,
  sin,
  sinh,
  softplus,
  softsign,
  tan,
  trunc,
} from '../../../src/kernels/functions/index.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readI32 } from '../../../src/tensor/run/read.ts';
import { checkOp, type OpCase, type Ref, ref, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const map = (f: (x: number) => number) => (inputs: readonly Ref[]) => {
  const x = inputs[0] as Ref;
  return ref(x.shape, x.data.map(f));
};
const shapes = [[[]], [[3, 17]], [[65, 5]], [[0, 3]]] as const;
const wide: OpCase['values'] = (_input, i, random) => (i === 0 ? 0.7 : 20 * random() - 10);
const positive: OpCase['values'] = (_input, _i, random) => 0.1 + 3 * random();
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const plus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

const smooth: Readonly<Record<string, [(x: Tensor) => Tensor, (x: number) => number, OpCase['values']]>> = {
  sin: [sin, Math.sin, wide],
  cos: [cos, Math.cos, wide],
  tan: [tan, Math.tan, (_input, _i, random) => 2 * random() - 1],
  log1p: [log1p, Math.log1p, positive],
  expm1: [expm1, Math.expm1, (_input, _i, random) => 6 * random() - 3],
  rsqrt: [rsqrt, (x) => 1 / Math.sqrt(x), positive],
  reciprocal: [reciprocal, (x) => 1 / x, positive],
  silu: [silu, (x) => x * sigmoid(x), wide],
  softplus: [softplus, plus, wide],
  log2: [log2, Math.log2, positive],
  log10: [log10, Math.log10, positive],
  exp2: [exp2, (x) => 2 ** x, (_input, _i, random) => 6 * random() - 3],
  sinh: [sinh, Math.sinh, (_input, _i, random) => 6 * random() - 3],
  cosh: [cosh, Math.cosh, (_input, _i, random) => 6 * random() - 3],
  selu: [selu, (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)), wide],
  celu: [(x) => celu(x, 0.5), (x) => (x > 0 ? x : 0.5 * Math.expm1(x / 0.5)), wide],
  softsign: [softsign, (x) => x / (1 + Math.abs(x)), wide],
  hardsigmoid: [hardsigmoid, (x) => Math.min(1, Math.max(0, x / 6 + 0.5)), wide],
  mish: [mish, (x) => x * Math.tanh(plus(x)), wide],
  elu: [(x) => elu(x, 0.5), (x) => (x > 0 ? x : 0.5 * Math.expm1(x)), wide],
  leakyRelu: [(x) => leakyRelu(x, 0.2), (x) => (x > 0 ? x : 0.2 * x), wide],
  hardswish: [hardswish, (x) => (x * Math.min(6, Math.max(0, x + 3))) / 6, wide],
  'pow(x, 3)': [(x) => pow(x, 3), (x) => x ** 3, wide],
  'pow(x, -0.5)': [(x) => pow(x, -0.5), (x) => x ** -0.5, positive],
  'pow(2, x)': [(x) => pow(2, x), (x) => 2 ** x, (_input, _i, random) => 6 * random() - 3],
};
for (const [name, [op, f, values]] of Object.entries(smooth))
  checkOp(name, op, { reference: map(f), cases: shapes, values });

checkOp('pow', pow, {
  reference: ([a, b]) =>
    ref(
      [3, 5],
      Array.from({ length: 15 }, (_, i) => (a as Ref).data[i]! ** (b as Ref).data[i % 5]!),
    ),
  cases: [[[3, 5], [5]]],
  values: positive,
});
checkOp('remainder', remainder, {
  reference: ([a, b]) =>
    ref(
      [3, 5],
      Array.from(
        { length: 15 },
        (_, i) =>
          (a as Ref).data[i]! - Math.floor((a as Ref).data[i]! / (b as Ref).data[i % 5]!) * (b as Ref).data[i % 5]!,
      ),
    ),
  cases: [[[3, 5], [5]]],
  // Multiples lie far from all of these.
  values: (input, i) => (input === 0 ? 3 * i - 19.3 : i % 2 === 0 ? 2.5 : -2.5),
});

const withRow = (f: (x: number, w: number) => number) => (inputs: readonly Ref[]) => {
  const [x, w] = inputs as [Ref, Ref];
  return ref(
    x.shape,
    x.data.map((v, i) => f(v, w.data[i % w.data.length] as number)),
  );
};
for (const [name, op, f] of [
  ['prelu', prelu, (x, w) => (x > 0 ? x : w * x)],
  ['hypot', hypot, Math.hypot],
  ['logaddexp', logaddexp, (a, b) => Math.log(Math.exp(a) + Math.exp(b))],
  ['lerp', (a, b) => lerp(a, b, 0.3), (a, b) => a + 0.3 * (b - a)],
] as const satisfies [string, (a: Tensor, b: Tensor) => Tensor, (a: number, b: number) => number][])
  checkOp(name, op, {
    reference: withRow(f),
    cases: [
      [[3, 5], [5]],
      [[7], [1]],
      [[0, 3], [3]],
    ],
  });
checkOp('lerp of tensors', lerp, {
  reference: ([a, b, c]) =>
    ref(
      [2, 3],
      Array.from({ length: 6 }, (_, i) => a!.data[i]! + c!.data[i % 3]! * (b!.data[0]! - a!.data[i]!)),
    ),
  cases: [[[2, 3], [1], [3]]],
});
checkOp('lerp between numbers', (c) => lerp(-1, 3, c), { reference: map((c) => -1 + 4 * c), cases: [[[5]]] });
checkOp('glu', (x) => glu(x, 1), {
  reference: ([x]) =>
    ref(
      [2, 2, 3],
      Array.from({ length: 12 }, (_, i) => {
        const at = Math.floor(i / 6) * 12 + (i % 6);
        return x!.data[at]! * sigmoid(x!.data[at + 6]!);
      }),
    ),
  cases: [[[2, 4, 3]]],
});

describe('functions', () => {
  const device = useDevice();
  const f32 = (values: ArrayLike<number>) => tensor(device.current, Float32Array.from(values));

  /** The largest error relative to the value, over numbers of f32. */
  async function worst(op: (x: Tensor) => Tensor, f: (x: number) => number, values: Float32Array): Promise<number> {
    const y = await read(op(f32(values)));
    return values.reduce((most, x, i) => {
      const want = f(x);
      return Math.max(most, Math.abs((y[i] as number) - want) / Math.max(Math.abs(want), 1e-37));
    }, 0);
  }
  /** From `low` to `high` by equal factors, both signs. */
  const spread = (low: number, high: number, n = 4000): Float32Array =>
    Float32Array.from({ length: n }, (_, i) => (i % 2 ? -1 : 1) * low * (high / low) ** (i / n));

  it('are exact near 0 and far out', async () => {
    expect(await worst(sin, Math.sin, spread(1e-30, 3e38))).toBeLessThan(4e-7);
    expect(await worst(cos, Math.cos, spread(1e-30, 3e38))).toBeLessThan(4e-7);
    expect(await worst(tan, Math.tan, spread(1e-30, 3e38))).toBeLessThan(8e-7);
    expect(await worst(log1p, Math.log1p, spread(1e-30, 0.999))).toBeLessThan(5e-7);
    expect(await worst(log1p, Math.log1p, spread(1, 3e38).map(Math.abs))).toBeLessThan(4e-7);
    expect(await worst(expm1, Math.expm1, spread(1e-30, 1.4))).toBeLessThan(1e-6);
    expect(await worst(expm1, Math.expm1, spread(1, 80))).toBeLessThan(4e-6);
    expect(await worst(log2, Math.log2, spread(1e-37, 3e38).map(Math.abs))).toBeLessThan(1e-6);
    expect(await worst(log10, Math.log10, spread(0.5, 2).map(Math.abs))).toBeLessThan(1e-6);
    expect(await worst(exp2, (x) => 2 ** x, spread(1e-30, 125))).toBeLessThan(1e-6);
    expect(await worst(sinh, Math.sinh, spread(1e-30, 89))).toBeLessThan(4e-6);
    expect(await worst(cosh, Math.cosh, spread(1e-30, 89))).toBeLessThan(4e-6);
    expect(await worst(softplus, plus, spread(1e-3, 80))).toBeLessThan(4e-6);
    expect(
      await worst(
        (x) => elu(x),
        (x) => (x > 0 ? x : Math.expm1(x)),
        spread(1e-30, 80),
      ),
    ).toBeLessThan(4e-6);
  });

  it('have powers to 1e-6 of their value, up to the ends of f32', async () => {
    const random = seeded(3);
    const n = 5000;
    const a = Float32Array.from({ length: n }, () => 2 ** (40 * random() - 20));
    const b = Float32Array.from(a, (x) => ((250 * random() - 125) / Math.log2(x)) * (0.2 + 0.8 * random()));
    const near = Float32Array.from({ length: n }, () => 1 + 0.4 * (random() - 0.5));
    const large = Float32Array.from(near, (x) => (120 * random() - 60) / Math.log2(x));
    for (const [bases, exponents] of [
      [a, b],
      [near, large],
    ] as const) {
      const y = await read(pow(f32(bases), f32(exponents)));
      let most = 0;
      bases.forEach((x, i) => {
        most = Math.max(most, Math.abs((y[i] as number) / x ** (exponents[i] as number) - 1));
      });
      expect(most).toBeLessThan(1.5e-6);
    }
    const whole = f32([-3, -2, -1, 1, 2, 3]);
    expect([...(await read(pow(whole, 3)))]).toEqual([-27, -8, -1, 1, 8, 27]);
    expect([...(await read(pow(whole, 2)))]).toEqual([9, 4, 1, 1, 4, 9]);
    expect([...(await read(pow(whole, 0.5)))].slice(0, 3)).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    expect(await worst((x) => pow(x, 0.5), Math.sqrt, spread(1e-30, 1e30).map(Math.abs))).toBeLessThan(4e-7);
    expect((await read(sqrt(whole)))[5]).toBeCloseTo(Math.sqrt(3), 6);
  });

  it('have whole logarithms and powers of 2 and 10, and lengths that do not overflow', async () => {
    const whole = Array.from({ length: 37 }, (_, i) => i);
    expect([...(await read(log2(f32(whole.map((n) => 2 ** n)))))]).toEqual(whole);
    expect([...(await read(exp2(f32(whole))))]).toEqual(whole.map((n) => 2 ** n));
    expect([...(await read(log10(f32(whole.slice(0, 11).map((n) => 10 ** n)))))]).toEqual(whole.slice(0, 11));
    const y = await read(hypot(f32([3e30, -3e-25, 0]), f32([4e30, 4e-25, -2])));
    expect([...y].map((v, i) => v / ([5e30, 5e-25, 2][i] as number) - 1)).toEqual(
      [0, 0, 0].map(() => expect.closeTo(0, 6)),
    );
    expect([...(await read(logaddexp(f32([1000, -1e9]), 0)))]).toEqual([1000, 0]);
    expect([...(await read(trunc(f32([-2.7, -0.5, 2.7, 1e20]))))].map((v) => v + 0)).toEqual([
      -2,
      0,
      2,
      Math.fround(1e20),
    ]);
    expect([...(await readI32(trunc(tensor(device.current, new Int32Array([-7])))))]).toEqual([-7]);
  });

  it('round to whole numbers, of two to the even one', async () => {
    const x = f32([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49999997, 8388607.5, 1e20]);
    expect([...(await read(round(x)))].map((v) => v + 0)).toEqual([-2, -2, 0, 0, 2, 2, 0, 8388608, Math.fround(1e20)]);
    expect([...(await read(floor(x)))].map((v) => v + 0)).toEqual([-3, -2, -1, 0, 1, 2, 0, 8388607, Math.fround(1e20)]);
    expect([...(await read(ceil(x)))].map((v) => v + 0)).toEqual([-2, -1, 0, 1, 2, 3, 1, 8388608, Math.fround(1e20)]);
    const [dx] = gradients(round(x), [x], f32(new Array(9).fill(1)));
    expect([...(await read(dx))]).toEqual(new Array(9).fill(0));
  });

  it('have remainders without rounding, with the sign of the divisor', async () => {
    const random = seeded(9);
    const a = Float32Array.from({ length: 2000 }, () => (random() - 0.5) * 10 ** (60 * random() - 25));
    const b = Float32Array.from({ length: 2000 }, () => (random() - 0.5) * 10 ** (40 * random() - 25));
    const y = await read(remainder(f32(a), f32(b)));
    a.forEach((x, i) => {
      const divisor = b[i] as number;
      const rest = x % divisor;
      const want = rest !== 0 && Math.sign(rest) !== Math.sign(divisor) ? Math.fround(rest + divisor) : rest;
      expect(y[i], `${x} mod ${divisor}`).toBe(want);
    });
    expect([...(await read(remainder(f32([-1, 5, -6, 6]), 3)))].map((v) => v + 0)).toEqual([2, 2, 0, 0]);
    expect([...(await read(remainder(f32([1, -1]), Number.POSITIVE_INFINITY)))]).toEqual([1, Number.POSITIVE_INFINITY]);
  });

  it('say what is wrong', () => {
    const u = tensor(device.current, new Uint32Array(3));
    expect(() => sin(u)).toThrow(/^sin: floats are needed: cast/);
    expect(() => pow(u, 2)).toThrow(/^pow: floats are needed: cast/);
    expect(() => pow(2, 3)).toThrow('pow: a or b must be a tensor');
    expect(() => remainder(f32([1, 2]), f32([1, 2, 3]))).toThrow(/^remainder: axes must be equal/);
    expect(() => celu(f32([1]), 0)).toThrow('celu: alpha must not be 0; got x [1]');
    expect(() => glu(f32([1, 2, 3]))).toThrow('glu: axis -1 must have two halves; got x [3]');
    expect(() => glu(f32([1, 2]), 1)).toThrow(/^glu: axis 1/);
    expect(() => lerp(1, 2, 3)).toThrow('lerp: a, b or c must be a tensor');
    expect(() => lerp(u, u, 0.5)).toThrow(/^lerp: floats are needed: cast/);
    expect(() => lerp(f32([1, 2]), f32([1, 2, 3]), 0.5)).toThrow(/^lerp: axes must be equal/);
    expect(() => prelu(f32([1, 2]), f32([1, 2, 3]))).toThrow(/^prelu: axes must be equal/);
    expect(() => hypot(u, 2)).toThrow(/^hypot: floats are needed: cast/);
    expect(() => elu(f32([1]), '1' as never)).toThrow('elu: alpha must be a number');
    expect(() => leakyRelu(f32([1]), null as never)).toThrow('leakyRelu: slope must be a number');
  });
});
