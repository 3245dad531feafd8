import { describe, expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { acos, asin, atan, atan2, erf, logSigmoid } from '../../../src/kernels/functions/index.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { checkOp, type OpCase, type Ref, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';
import { erf as erfOf } from '../../support/edge-pointwise.ts';

const within: OpCase['values'] = (_input, _i, random) => 1.8 * random() - 0.9;
const wide: OpCase['values'] = (_input, i, random) => (i === 0 ? 0.7 : 8 * random() - 4);
const logSigmoidOf = (x: number) => Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x)));
const smooth: Readonly<Record<string, [(x: Tensor) => Tensor, (x: number) => number, OpCase['values']]>> = {
  asin: [asin, Math.asin, within],
  acos: [acos, Math.acos, within],
  atan: [atan, Math.atan, wide],
  erf: [erf, erfOf, wide],
  logSigmoid: [logSigmoid, logSigmoidOf, wide],
};
for (const [name, [op, f, values]] of Object.entries(smooth))
  checkOp(name, op, {
    reference: ([x]) => ref((x as Ref).shape, (x as Ref).data.map(f)),
    cases: [[[]], [[3, 17]], [[0, 3]]],
    values,
  });

checkOp('atan2', atan2, {
  reference: ([y, x]) =>
    ref(
      (y as Ref).shape,
      (y as Ref).data.map((v, i) => Math.atan2(v, (x as Ref).data[i % (x as Ref).data.length] as number)),
    ),
  cases: [
    [[3, 5], [5]],
    [[7], [1]],
    [[0, 3], [3]],
  ],
  // In all four quadrants, away from 0.
  values: (input, i, random) => (0.2 + random()) * ((i >> input) % 2 ? -1 : 1),
});
checkOp('atan2 of a number', (x) => atan2(-2, x), {
  reference: ([x]) =>
    ref(
      [5],
      (x as Ref).data.map((v) => Math.atan2(-2, v)),
    ),
  cases: [[[5]]],
});

