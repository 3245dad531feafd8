import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { argmax, argmin, max, min } from '../../../src/kernels/axis/extreme.ts';
import { mean, sum, sumRows } from '../../../src/kernels/axis/reduce.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readU32 } from '../../../src/tensor/run/read.ts';
import { checkOp, normal, type Ref, ref, seeded } from '../../support/check-op.ts';
import { asOnGpu, useDevice } from '../../support/device.ts';

/** Reduces the axes by `join` on the values of each place, in the order of memory. */
function reduceRef(x: Ref, axes: readonly number[], join: (values: number[]) => number): Ref {
  const shape = x.shape.filter((_, i) => !axes.includes(i));
  const groups = Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => [] as number[]);
  x.data.forEach((value, i) => {
    let rest = i;
    const index = x.shape.map(() => 0);
    for (let axis = x.shape.length - 1; axis >= 0; axis--) {
      index[axis] = rest % (x.shape[axis] as number);
      rest = Math.floor(rest / (x.shape[axis] as number));
    }
    let group = 0;
    for (const [axis, n] of x.shape.entries()) if (!axes.includes(axis)) group = group * n + (index[axis] as number);
    groups[group]?.push(value);
  });
  return ref(shape, groups.map(join));
}

const total = (values: number[]) => values.reduce((a, b) => a + b, 0);
const average = (values: number[]) => total(values) / values.length;
const largest = (values: number[]) => values.reduce((a, b) => Math.max(a, b));
const smallest = (values: number[]) => values.reduce((a, b) => Math.min(a, b));

// Distinct values, far enough apart for central differences.
const distinct = (_input: number, i: number) => ((i * 7919) % 10007) / 100 - 50;

checkOp('sum over the last axis', (x) => sum(x, { axes: -1 }), {
  reference: ([x]) => reduceRef(x as Ref, [(x as Ref).shape.length - 1], total),
  cases: [[[1]], [[3, 17]], [[2, 3, 65]], [[5, 197]], [[70, 1]], [[2, 5000]], [[3, 0]], [[0, 3]]],
});
checkOp('sum over the first axis', (x) => sum(x, { axes: 0 }), {
  reference: ([x]) => reduceRef(x as Ref, [0], total),
  cases: [[[1, 1]], [[3, 4]], [[197, 3]], [[65, 70]], [[5000, 2]], [[2000, 33]], [[0, 5]], [[5, 0]]],
});
checkOp('sum over the middle axis', (x) => sum(x, { axes: 1 }), {
  reference: ([x]) => reduceRef(x as Ref, [1], total),
  cases: [[[2, 3, 4]], [[3, 300, 5]], [[2, 600, 40]], [[4, 0, 2]]],
});
checkOp('sum over two separate axes', (x) => sum(x, { axes: [0, -1] }), {
  reference: ([x]) => reduceRef(x as Ref, [0, 2], total),
  cases: [[[2, 3, 4]], [[17, 5, 65]]],
});
checkOp('sum of everything', (x) => sum(x), {
  reference: ([x]) => ref([], [total([...(x as Ref).data])]),
  cases: [[[]], [[1]], [[2, 3, 4]], [[100, 301]], [[0]]],
  // Relative to the sum, which may be small beside its terms.
  tolerance: { forward: 1e-5 },
});
checkOp('mean', (x) => mean(x, { axes: [1, 2] }), {
  reference: ([x]) => reduceRef(x as Ref, [1, 2], average),
  cases: [[[2, 3, 4]], [[3, 197, 10]], [[0, 2, 2]]],
});
checkOp('max over the last axis', (x) => max(x, { axes: -1 }), {
  reference: ([x]) => reduceRef(x as Ref, [1], largest),
  cases: [[[1, 1]], [[3, 17]], [[2, 197]], [[3, 1000]], [[300, 3]]],
  values: distinct,
});
checkOp('max over two separate axes', (x) => max(x, { axes: [0, 2] }), {
  reference: ([x]) => reduceRef(x as Ref, [0, 2], largest),
  cases: [[[2, 3, 4]], [[65, 3, 9]]],
  values: distinct,
});
checkOp('min over the first axis', (x) => min(x, { axes: 0 }), {
  reference: ([x]) => reduceRef(x as Ref, [0], smallest),
  cases: [[[1, 1]], [[17, 3]], [[65, 70]]],
  values: distinct,
});
checkOp('sumRows', (x) => sumRows(x as Tensor), {
  reference: ([x]) => reduceRef({ shape: [-1, (x as Ref).shape.at(-1) as number], data: (x as Ref).data }, [0], total),
  cases: [[[1, 1]], [[3, 5]], [[2, 300, 65]], [[3000, 40]], [[3, 0]]],
  constant: [0],
});

