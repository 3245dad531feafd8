import { describe, expect, it } from 'vitest';
import { argsort, groupById } from '../../../src/kernels/axis/argsort.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { readAll, readU32 } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

/** Row by row: JavaScript's sort is stable. NaN last, −0 equals 0. */
function reference(x: ArrayLike<number>, cols: number): number[] {
  const result: number[] = [];
  for (let start = 0; start < x.length; start += cols) {
    const at = (i: number) => x[start + i] as number;
    const order = Array.from({ length: cols }, (_, i) => i);
    order.sort((a, b) => {
      if (Number.isNaN(at(a)) || Number.isNaN(at(b))) return Number(Number.isNaN(at(a))) - Number(Number.isNaN(at(b)));
      return at(a) < at(b) ? -1 : at(a) > at(b) ? 1 : 0;
    });
    result.push(...order);
  }
  return result;
}

async function check(values: ArrayLike<number>, rows: number, cols: number): Promise<void> {
  const x = Float32Array.from(values);
  const y = await readU32(argsort(tensor(device.current, x, [rows, cols])));
  expect([...y]).toEqual(reference(x, cols));
}

describe('argsort', () => {
  it.each([3, 200, 1000])('sorts %i in descending order: NaN first, equal ones in their order', async (cols) => {
    const random = seeded(cols);
    const values = Array.from({ length: 2 * cols }, (_, i) =>
      i % 13 === 5 ? Number.NaN : Math.round(random() * 20) - 10,
    );
    const x = tensor(device.current, values, [2, cols]);
    const negative = values.map((value) => -value);
    const want = [0, cols].flatMap((start) => {
      const row = negative.slice(start, start + cols);
      const isNumber = (i: number) => !Number.isNaN(row[i]);
      const order = reference(row, cols);
      return [...order.filter((i) => !isNumber(i)), ...order.filter(isNumber)];
    });
    expect([...(await readU32(argsort(x, { descending: true })))]).toEqual(want);
    const ids = tensor(device.current, new Uint32Array([1, 0xffffffff, 0]));
    expect([...(await readU32(argsort(ids, { descending: true })))]).toEqual([1, 0, 2]);
  });

  for (const [rows, cols] of [
    [1, 1],
    [3, 2],
    [5, 3],
    [2, 17],
    [3, 64],
    [7, 65],
    [4, 196],
    [3, 197],
    [2, 1000],
    [2, 1024],
    [2, 1025],
    [3, 2049],
    [2, 5000],
    [1, 70000],
  ] as const) {
    it(`sorts [${rows}, ${cols}]`, async () => {
      const random = seeded(rows * 100003 + cols);
      await check(
        Array.from({ length: rows * cols }, () => normal(random) * 1e3),
        rows,
        cols,
      );
    });

    it(`is stable on [${rows}, ${cols}]`, async () => {
      const random = seeded(rows * 100003 + cols + 1);
      await check(
        Array.from({ length: rows * cols }, () => Math.floor(random() * 5) - 2),
        rows,
        cols,
      );
    });
  }

  it('sorts what is hard to compare', async () => {
    const hard = [Number.NaN, 0, -0, Infinity, 1e-38, -1e-38, -Infinity, 3.4e38, -3.4e38, Number.NaN, -1, 1, -0, 0, 1];
    await check(hard, 1, hard.length);
    await check(new Array(100).fill(Number.NaN), 1, 100);
    await check(
      Array.from({ length: 3000 }, (_, i) => hard[(i * 7) % hard.length] as number),
      1,
      3000,
    );
    // Negative NaN is NaN as well.
    const bits = new Float32Array(new Uint32Array([0xffc00000, 0x3f800000, 0xff800000]).buffer);
    expect([...(await readU32(argsort(tensor(device.current, bits))))]).toEqual([2, 1, 0]);
  });

  it('sorts u32 as numbers', async () => {
    const x = new Uint32Array([5, 0xffffffff, 0, 0x80000000, 0x7fffffff, 5]);
    expect([...(await readU32(argsort(tensor(device.current, x))))]).toEqual([2, 0, 5, 4, 3, 1]);
  });

  it('sorts many short rows, and takes one launch', async () => {
    const random = seeded(3);
    const x = Float32Array.from({ length: 70000 * 3 }, () => Math.floor(random() * 9));
    using sorted = await step(device.current, {}, () => argsort(tensor(device.current, x, [70000, 3])));
    expect(sorted.launches.length).toBe(1);
    const [got, want] = [await readU32(sorted({})), reference(x, 3)];
    expect([got.length, want.findIndex((place, i) => place !== got[i])]).toEqual([want.length, -1]);
  });

  it('takes rows without elements and no rows', async () => {
    expect(await readU32(argsort(tensor(device.current, new Float32Array(0), [3, 0])))).toEqual(new Uint32Array(0));
    expect(await readU32(argsort(tensor(device.current, new Float32Array(0), [0, 3])))).toEqual(new Uint32Array(0));
  });

  it('refuses scalars', () => {
    expect(() => argsort(tensor(device.current, 1))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: argsort: a scalar has no axis to sort along; got x []]`,
    );
  });
});

describe('groupById', () => {
  it('lists the sources of each destination in order', async () => {
    const ids = tensor(device.current, new Uint32Array([2, 0, 2, 9, 2, 1, 1, 1, 1, 0xffffffff]), [2, 5]);
    const { order, starts } = groupById(ids, 4);
    expect((await readAll([order, starts])).map((values) => [...values])).toEqual([
      [1, 0, 2, 4, 3, 0, 1, 2, 3, 4],
      [0, 1, 1, 4, 4, 0, 0, 4, 4, 4],
    ]);
  });
});
