import { describe, expect, it } from 'vitest';
import { argsort } from '../../../src/kernels/axis/argsort.ts';
import { take, takeAlongAxis } from '../../../src/kernels/layout/gather.ts';
import { oneHot } from '../../../src/kernels/layout/one-hot.ts';
import { sort, topK } from '../../../src/kernels/layout/sort.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { read, readU32 } from '../../../src/tensor/run/read.ts';
import { type Shape, size } from '../../../src/tensor/values/shape.ts';
import { checkOp, type Ref, ref, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';
import { indices, rearranged } from '../../support/rearranged.ts';

const device = useDevice();

/** Indices with repeats; about one in eight is out of range. */
function someIds(shape: Shape, below: number): Uint32Array {
  const random = seeded(size(shape) * 31 + below);
  return Uint32Array.from({ length: size(shape) }, () => Math.floor(random() * below * 1.15));
}
const ids = (shape: Shape, below: number) => tensor(device.current, someIds(shape, below), shape);
const floats = (...shape: number[]) => tensor(device.current, new Float32Array(size(shape)), shape);

for (const [axis, shape] of [
  [0, [7]],
  [1, [2, 3]],
  [-1, [70]],
  [1, []],
  [1, [0]],
] as const) {
  checkOp(`take [${shape}] along ${axis}`, (x) => take(x!, ids(shape, x!.shape.at(axis)!), axis), {
    reference: ([x]) => {
      const at = (axis + x!.shape.length) % x!.shape.length;
      const chosen = someIds(shape, x!.shape[at]!);
      return rearranged(
        x!,
        x!.shape.toSpliced(at, 1, ...shape),
        (place) => {
          const inIds = place.slice(at, at + shape.length);
          const n = inIds.reduce((sum, one, i) => sum * shape[i]! + one, 0);
          return place.toSpliced(at, shape.length, chosen[n]!);
        },
        0,
      );
    },
    cases: [[[5, 3]], [[3, 17, 5]], [[2, 65, 8]], [[2, 0, 3]], [[0, 4]]],
  });
}

for (const [axis, count] of [
  [-1, 4],
  [0, 9],
  [1, 1],
  [1, 0],
] as const) {
  const idShape = (x: { readonly shape: Shape }) => x.shape.with(axis, count);
  checkOp(
    `takeAlongAxis ${count} along ${axis}`,
    (x) => takeAlongAxis(x!, ids(idShape(x!), x!.shape.at(axis)!), axis),
    {
      reference: ([x]) => {
        const shape = idShape(x!);
        const chosen = someIds(shape, x!.shape.at(axis)!);
        const all = Array.from({ length: size(shape) }, (_, i) => i);
        const parts = all.map((i) => {
          const from = indices(shape, i).with(axis, chosen[i]!);
          return chosen[i]! < x!.shape.at(axis)!
            ? x!.data[from.reduce((sum, one, k) => sum * x!.shape[k]! + one, 0)]!
            : 0;
        });
        return ref(shape, parts);
      },
      cases: [[[5, 3]], [[3, 17, 5]], [[2, 65, 8]], [[0, 4]]],
    },
  );
}

/** Rows of x in order. Values of the tests differ by more than the steps of differences. */
function sortedRows(x: Ref, count: number, compare: (a: number, b: number) => number): Ref {
  const cols = x.shape.at(-1)!;
  const rows = cols === 0 ? 0 : x.data.length / cols;
  const all = Array.from({ length: rows }, (_, r) => [...x.data.slice(r * cols, (r + 1) * cols)].sort(compare));
  return ref(
    [...x.shape.slice(0, -1), count],
    all.flatMap((row) => row.slice(0, count)),
  );
}
/** All different, in no order. */
const scattered = (_: number, i: number): number => ((i * 7919) % 10007) / 1000;

checkOp('sort', (x) => sort(x!).values, {
  reference: ([x]) => sortedRows(x!, x!.shape.at(-1)!, (a, b) => a - b),
  cases: [[[1]], [[3, 17]], [[2, 2, 300]], [[2, 0]], [[0, 3]]],
  values: scattered,
});

checkOp('topK', (x) => topK(x!, 3).values, {
  reference: ([x]) => sortedRows(x!, 3, (a, b) => b - a),
  cases: [[[3]], [[3, 17]], [[2, 2, 300]], [[0, 3]]],
  values: scattered,
});

describe('sort and topK', () => {
  it('say where each value was', async () => {
    const x = tensor(device.current, [0.3, 0.1, 0.2, 5, 5, 6], [2, 3]);
    expect([...(await readU32(sort(x).indices))]).toEqual([1, 2, 0, 0, 1, 2]);
    expect([...(await readU32(sort(x, { descending: true }).indices))]).toEqual([0, 2, 1, 2, 0, 1]);
    expect([...(await readU32(topK(x, 2).indices))]).toEqual([0, 2, 2, 0]);
    expect(topK(x, 0).values.shape).toEqual([2, 0]);
    expect([...(await readU32(topK(x, 2, { largest: false }).indices))]).toEqual([1, 2, 0, 1]);
    for (const third of [0, false, 'largest'] as never[]) {
      expect(() => topK(x, 2, third)).toThrow(/^topK: options come by name: \{ largest \}; got /);
    }
  });

  it('take u32', async () => {
    const x = tensor(device.current, new Uint32Array([7, 0xffffffff, 0]));
    expect([...(await readU32(sort(x).values))]).toEqual([0, 7, 0xffffffff]);
    expect([...(await readU32(topK(x, 2).values))]).toEqual([0xffffffff, 7]);
    expect([...(await readU32(take(x, argsort(x))))]).toEqual([0, 7, 0xffffffff]);
  });
});

describe('oneHot', () => {
  it('has a one where the index says, and none for an index out of range', async () => {
    const y = oneHot(tensor(device.current, new Uint32Array([2, 0, 3, 1]), [2, 2]), 3);
    expect(y.shape).toEqual([2, 2, 3]);
    expect([...(await read(y))]).toEqual([0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 0]);
    const wide = await read(oneHot(ids([131], 1000), 1000));
    const where = [...wide.entries()].flatMap(([i, value]) => (value === 0 ? [] : [i % 1000]));
    expect(where).toEqual([...someIds([131], 1000)].filter((id) => id < 1000));
    expect(oneHot(ids([0], 3), 3).shape).toEqual([0, 3]);
    expect(oneHot(ids([2], 3), 0).shape).toEqual([2, 0]);
  });
});

describe('errors of take, sort and oneHot', () => {
  it('say what does not fit', () => {
    expect(() => take(floats(3, 2), floats(2))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: take: ids must be u32 or i32, not f32; got x [3, 2], ids [2]]`,
    );
    expect(() => take(floats(3, 2), ids([2], 2), 2)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: take: axis 2 does not exist; got x [3, 2]]`,
    );
    expect(() => takeAlongAxis(floats(3, 2), floats(3, 2))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: takeAlongAxis: ids must be u32 or i32, not f32; got x [3, 2], ids [3, 2]]`,
    );
    expect(() => takeAlongAxis(floats(3, 2), ids([2, 2], 2))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: takeAlongAxis: ids must have the shape of x, but for axis 1; got x [3, 2], ids [2, 2]]`,
    );
    expect(() => sort(floats())).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: sort: a scalar has no axis to sort along; got x []]`,
    );
    expect(() => topK(floats(3), 4)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: topK: k must be a whole number from 0 to 3 (4); got x [3]]`,
    );
    expect(() => topK(floats(), 0)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: topK: a scalar has no axis to sort along; got x []]`,
    );
    expect(() => oneHot(floats(3), 4)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: oneHot: ids must be u32 or i32, not f32; got ids [3]]`,
    );
    expect(() => oneHot(ids([3], 3), 4, ...([-1] as never[]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: oneHot: takes (ids, classes) and no more; got the number -1 behind them]`,
    );
    expect(() => oneHot(ids([3], 3), -1)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: oneHot: classes must be a whole number, 0 or more; it is the number -1]`,
    );
  });
});
