import { describe, expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { all, any, logsumexp, norm, std, variance } from '../../../src/kernels/statistics/index.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readBool } from '../../../src/tensor/run/read.ts';
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
const sums: Readonly<Record<string, [typeof variance, (values: number[]) => number]>> = {
  variance: [variance, (v) => varianceOf(v, 1)],
  std: [std, (v) => Math.sqrt(varianceOf(v, 1))],
  norm: [norm, (v) => Math.hypot(...v)],
  'norm of order 1': [(x, o) => norm(x, { ...o, order: 1 }), (v) => v.reduce((a, b) => a + Math.abs(b), 0)],
  'norm of order ∞': [
    (x, o) => norm(x, { ...o, order: Number.POSITIVE_INFINITY }),
    (v) => Math.max(...v.map(Math.abs)),
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

  it('has no digits lost to a large mean', async () => {
    const x = f32([10_001, 10_002, 10_003, 10_006]);
    expect((await read(variance(x, { correction: 0 })))[0]).toBeCloseTo(3.5, 3);
  });

  it('has a gradient of 0 where the norm is 0, and in sums of nothing but -∞', async () => {
    expect(await gradientOf((x) => norm(x), f32([0, 0]))).toEqual([0, 0]);
    const low = Number.NEGATIVE_INFINITY;
    expect(await gradientOf((x) => logsumexp(x), f32([low, low]))).toEqual([0, 0]);
    expect([...(await read(logsumexp(f32([low, low]))))]).toEqual([low]);
    expect((await read(logsumexp(f32([1000, 1000]))))[0]).toBeCloseTo(1000 + Math.log(2), 3);
    expect(() => norm(f32([1]), { order: 3 })).toThrow('norm: order must be 1, 2 or Infinity; it is 3; got x [1]');
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