describe('reductions', () => {
  const device = useDevice();

  it('keep axes if asked', () => {
    const x = tensor(device.current, new Float32Array(24), [2, 3, 4]);
    expect(sum(x, { axes: [0, 2], keepDims: true }).shape).toEqual([1, 3, 1]);
    expect(mean(x, { axes: 1 }).shape).toEqual([2, 4]);
    expect(max(x, { keepDims: true }).shape).toEqual([1, 1, 1]);
    expect(min(x, { axes: [] })).toBe(x);
    expect(argmax(x, 1).shape).toEqual([2, 4]);
  });

  it('take the first of equal values', async () => {
    const x = tensor(device.current, [1, 3, 3, 0, 2, 2, 2, 2, -1, -1, -2, -2], [3, 4]);
    expect([...(await readU32(argmax(x)))]).toEqual([1, 0, 0]);
    expect([...(await readU32(argmin(x)))]).toEqual([3, 0, 2]);
    expect([...(await readU32(argmax(x, 0)))]).toEqual([1, 0, 0, 1]);
    const [dx] = gradients(max(x, { axes: -1 }), [x], tensor(device.current, [1, 2, 3]));
    expect([...(await read(dx))]).toEqual([0, 1, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]);
  });

  it('take the first of equal values among many', async () => {
    const values = new Float32Array(2 * 1000);
    for (const i of [300, 301, 999, 1000, 1999]) values[i] = 5;
    const x = tensor(device.current, values, [2, 1000]);
    expect([...(await readU32(argmax(x)))]).toEqual([300, 0]);
    expect([...(await readU32(argmin(x)))]).toEqual([0, 1]);
  });

  it('take infinities', async () => {
    const low = Number.NEGATIVE_INFINITY;
    const x = tensor(device.current, [low, low, low, low, 1, low], [2, 3]);
    expect([...(await read(max(x, { axes: 1 })))]).toEqual([low, 1]);
    expect([...(await readU32(argmax(x)))]).toEqual([0, 1]);
  });

  it('sum long lines with little error', async () => {
    const random = seeded(1);
    const values = Float32Array.from({ length: 1 << 20 }, () => 1000 + normal(random));
    const got = await read(mean(tensor(device.current, values)));
    expect(Math.abs((got[0] as number) / average([...values]) - 1)).toBeLessThan(1e-6);
  });

  it('say what is wrong', () => {
    const x = tensor(device.current, new Float32Array(6), [2, 3]);
    const none = tensor(device.current, new Float32Array(0), [2, 0]);
    expect(() => sum(x, { axes: 2 })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: sum: axis 2 does not exist; got x [2, 3]]`,
    );
    expect(() => sum(x, { axes: [1, -1] })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: sum: the axes 1, -1 name one twice; got x [2, 3]]`,
    );
    expect(() => mean(none)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: mean: the mean of no elements is undefined; got x [2, 0]]`,
    );
    expect(() => max(none, { axes: 1 })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: max: there is no max of nothing; got x [2, 0]]`,
    );
    expect(() => argmin(none)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: argmin: axis -1 is empty; got x [2, 0]]`,
    );
  });
});

// The adapters of this suite compute on the CPU. On a GPU threads share the strips of lines.
describe('as on a GPU', () => {
  const device = useDevice();
  beforeAll(() => void asOnGpu(device.current));
  afterAll(() => void vi.restoreAllMocks());

  it.each([
    [1, 300_003],
    [3, 70_001],
    [3, 5000],
    [40, 17],
    [1, 3],
  ])('%i rows of %i are summed', async (rows, length) => {
    const random = seeded(2);
    const values = Float32Array.from({ length: rows * length }, () => 3 + normal(random));
    const got = await read(mean(tensor(device.current, values, [rows, length]), { axes: 1 }));
    for (let r = 0; r < rows; r++) {
      expect(got[r]).toBeCloseTo(average([...values.subarray(r * length, (r + 1) * length)]), 5);
    }
  });
});
