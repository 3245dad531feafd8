import { describe, expect, it } from 'vitest';
import {
  equal,
  greater,
  greaterEqual,
  isFinite as isFiniteOf,
  isInf,
  isNaN as isNaNOf,
  less,
  lessEqual,
  logicalAnd,
  logicalNot,
  logicalOr,
  logicalXor,
  notEqual,
} from '../../../src/kernels/comparison/index.ts';
import { mul, where } from '../../../src/kernels/elementwise/binary.ts';
import { cast } from '../../../src/kernels/elementwise/cast.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readBool } from '../../../src/tensor/run/read.ts';
import { run } from '../../../src/tensor/run/step.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const f32 = (...values: number[]) => tensor(device.current, values);
const u32 = (...values: number[]) => tensor(device.current, new Uint32Array(values));
const bits = async (mask: Tensor) => {
  expect(mask.dtype).toBe('bool');
  return [...(await readBool(mask))];
};

const comparisons = {
  equal: [equal, (a: number, b: number) => a === b],
  notEqual: [notEqual, (a: number, b: number) => a !== b],
  less: [less, (a: number, b: number) => a < b],
  lessEqual: [lessEqual, (a: number, b: number) => a <= b],
  greater: [greater, (a: number, b: number) => a > b],
  greaterEqual: [greaterEqual, (a: number, b: number) => a >= b],
} as const;

describe.each(Object.entries(comparisons))('%s', (name, [op, holds]) => {
  const { NaN: none, POSITIVE_INFINITY: top, NEGATIVE_INFINITY: bottom } = Number;
  const values = [none, top, bottom, 0, -0, 1, -1, 3.5, 3.4e38, -3.4e38].map(Math.fround);

  it('compares every value with every other, and with numbers', async () => {
    const column = tensor(device.current, values, [values.length, 1]);
    const want = values.flatMap((a) => values.map((b) => Number(holds(a, b))));
    expect(await bits(op(column, f32(...values)))).toEqual(want);
    for (const number of [none, bottom, 0, 3.5]) {
      expect(await bits(op(f32(...values), number))).toEqual(values.map((a) => Number(holds(a, number))));
      expect(await bits(op(number, f32(...values)))).toEqual(values.map((a) => Number(holds(number, a))));
    }
  });

  it('compares u32 exactly, where f32 would round', async () => {
    const [a, b] = [
      [0, 1, 16_777_217, 4_294_967_295, 4_294_967_294],
      [0, 2, 16_777_216, 4_294_967_295, 4_294_967_295],
    ];
    const want = a.map((one, i) => Number(holds(one, b[i] as number)));
    expect(await bits(op(u32(...a), u32(...b)))).toEqual(want);
    expect(await bits(op(u32(...a), 16_777_216))).toEqual(a.map((one) => Number(holds(one, 16_777_216))));
  });

  it('broadcasts odd sizes, and takes none', async () => {
    const x = Float32Array.from({ length: 65 * 7 }, (_, i) => i % 5);
    const row = [0, 1, 2, 3, 4, 2, 1];
    const got = await bits(op(tensor(device.current, x, [65, 7]), f32(...row)));
    expect(got).toEqual([...x].map((v, i) => Number(holds(v, row[i % 7] as number))));
    expect(await bits(op(tensor(device.current, [], [0, 3]), f32(1, 2, 3)))).toEqual([]);
  });

  it('says what it cannot compare', () => {
    expect(() => op(f32(1), f32(1, 2, 3).shape as never)).toThrow(
      `${name}: b must be a tensor or a number; it is a list`,
    );
    expect(() => op(1, 2)).toThrow(`${name}: a or b must be a tensor`);
    expect(() => op(f32(1, 2), f32(1, 2, 3))).toThrow(
      `${name}: axes must be equal, or 1, counted from the last; got a [2], b [3]`,
    );
    const half = tensor(device.current, [1], [1], 'f16');
    expect(() => op(f32(1), half)).toThrow(new RegExp(`^${name}: one dtype is needed`));
    expect(() => op(u32(1), -1)).toThrow(`${name}: b is -1, which is no u32: cast(x, 'f32') meets any number`);
  });
});

describe('logic', () => {
  const [p, q] = [
    [0, 0, 1, 1],
    [0, 1, 0, 1],
  ];
  const table = {
    logicalAnd: [logicalAnd, [0, 0, 0, 1]],
    logicalOr: [logicalOr, [0, 1, 1, 1]],
    logicalXor: [logicalXor, [0, 1, 1, 0]],
  } as const;

  it.each(Object.entries(table))('%s of masks and of floats', async (name, [op, want]) => {
    expect(await bits(op(u32(...p), u32(...q)))).toEqual(want);
    expect(await bits(op(f32(...p.map((v) => -0.5 * v)), u32(...q.map((v) => 7 * v))))).toEqual(want);
    expect(await bits(op(f32(...p.map((v) => (v ? Number.NaN : -0))), f32(...q)))).toEqual(want);
    expect(() => op(u32(1), 1 as never)).toThrow(
      `${name}: b must be a tensor; it is the number 1; for a number choose on the host`,
    );
    expect(() => op(u32(1, 2), u32(1, 2, 3))).toThrow(/axes must be equal, or 1/);
  });

  it('logicalNot', async () => {
    expect(await bits(logicalNot(u32(0, 1, 9, 0, 0)))).toEqual([1, 0, 0, 1, 1]);
    expect(await bits(logicalNot(f32(0, -0, 0.5, Number.NaN)))).toEqual([1, 1, 0, 0]);
  });

  it('finds NaN and infinities by their bits', async () => {
    // Computed, so that no compiler knows them.
    const zero = f32(0, 0, 0, 0, 0);
    const x = mul(f32(1, Number.POSITIVE_INFINITY, 3e38, Number.NEGATIVE_INFINITY, Number.NaN), f32(2, 0, 10, 1, 1));
    expect(await bits(isNaNOf(x))).toEqual([0, 1, 0, 0, 1]);
    expect(await bits(isInf(x))).toEqual([0, 0, 1, 1, 0]);
    expect(await bits(isFiniteOf(x))).toEqual([1, 0, 0, 0, 0]);
    expect(await bits(isNaNOf(zero))).toEqual([0, 0, 0, 0, 0]);
    expect(() => isNaNOf(u32(1))).toThrow(/^isNaN: floats are needed/);
  });
});

describe('masks', () => {
  it('are what where takes, and stop gradients', async () => {
    const x = f32(-2, -1, 0, 1, 2);
    const y = where(greaterEqual(x, 0), mul(x, x), mul(-1, x));
    const [dx] = gradients(y, [x], f32(1, 1, 1, 1, 1));
    expect([...(await read(y))]).toEqual([2, 1, 0, 1, 4]);
    expect([...(await read(dx))]).toEqual([-1, -1, 0, 2, 4]);
  });

  it('are written whole in check mode', async () => {
    const x = f32(1, 2, 3, 4, 5, 6, 7);
    const made = await run(device.current, () => cast(less(x, 4), 'f32'), { check: true });
    expect([...made]).toEqual([1, 1, 1, 0, 0, 0, 0]);
  });
});
