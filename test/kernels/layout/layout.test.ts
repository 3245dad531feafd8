import { describe, expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { broadcastTo, concat, permute, reshape, split } from '../../../src/kernels/layout/layout.ts';
import { slice } from '../../../src/kernels/layout/slice.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll, readU32 } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { size } from '../../../src/tensor/values/shape.ts';
import { checkOp, type Ref, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';
import { indices, rearranged } from '../../support/rearranged.ts';

const device = useDevice();

function refConcat(xs: readonly Ref[], axis: number): Ref {
  const first = xs[0] as Ref;
  const starts = xs.map((_, n) => xs.slice(0, n).reduce((sum, x) => sum + (x.shape[axis] as number), 0));
  const total = xs.reduce((sum, x) => sum + (x.shape[axis] as number), 0);
  const shape = first.shape.map((one, i) => (i === axis ? total : one));
  const data = Array.from({ length: size(shape) }, (_, i) => {
    const at = indices(shape, i);
    const n = starts.findLastIndex((start, k) => start <= (at[axis] as number) && (xs[k] as Ref).shape[axis] !== 0);
    at[axis] = (at[axis] as number) - (starts[n] as number);
    const x = xs[n] as Ref;
    return x.data[at.reduce((sum, one, k) => sum * (x.shape[k] as number) + one, 0)] as number;
  });
  return ref(shape, data);
}

checkOp('reshape', (x) => reshape(x as Tensor, [-1]), {
  reference: ([x]) => ref([size((x as Ref).shape)], (x as Ref).data),
  cases: [[[1]], [[3, 17]], [[2, 1, 65]], [[]], [[0, 3]]],
});

for (const order of [
  [1, 0],
  [0, 1],
]) {
  checkOp(`permute ${order}`, (x) => permute(x as Tensor, order), {
    reference: ([x]) =>
      rearranged(
        x as Ref,
        order.map((axis) => (x as Ref).shape[axis] as number),
        (at) => order.map((_, axis) => at[order.indexOf(axis)] as number),
      ),
    cases: [[[1, 1]], [[3, 17]], [[17, 1]], [[65, 197]], [[0, 3]], [[64, 64]], [[33, 410]]],
  });
}

for (const order of [
  [2, 0, 1],
  [1, 0, 2],
  [0, -1, 1],
  [2, 1, 0],
]) {
  const axes = order.map((axis) => (axis + 3) % 3);
  checkOp(`permute ${order}`, (x) => permute(x as Tensor, order), {
    reference: ([x]) =>
      rearranged(
        x as Ref,
        axes.map((axis) => (x as Ref).shape[axis] as number),
        (at) => axes.map((_, axis) => at[axes.indexOf(axis)] as number),
      ),
    cases: [[[2, 3, 4]], [[3, 1, 17]], [[5, 65, 33]], [[2, 0, 3]]],
  });
}

checkOp('permute of six axes', (x) => permute(x as Tensor, [5, 3, 1, 4, 2, 0]), {
  reference: ([x]) => rearranged(x as Ref, [4, 3, 2, 2, 3, 2], ([f, d, b, e, c, a]) => [a, b, c, d, e, f] as number[]),
  cases: [[[2, 2, 3, 3, 2, 4]]],
});

checkOp('permute of eight axes', (x) => permute(x as Tensor, [6, 0, 4, 2, 7, 5, 1, 3]), {
  reference: ([x]) =>
    rearranged(x as Ref, [2, 2, 1, 3, 2, 3, 2, 2], ([g, a, e, c, h, f, b, d]) => [a, b, c, d, e, f, g, h] as number[]),
  cases: [[[2, 2, 3, 2, 1, 3, 2, 2]]],
});

checkOp('permute of nine axes, reversed', (x) => permute(x as Tensor, [8, 7, 6, 5, 4, 3, 2, 1, 0]), {
  reference: ([x]) => rearranged(x as Ref, (x as Ref).shape.toReversed(), (at) => at.toReversed()),
  cases: [[[2, 3, 2, 2, 2, 2, 2, 2, 3]]],
});

checkOp('permute of heads', (x) => permute(reshape(x as Tensor, [2, 17, 3, 8]), [0, 2, 1, 3]), {
  reference: ([x]) =>
    rearranged(ref([2, 17, 3, 8], (x as Ref).data), [2, 3, 17, 8], ([b, h, n, d]) => [b, n, h, d] as number[]),
  cases: [[[2, 17, 24]]],
});

checkOp('broadcastTo [4, 3, 65]', (x) => broadcastTo(x as Tensor, [4, 3, 65]), {
  reference: ([x]) =>
    rearranged(x as Ref, [4, 3, 65], (at) =>
      (x as Ref).shape.map((axis, i) => (axis === 1 ? 0 : (at[i + 3 - (x as Ref).shape.length] as number))),
    ),
  cases: [[[1]], [[]], [[65]], [[3, 1]], [[4, 1, 65]], [[1, 3, 1]], [[1, 1, 65]], [[4, 3, 65]]],
});

for (const [axis, start, end] of [
  [0, 1, 2],
  [1, 0, 1],
  [1, 1, 17],
  [-1, 2, 3],
  [1, 4, 4],
  [2, 0, 3],
] as const) {
  const at = (axis + 3) % 3;
  checkOp(`slice ${axis} ${start} ${end}`, (x) => slice(x as Tensor, axis, start, end), {
    reference: ([x]) =>
      rearranged(
        x as Ref,
        (x as Ref).shape.map((one, i) => (i === at ? end - start : one)),
        (index) => index.map((one, i) => (i === at ? one + start : one)),
      ),
    cases: [[[2, 17, 3]], [[3, 65, 65]]],
  });
}

checkOp('concat on axis 1', (...xs) => concat(xs, 1), {
  reference: (xs) => refConcat(xs, 1),
  cases: [
    [[2, 3]],
    [
      [2, 1, 3],
      [2, 17, 3],
    ],
    [
      [1, 1],
      [1, 65],
      [1, 0],
      [1, 3],
    ],
    [
      [3, 0],
      [3, 0],
    ],
    Array.from({ length: 18 }, (_, i) => [2, i % 4, 5]),
  ],
});

checkOp('concat on axis 0', (...xs) => concat(xs, 0), {
  reference: (xs) => refConcat(xs, 0),
  cases: [
    [
      [2, 65],
      [1, 65],
    ],
    [[3], [2], [4]],
  ],
});

checkOp(
  'split and concat in another order',
  (x) => {
    const [a, b, c] = split(x as Tensor, 1, [2, 0, 5]) as [Tensor, Tensor, Tensor];
    return concat([c, b, a], 1);
  },
  {
    reference: ([x]) =>
      rearranged(x as Ref, (x as Ref).shape, (at) => at.map((one, i) => (i === 1 ? (one + 2) % 7 : one))),
    cases: [[[1, 7]], [[3, 7, 65]], [[0, 7]]],
  },
);

describe('split', () => {
  const x = () =>
    tensor(
      device.current,
      Float32Array.from({ length: 40 }, (_, i) => i),
      [2, 20],
    );

  it('cuts into many parts, in one launch up to seven', async () => {
    using seven = await step(device.current, {}, () => split(x(), 1, [3, 3, 3, 3, 3, 3, 2]));
    expect(seven.launches.length).toBe(1);
    const parts = await readAll(split(x(), 1, [1, 2, 0, 3, 1, 1, 1, 1, 4, 1, 1, 1, 3]));
    expect(parts.map((part) => [...part])).toMatchInlineSnapshot(`
      [
        [
          0,
          20,
        ],
        [
          1,
          2,
          21,
          22,
        ],
        [],
        [
          3,
          4,
          5,
          23,
          24,
          25,
        ],
        [
          6,
          26,
        ],
        [
          7,
          27,
        ],
        [
          8,
          28,
        ],
        [
          9,
          29,
        ],
        [
          10,
          11,
          12,
          13,
          30,
          31,
          32,
          33,
        ],
        [
          14,
          34,
        ],
        [
          15,
          35,
        ],
        [
          16,
          36,
        ],
        [
          17,
          18,
          19,
          37,
          38,
          39,
        ],
      ]
    `);
    const [all] = await readAll(split(x(), 1, [0, 20, 0]).slice(1));
    expect(all?.length).toBe(40);
  });

  it('has a gradient when only some parts are used', async () => {
    const whole = x();
    const [, second] = split(whole, 1, [15, 2, 3]) as [Tensor, Tensor, Tensor];
    const [dx] = gradients(second, [whole], tensor(device.current, [1, 2, 3, 4], [2, 2]));
    const expected = new Float32Array(40);
    expected.set([1, 2], 15);
    expected.set([3, 4], 35);
    expect(await read(dx)).toEqual(expected);
  });
});

describe('layout of u32 tensors', () => {
  it('moves them as they are', async () => {
    const x = tensor(device.current, new Uint32Array([1, 2, 0xffffffff, 4, 5, 0x7fc00001]), [2, 3]);
    expect([...(await readU32(permute(x, [1, 0])))]).toEqual([1, 4, 2, 5, 0xffffffff, 0x7fc00001]);
    expect([...(await readU32(slice(x, 1, 2)))]).toEqual([0xffffffff, 0x7fc00001]);
    expect([...(await readU32(concat([x, slice(x, 1, 0, 1)], 1)))]).toEqual([1, 2, 0xffffffff, 1, 4, 5, 0x7fc00001, 4]);
    expect([...(await readU32(broadcastTo(slice(x, 0, 0, 1), [2, 3])))]).toEqual([1, 2, 0xffffffff, 1, 2, 0xffffffff]);
    expect([...(await readU32(reshape(x, [3, 2])))]).toEqual([1, 2, 0xffffffff, 4, 5, 0x7fc00001]);
  });
});

describe('layout without launches', () => {
  it('shares bytes where the order stays', async () => {
    using free = await step(device.current, { x: [2, 1, 6] }, ({ x }) =>
      permute(reshape(broadcastTo(slice(x, 2, 0, 6), [1, 2, 1, 6]), [2, 3, 2, 1]), [3, 0, 1, 2]),
    );
    expect(free.launches.length).toBe(0);
  });
});

describe('layout on large tensors', () => {
  it('wraps the grid', async () => {
    const n = 65535 * 64 + 100;
    const y = await read(broadcastTo(tensor(device.current, [1, 2], [2, 1]), [2, n / 2]));
    expect([y[0], y[n / 2 - 1], y[n / 2], y[n - 1]]).toEqual([1, 1, 2, 2]);
  });
});

describe('errors of layout', () => {
  const x = (...shape: number[]) => tensor(device.current, new Float32Array(size(shape)), shape);

  it('say what does not fit', () => {
    expect(() => reshape(x(2, 3), [4])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: reshape: the shapes must hold equally many elements (6 and 4); got x [2, 3], shape [4]]`,
    );
    expect(() => reshape(x(2, 3), [4, -1])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: reshape: the axis -1 would not be a whole number; got x [2, 3], shape [4, -1]]`,
    );
    expect(() => reshape(x(2, 3), [-1, -1])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: reshape: axes must be whole numbers, 0 or more, and at most one -1; got x [2, 3], shape [-1, -1]]`,
    );
    expect(() => reshape(x(0, 3), [-1, 0])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: reshape: the axis -1 would not be a whole number; got x [0, 3], shape [-1, 0]]`,
    );
    expect(() => permute(x(2, 3), [0, 0])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: permute: the order [0, 0] must name every axis once; got x [2, 3]]`,
    );
    expect(() => permute(x(2, 3), [0, 2])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: permute: axis 2 does not exist; got x [2, 3]]`,
    );
    expect(() => permute(x(2, 3), [0])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: permute: the order [0] must name every axis once; got x [2, 3]]`,
    );
    expect(() => broadcastTo(x(2, 3), [3, 3])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: broadcastTo: axes must be equal to those of the shape, or 1, counted from the last; got x [2, 3], shape [3, 3]]`,
    );
    expect(() => broadcastTo(x(2, 3), [3])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: broadcastTo: axes must be equal to those of the shape, or 1, counted from the last; got x [2, 3], shape [3]]`,
    );
    expect(() => slice(x(2, 3), 1, 1, 4)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: slice: 1 to 4 is no range of axis 1 (length 3); got x [2, 3]]`,
    );
    expect(() => slice(x(2, 3), 2, 0, 1)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: slice: axis 2 does not exist; got x [2, 3]]`,
    );
    expect(() => concat([], 0)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: concat: give a list of at least one tensor, such as [a, b]]`,
    );
    expect(() => concat(x(2, 3) as never)).toThrow('concat: give a list of at least one tensor');
    expect(concat([x(2, 3), x(1, 3)]).shape).toEqual([3, 3]);
    expect(() => concat([x(2, 3), x(2, 4)], 0)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: concat: all axes but axis 0 must be equal; got x0 [2, 3], x1 [2, 4]]`,
    );
    expect(() => concat([x(2), tensor(device.current, new Uint32Array(2))], 0)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: concat: all must have one dtype (f32 and u32); got x0 [2], x1 [2]]`,
    );
    expect(() => split(x(2, 3), 1, [1, 1])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: split: the sizes 1 + 1 = 2 must fill axis 1; got x [2, 3]]`,
    );
  });
});