describe('angles, and the error function', () => {
  const device = useDevice();
  const f32 = (values: ArrayLike<number>) => tensor(device.current, Float32Array.from(values));
  /** From `low` to `high` by equal factors, both signs. */
  const spread = (low: number, high: number, n = 4000): Float32Array =>
    Float32Array.from({ length: n }, (_, i) => (i % 2 ? -1 : 1) * low * (high / low) ** (i / n));
  /** The largest error relative to the value. */
  async function worst(op: (x: Tensor) => Tensor, f: (x: number) => number, values: Float32Array): Promise<number> {
    const y = await read(op(f32(values)));
    return values.reduce((most, x, i) => {
      const want = f(x);
      return Math.max(most, Math.abs((y[i] as number) - want) / Math.max(Math.abs(want), 1e-37));
    }, 0);
  }

  it('are exact near 0, near 1 and far out', async () => {
    const nearOne = Float32Array.from({ length: 1000 }, (_, i) => 1 - i * 2 ** -24);
    expect(await worst(asin, Math.asin, spread(1e-30, 1))).toBeLessThan(5e-7);
    expect(await worst(asin, Math.asin, nearOne)).toBeLessThan(5e-7);
    expect(await worst(acos, Math.acos, spread(1e-30, 1))).toBeLessThan(5e-7);
    expect(await worst(acos, Math.acos, nearOne)).toBeLessThan(5e-7);
    expect(await worst(atan, Math.atan, spread(1e-30, 3e38))).toBeLessThan(5e-7);
    expect(await worst(erf, erfOf, spread(1e-30, 30))).toBeLessThan(5e-7);
    expect(await worst(logSigmoid, logSigmoidOf, spread(1e-3, 80))).toBeLessThan(4e-6);
    expect([...(await read(asin(f32([1, -1, 1.0000001, -2]))))]).toEqual(
      [Math.PI / 2, -Math.PI / 2, Number.NaN, Number.NaN].map(Math.fround),
    );
  });

  it('atan2 has the angles of C at zeros and infinities', async () => {
    const values = [0, -0, 1, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    const ys = values.flatMap((y) => values.map(() => y));
    const xs = values.flatMap(() => values);
    const got = await read(atan2(f32(ys), f32(xs)));
    expect([...got]).toEqual(ys.map((y, i) => expect.closeTo(Math.atan2(y, xs[i] as number), 6)));
  });

  it('atan2 is right below the least normal number, where its gradients are infinite, as in PyTorch', async () => {
    const [y, x] = [f32([1e-40, -1e-40, 1e-45]), f32([1e-40, -1e-40, 1e-40])];
    const angles = await read(atan2(y, x));
    expect([...angles]).toEqual([0.25 * Math.PI, -0.75 * Math.PI, 1.4013e-5].map((v) => expect.closeTo(v, 6)));
    const [dy, dx] = await readAll(gradients(atan2(y, x), [y, x], f32([1, 1, 1])));
    const { POSITIVE_INFINITY: up, NEGATIVE_INFINITY: down } = Number;
    expect([...(dy as Float32Array)]).toEqual([up, down, up]);
    // The last one is finite in truth, -1.4e35, and infinite where it is divided by what is taken for 0.
    expect([...(dx as Float32Array)].slice(0, 2)).toEqual([down, up]);
  });

  it('atan2 of integers is f32, as in PyTorch', async () => {
    const y = atan2(tensor(device.current, new Int32Array([1, -1])), tensor(device.current, new Int32Array([-1, 0])));
    expect(y.dtype).toBe('f32');
    expect([...(await read(y))]).toEqual([0.75 * Math.PI, -0.5 * Math.PI].map((v) => expect.closeTo(v, 6)));
  });

  it("atan2's gradients neither overflow nor vanish where squares do", async () => {
    const [y, x] = [f32([3e30, -3e-25, 0]), f32([4e30, 4e-25, -2])];
    const [dy, dx] = await readAll(gradients(atan2(y, x), [y, x], f32([1, 1, 1])));
    const close = (values: number[]) => values.map((v) => expect.closeTo(v, 5));
    expect([...(dy as Float32Array)].map((v, i) => v * ([1e30, 1e-25, 1][i] as number))).toEqual(
      close([0.16, 0.16, -0.5]),
    );
    expect([...(dx as Float32Array)].map((v, i) => v * ([1e30, 1e-25, 1][i] as number))).toEqual(
      close([-0.12, 0.12, 0]),
    );
  });

  it("atan2's second derivatives are there below 1e-9, where fourth powers vanish, and above 1e9", async () => {
    for (const unit of [1e-15, 1e-10, 1, 1e12]) {
      const [y, x] = [f32([3 * unit]), f32([4 * unit])];
      const [dy, dx] = gradients(atan2(y, x), [y, x]) as [Tensor, Tensor];
      const [yy, yx, xx] = await readAll([...gradients(dy, [y, x]), ...gradients(dx, [x])] as Tensor[]);
      // -2yx, y² - x² and 2yx over the square of 25.
      expect([yy, yx, xx].map((v) => (v?.[0] as number) * unit * unit)).toEqual(
        [-24 / 625, -7 / 625, 24 / 625].map((v) => expect.closeTo(v, 6)),
      );
    }
  });

  it('say what is wrong', () => {
    const u = tensor(device.current, new Uint32Array(3));
    for (const [name, op] of Object.entries({ asin, acos, atan, erf, logSigmoid })) {
      expect(() => op(u)).toThrow(`${name}: floats are needed: cast`);
    }
    expect(() => atan2(1, 2)).toThrow('atan2: a or b must be a tensor');
    expect(() => atan2(f32([1, 2]), f32([1, 2, 3]))).toThrow(/^atan2: axes must be equal/);
  });
});
