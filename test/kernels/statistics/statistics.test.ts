import { describe, expect, it } from 'vitest';
import { greater } from '../../../src/kernels/comparison/index.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import {
  all,
  any,
  countNonzero,
  logsumexp,
  median,
  norm,
  quantile,
  std,
  variance,
} from '../../../src/kernels/statistics/index.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readBool, readI32 } from '../../../src/tensor/run/read.ts';
import { checkOp, type Ref, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

/** Reduces axes by `join` on the values of each place; reduced axes are kept with size 1, or dropped. */
function reduced(x: Ref, axes: readonly number[], keepDims: boolean, join: (values: number[]) => number): Ref {
  const kept = x.shape.map((length, i) => (axes.includes(i) ? 1 : length));
  const groups = Array.from({ length: kept.reduce((a, b) => a * b, 1) }, () => [] as number[]);
  x.data.forEach((value, i) => {
    let rest = i;
    let at = 0;
    let stride = 1;
    for (let axis = x.shape.length - 1; axis >= 0; axis--) {
      const length = x.shape[axis] as number;
      if (!axes.includes(axis)) {
        at += (rest % length) * stride;
        stride *= length;
      }
      rest = Math.floor(rest / length);
    }
    groups[at]?.push(value);
  });
  return ref(keepDims ? kept : kept.filter((_, i) => !axes.includes(i)), groups.map(join));
}

const varianceOf = (values: number[], correction: number) => {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return values.reduce((a, v) => a + (v - mean) ** 2, 0) / Math.max(0, values.length - correction);
};
const ordered = (values: number[]) => [...values].sort((a, b) => a - b);
const sums: Readonly<Record<string, [typeof variance, (values: number[]) => number]>> = {
  variance: [variance, (v) => varianceOf(v, 1)],
  std: [std, (v) => Math.sqrt(varianceOf(v, 1))],
  norm: [norm, (v) => Math.hypot(...v)],
  'norm of order 1': [(x, o) => norm(x, { ...o, order: 1 }), (v) => v.reduce((a, b) => a + Math.abs(b), 0)],
  'norm of order ∞': [
    (x, o) => norm(x, { ...o, order: Number.POSITIVE_INFINITY }),
    (v) => Math.max(...v.map(Math.abs)),
  ],
  'norm of order 3': [
    (x, o) => norm(x, { ...o, order: 3 }),
    (v) => Math.cbrt(v.reduce((a, b) => a + Math.abs(b) ** 3, 0)),
  ],
  median: [
    median,
    (v) => (ordered(v)[Math.floor((v.length - 1) / 2)]! + ordered(v)[Math.ceil((v.length - 1) / 2)]!) / 2,
  ],
  quantile: [
    (x, o) => quantile(x, 0.3, o),
    (v) => {
      const place = 0.3 * (v.length - 1);
      const [a, b] = [ordered(v)[Math.floor(place)]!, ordered(v)[Math.ceil(place)]!];
      return a + (b - a) * (place % 1);
    },
  ],
  logsumexp: [logsumexp, (v) => Math.log(v.reduce((a, b) => a + Math.exp(b), 0))],
};
for (const [name, [op, join]] of Object.entries(sums)) {
  checkOp(`${name} of everything`, (x) => op(x), {
    reference: ([x]) => reduced(x as Ref, [...(x as Ref).shape.keys()], false, join),
    cases: [[[7]], [[65, 5]]],
  });
  checkOp(`${name} over the last axis`, (x) => op(x, { axes: -1, keepDims: true }), {
    reference: ([x]) => reduced(x as Ref, [1], true, join),
    cases: [[[3, 17]], [[0, 3]]],
  });
  checkOp(`${name} over several axes`, (x) => op(x, { axes: [0, -1] }), {
    reference: ([x]) => reduced(x as Ref, [0, 2], false, join),
    cases: [[[3, 5, 4]]],
  });
}

describe('statistics', () => {
  const device = useDevice();
  const f32 = (values: number[], shape = [values.length]) => tensor(device.current, values, shape);
  const gradientOf = async (op: (x: Tensor) => Tensor, x: Tensor) => [...(await read(gradients(op(x), [x])[0]))];

  it('takes a correction', async () => {
    const x = f32([1, 2, 3, 6]);
    expect([...(await read(variance(x, { correction: 0 })))]).toEqual([3.5]);
    expect([...(await read(variance(f32([2]), { correction: 0 })))]).toEqual([0]);
    expect([...(await read(variance(f32([2]))))]).toEqual([Number.NaN]);
    expect(() => variance(x, { correction: '1' as never })).toThrow('variance: correction must be a number');
    expect(() => std(f32([], [0]))).toThrow(/no elements is undefined/);
  });

  it('has several quantiles at once, of whole numbers too, and NaN of NaN', async () => {
    const x = f32([1, 2, 3, 10, 4, 0, 4, 8], [2, 4]);
    const y = quantile(x, [0, 0.25, 1], { axes: 1, keepDims: true });
    expect(y.shape).toEqual([3, 2, 1]);
    expect([...(await read(y))]).toEqual([1, 0, 1.75, 3, 10, 8]);
    expect(quantile(x, []).shape).toEqual([0]);
    expect([...(await read(median(tensor(device.current, new Int32Array([7, -4, 1, 2])))))]).toEqual([1.5]);
    expect([...(await read(median(f32([1, Number.NaN, 3]))))]).toEqual([Number.NaN]);
    const infinite = f32([Number.NEGATIVE_INFINITY, 1, Number.POSITIVE_INFINITY]);
    expect([...(await read(quantile(infinite, [0, 0.5, 1])))]).toEqual([
      Number.NEGATIVE_INFINITY,
      1,
      Number.POSITIVE_INFINITY,
    ]);
    expect([...(await read(quantile(infinite, [0.5])))]).toEqual([1]);
    // In f16 the part would be 0.5, and the quantile 0.
    if (device.current.features.has('shader-f16')) {
      const half = tensor(device.current, [-4000, 4000], [2], 'f16');
      expect((await read(quantile(half, 0.5001)))[0]).toBeCloseTo(0.8, 2);
    }
    expect(await gradientOf((t) => quantile(t, 0.25), f32([3, 1, 2, 5, 7, 9]))).toEqual([0.25, 0, 0.75, 0, 0, 0]);
    expect(() => quantile(x, 1.5)).toThrow('quantile: q must lie between 0 and 1; it is 1.5; got x [2, 4]');
    expect(() => quantile(x, [0.5, Number.NaN])).toThrow(/it is NaN/);
    expect(() => median(f32([], [2, 0]), { axes: 1 })).toThrow('median: there is no median of nothing; got x [2, 0]');
    expect(() => median(x, { axes: [0, -2] })).toThrow('median: the axes 0, 0 name one twice');
  });

  it('has norms of other orders, and counts what is not 0', async () => {
    const x = f32([3, 0, -4, 0], [2, 2]);
    const of = async (order: number) => [...(await read(norm(x, { axes: 1, order })))];
    expect(await of(0)).toEqual([1, 1]);
    expect(await of(Number.NEGATIVE_INFINITY)).toEqual([0, 0]);
    expect((await of(0.5)).map((v) => Math.round(1e4 * v))).toEqual([30000, 40000]);
    expect(await gradientOf((t) => norm(t, { order: 3 }), f32([0, 0]))).toEqual([0, 0]);
    expect(await gradientOf((t) => norm(t, { order: 0 }), f32([1, 0]))).toEqual([0, 0]);
    expect([...(await readI32(countNonzero(f32([0, Number.NaN, -0, 2]))))]).toEqual([2]);
    expect([...(await readI32(countNonzero(f32([], [0, 2]), { axes: 0 })))]).toEqual([0, 0]);
  });

  it('of whole numbers and masks is f32', async () => {
    const whole = tensor(device.current, new Int32Array([1, 2]));
    const results = [
      norm(whole),
      norm(whole, { order: 3 }),
      norm(whole, { order: 1 }),
      logsumexp(whole),
      std(whole),
      variance(whole),
    ];
    expect(results.map(({ dtype }) => dtype)).toEqual(results.map(() => 'f32'));
    const want = [Math.sqrt(5), Math.cbrt(9), 3, Math.log(Math.exp(1) + Math.exp(2)), Math.SQRT1_2, 0.5];
    for (const [i, y] of results.entries()) expect((await read(y))[0]).toBeCloseTo(want[i]!, 5);
    expect((await read(std(greater(whole, 1), { correction: 0 })))[0]).toBeCloseTo(0.5, 6);
  });

  it('has norms of powers that f32 does not hold, and their gradients', async () => {
    expect([...(await read(norm(tensor(device.current, [], [2, 0]), { axes: 1, order: 3 })))]).toEqual([0, 0]);
    for (const unit of [1e-13, 1, 1e13]) {
      const x = tensor(device.current, [3 * unit, -4 * unit]);
      const y = norm(x, { order: 4 });
      const [dx] = gradients(y, [x]);
      const length = 337 ** 0.25;
      expect((await read(y))[0]! / unit).toBeCloseTo(length, 4);
      const [a, b] = await read(dx as Tensor);
      expect(a).toBeCloseTo((3 / length) ** 3, 4);
      expect(b).toBeCloseTo(-((4 / length) ** 3), 4);
    }
  });

  it('has no digits lost to a large mean', async () => {
    const x = f32([10_001, 10_002, 10_003, 10_006]);
    expect((await read(variance(x, { correction: 0 })))[0]).toBeCloseTo(3.5, 3);
  });

  it('has a gradient of 0 where the norm is 0, and in sums of nothing but -∞', async () => {
    expect(await gradientOf((x) => norm(x), f32([0, 0]))).toEqual([0, 0]);
    for (const order of [2, 3, 0.5]) {
      const x = f32([0, 0]);
      const [dx] = gradients(norm(x, { order }), [x]) as [Tensor];
      expect([...(await read(gradients(dx, [x], f32([1, 1]))[0]))]).toEqual([0, 0]);
    }
    const low = Number.NEGATIVE_INFINITY;
    expect(await gradientOf((x) => logsumexp(x), f32([low, low]))).toEqual([0, 0]);
    expect([...(await read(logsumexp(f32([low, low]))))]).toEqual([low]);
    expect((await read(logsumexp(f32([1000, 1000]))))[0]).toBeCloseTo(1000 + Math.log(2), 3);
    for (const wrong of [null, Number.NaN, true]) {
      expect(() => norm(f32([1]), { order: wrong as never })).toThrow(/^norm: order must be a number/);
      expect(() => norm(tensor(device.current, new Int32Array([1])), { order: wrong as never })).toThrow(
        /^norm: order must be a number; it is .*; got x \[1\]/,
      );
    }
    expect(() => norm(f32([1]), { order: '3' as never })).toThrow(
      /^norm: order must be a number; it is .*3.*; got x \[1\]/,
    );
  });

  it('asks whether any or all are true', async () => {
    const x = f32([0, 0, 0, 1, Number.NaN, 0, 2, -1, 5], [3, 3]);
    expect([...(await readBool(any(x, { axes: 1 })))]).toEqual([0, 1, 1]);
    expect([...(await readBool(all(x, { axes: -1, keepDims: true })))]).toEqual([0, 0, 1]);
    expect(any(x, { axes: 0, keepDims: true }).shape).toEqual([1, 3]);
    expect([...(await readBool(any(x))), ...(await readBool(all(x)))]).toEqual([1, 0]);
    expect([...(await readBool(all(tensor(device.current, new Uint32Array([1, 7])))))]).toEqual([1]);
    const none = f32([], [2, 0]);
    expect([...(await readBool(any(none, { axes: 1 })))]).toEqual([0, 0]);
    expect([...(await readBool(all(none, { axes: 1 })))]).toEqual([1, 1]);
    expect(() => any(x, { axes: 2 })).toThrow(/axis 2 does not exist/);
    expect(() => all(1 as never)).toThrow('all: x must be a tensor; it is the number 1');
  });
});
