import { describe, expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import {
  indexAdd,
  nonzero,
  scatterAddAlongAxis,
  scatterAlongAxis,
  unique,
} from '../../../src/kernels/indexing/index.ts';
import { scatterAdd } from '../../../src/kernels/layout/gather.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll, readU32 } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { type Shape, size } from '../../../src/tensor/values/shape.ts';
import { checkOp, type Ref, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const NONE = 0xffffffff;

/** Where element i of a shape lies along an axis, and where it would lie with another place there. */
function placed(
  shape: Shape,
  axis: number,
  i: number,
): { at: number; with: (place: number, length: number) => number } {
  const inner = size(shape.slice(axis + 1));
  const own = shape[axis] as number;
  const outer = Math.floor(i / (inner * own));
  return {
    at: Math.floor(i / inner) % own,
    with: (place, length) => (outer * length + place) * inner + (i % inner),
  };
}

/** Indices for every element of a shape: some come up several times, some are none. */
const idsOf = (shape: Shape, count: number) =>
  Uint32Array.from({ length: size(shape) }, (_, i) => (i % 7 === 3 ? NONE : (i * i + 3) % (count + 1)));

const scatters = { scatterAddAlongAxis, scatterAlongAxis };
for (const [name, op] of Object.entries(scatters)) {
  for (const axis of [0, 1, -1]) {
    checkOp(
      `${name} along ${axis}`,
      (x, src) => {
        const ids = idsOf(src.shape, x.shape.at(axis) as number);
        return op(x, tensor(x.device, ids, src.shape), src, axis);
      },
      {
        reference: ([x, src]) => {
          const [to, from] = [x as Ref, src as Ref];
          const at = axis < 0 ? axis + to.shape.length : axis;
          const count = to.shape[at] as number;
          const y = ref(to.shape, to.data);
          const ids = idsOf(from.shape, count);
          from.data.forEach((value, i) => {
            const id = ids[i] as number;
            if (id >= count) return;
            const place = placed(from.shape, at, i).with(id, count);
            y.data[place] = name === 'scatterAlongAxis' ? value : (y.data[place] as number) + value;
          });
          return y;
        },
        cases: [[[4, 5, 3].with(axis < 0 ? 2 : axis, 6), [4, 5, 3].with(axis < 0 ? 2 : axis, 4)]],
      },
    );
  }
}

const listed = Uint32Array.of(2, 0, 2, 9, 1);
checkOp('indexAdd along 1', (x, src) => indexAdd(x, tensor(x.device, listed), src, 1), {
  reference: ([x, src]) => {
    const y = ref((x as Ref).shape, (x as Ref).data);
    (src as Ref).data.forEach((value, i) => {
      const { at, with: to } = placed((src as Ref).shape, 1, i);
      const id = listed[at] as number;
      if (id < 3) y.data[to(id, 3)] = (y.data[to(id, 3)] as number) + value;
    });
    return y;
  },
  cases: [
    [
      [2, 3, 4],
      [2, 5, 4],
    ],
    [
      [2, 3],
      [2, 5],
    ],
  ],
});

describe('scatters', () => {
  const f32 = (values: number[], shape = [values.length]) => tensor(device.current, values, shape);
  const u32 = (values: number[], shape = [values.length]) => tensor(device.current, values, shape, 'u32');

  it('the last of several counts, and only it has a gradient', async () => {
    const [x, src] = [f32([1, 2, 3]), f32([7, 8, 9])];
    const y = scatterAlongAxis(x, u32([1, 1, 5]), src);
    const [values, dx, dsrc] = await readAll([y, ...gradients(y, [x, src], f32([10, 20, 30]))]);
    expect([...(values as Float32Array)]).toEqual([1, 8, 3]);
    expect([...(dx as Float32Array)]).toEqual([10, 0, 30]);
    expect([...(dsrc as Float32Array)]).toEqual([0, 20, 0]);
  });

  it('of nothing leaves x', async () => {
    const x = f32([1, 2, 3]);
    for (const op of Object.values(scatters)) {
      expect([...(await read(op(x, u32([]), f32([]))))]).toEqual([1, 2, 3]);
    }
    expect([...(await read(indexAdd(x, u32([]), f32([]))))]).toEqual([1, 2, 3]);
  });

  it.each(['i32', 'u32'] as const)('add up %s, which wraps around', async (dtype) => {
    const of = (values: number[], shape = [values.length]) => tensor(device.current, values, shape, dtype);
    const top = dtype === 'i32' ? 2 ** 31 - 1 : 2 ** 32 - 1;
    const bottom = dtype === 'i32' ? -(2 ** 31) : 0;
    const values = async (y: Tensor) => [...((await readAll([y]))[0] as Int32Array | Uint32Array)];
    // Beyond 2²⁴, where f32 has not all numbers.
    const [x, ids, src] = [of([1, 2, top]), u32([1, 1, 2]), of([16777217, 3, 1])];
    for (const y of [scatterAddAlongAxis(x, ids, src), indexAdd(x, ids, src)]) {
      expect(y.dtype).toBe(dtype);
      expect(await values(y)).toEqual([1, 16777222, bottom]);
    }
    const rows = indexAdd(of([1, 2, 3, 4, 5, 6, 7, 8], [2, 4]), u32([1, 1]), of([1, 2, 3, 4, 5, 6, 7, 8], [2, 4]));
    expect(await values(rows)).toEqual([1, 2, 3, 4, 11, 14, 17, 20]);
  });

  it('refuses shapes and dtypes that do not fit', () => {
    for (const [name, op] of Object.entries(scatters)) {
      expect(() => op(f32([1, 2]), f32([1]), f32([1]))).toThrow(
        `${name}: ids must be u32 or i32, not f32; got x [2], ids [1], src [1]`,
      );
      expect(() => op(f32([1, 2]), u32([1]), f32([1, 2]))).toThrow(
        `${name}: ids and src must have one shape, that of x but for axis 0; got x [2], ids [1], src [2]`,
      );
    }
    expect(() => indexAdd(f32([1, 2]), u32([1]), f32([1, 2]))).toThrow(
      'indexAdd: ids must be [K], and src have the shape of x but for axis 0: K; got x [2], ids [1], src [2]',
    );
    expect(() => indexAdd(f32([1, 2]), f32([1]), f32([1]))).toThrow('indexAdd: ids must be u32 or i32, not f32');
    const mask = tensor(device.current, [true, false]);
    expect(() => indexAdd(mask, u32([0, 1]), mask)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: indexAdd: floats are needed: cast(x, 'f32') (x is bool, src is bool); got x [2], src [2]]`,
    );
    expect(() => scatterAdd(mask, u32([0, 1], [2, 1]), 1)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: scatterAdd: bool has no sums: cast(src, 'i32'); got src [2]]`,
    );
  });
});

describe('unique and nonzero', () => {
  it('finds distinct values in their order, with NaN as one value', async () => {
    const x = tensor(device.current, [3, Number.NaN, -0, 0, 3, Number.NaN, -1, Number.POSITIVE_INFINITY], [2, 4]);
    const { values, inverse, counts } = await unique(x);
    expect([...(await read(values))]).toEqual([-1, 0, 3, Number.POSITIVE_INFINITY, Number.NaN]);
    expect(inverse.shape).toEqual([2, 4]);
    expect([...(await readU32(inverse))]).toEqual([2, 4, 1, 1, 2, 4, 0, 3]);
    expect([...(await readU32(counts))]).toEqual([1, 2, 2, 1, 2]);
  });

  it('keeps the dtype, and takes nothing', async () => {
    const big = 4_000_000_000;
    const { values } = await unique(tensor(device.current, new Uint32Array([big, 1, big])));
    expect(values.dtype).toBe('u32');
    expect([...(await readU32(values))]).toEqual([1, big]);
    const none = await unique(tensor(device.current, [], [0, 2]));
    expect([none.values.shape, none.inverse.shape, none.counts.shape]).toEqual([[0], [0, 2], [0]]);
  });

  it('lists what is not 0', async () => {
    const found = await nonzero(tensor(device.current, [0, Number.NaN, 0, 0, -1, 2], [2, 3]));
    expect(found.shape).toEqual([3, 2]);
    expect([...(await readU32(found))]).toEqual([0, 1, 1, 1, 1, 2]);
    expect((await nonzero(tensor(device.current, [0, 0]))).shape).toEqual([0, 1]);
    expect((await nonzero(tensor(device.current, 5))).shape).toEqual([1, 0]);
  });

  it('cannot be computed in the body of a step', async () => {
    const made = step(device.current, { x: [2] }, ({ x }) => {
      void unique(x).catch(() => undefined);
      return x;
    });
    await expect(made).rejects.toThrow(/read: /);
  });
});
