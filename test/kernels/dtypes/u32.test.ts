import { describe, expect, it } from 'vitest';
import { argmax, argmin, max, mean, min, sum } from '../../../src/kernels/axis/index.ts';
import { equal, greater, greaterEqual, less, lessEqual, notEqual } from '../../../src/kernels/comparison/index.ts';
import {
  abs,
  add,
  clamp,
  div,
  exp,
  gradients,
  maximum,
  minimum,
  mul,
  neg,
  relu,
  sign,
  square,
  sub,
  where,
} from '../../../src/kernels/elementwise/index.ts';
import { ceil, floorDivide, remainder } from '../../../src/kernels/functions/index.ts';
import { cumprod, cumsum, prod } from '../../../src/kernels/statistics/index.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readBool, readI32, readU32 } from '../../../src/tensor/run/read.ts';
import { seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const [half, top] = [2 ** 31, 2 ** 32 - 1];
const u32 = (values: readonly number[], shape: readonly number[] = [values.length]) =>
  tensor(device.current, values, shape, 'u32');
const i32 = (values: readonly number[]) => tensor(device.current, values, [values.length], 'i32');
const words = async (x: Tensor) => [...(await readU32(x))];
const wrapped = (value: bigint) => Number(BigInt.asUintN(32, value));

describe('u32', () => {
  it('adds, multiplies and divides exactly, modulo 2³²', async () => {
    const values = [0, 1, 2, 7, 2 ** 24 + 1, half - 1, half, top];
    const [column, line] = [u32(values, [values.length, 1]), u32(values)];
    const pairs = values.flatMap((a) => values.map((b) => [BigInt(a), BigInt(b)] as const));
    const cases: Record<string, readonly [(a: Tensor, b: Tensor) => Tensor, (a: bigint, b: bigint) => bigint]> = {
      add: [add, (a, b) => a + b],
      sub: [sub, (a, b) => a - b],
      mul: [mul, (a, b) => a * b],
      maximum: [maximum, (a, b) => (a > b ? a : b)],
      minimum: [minimum, (a, b) => (a < b ? a : b)],
      remainder: [remainder, (a, b) => (b === 0n ? 0n : a % b)],
      floorDivide: [floorDivide, (a, b) => (b === 0n ? 0n : a / b)],
    };
    for (const [name, [op, reference]] of Object.entries(cases)) {
      const want = pairs.map(([a, b]) => wrapped(reference(a, b)));
      expect([name, ...(await words(op(column, line)))]).toEqual([name, ...want]);
    }
    expect(await words(add(line, 1))).toEqual([1, 2, 3, 8, 2 ** 24 + 2, half, half + 1, 0]);
    expect([...(await read(div(u32([top, 3]), u32([1, 2]))))]).toEqual([2 ** 32, 1.5]);
    expect(() => add(line, 0.5)).toThrow("add: b is 0.5, which is no u32: cast(x, 'f32') meets any number");
    expect(() => mul(line, -1)).toThrow("mul: b is -1, which is no u32: cast(x, 'f32') meets any number");
  });

  it('has the functions of one operand that whole numbers have', async () => {
    const x = u32([0, 3, half, top]);
    for (const op of [abs, relu, ceil]) expect(await words(op(x))).toEqual([0, 3, half, top]);
    expect(await words(neg(x))).toEqual([0, 2 ** 32 - 3, half, 1]);
    expect(await words(sign(x))).toEqual([0, 1, 1, 1]);
    expect(await words(square(x))).toEqual([0, 9, 0, 1]);
    expect(await words(clamp(x, 2, half))).toEqual([2, 3, half, half]);
    expect(await words(clamp(x, Number.NEGATIVE_INFINITY, 5))).toEqual([0, 3, 5, 5]);
    expect(() => clamp(x, -1, 5)).toThrow("clamp: the number is -1, which is no u32: cast(x, 'f32') meets any number");
    expect(() => exp(x)).toThrow("exp: floats are needed: cast(x, 'f32') (x is u32); got x [4]");
  });

  it('is compared with i32 by value, and is the accuracy of labels', async () => {
    const [us, is] = [
      [0, 1, 5, half, top],
      [0, -1, 5, -(2 ** 31), 7],
    ];
    const all = us.flatMap((u) => is.map((i) => [u, i] as const));
    const [u, i] = [u32(all.map(([one]) => one)), i32(all.map(([, other]) => other))];
    const cases: readonly (readonly [(a: Tensor, b: Tensor) => Tensor, (a: number, b: number) => boolean])[] = [
      [equal, (a, b) => a === b],
      [notEqual, (a, b) => a !== b],
      [less, (a, b) => a < b],
      [lessEqual, (a, b) => a <= b],
      [greater, (a, b) => a > b],
      [greaterEqual, (a, b) => a >= b],
    ];
    for (const [op, holds] of cases) {
      expect([...(await readBool(op(u, i)))], op.name).toEqual(all.map(([a, b]) => Number(holds(a, b))));
      expect([...(await readBool(op(i, u)))], op.name).toEqual(all.map(([a, b]) => Number(holds(b, a))));
    }
    const mask = tensor(device.current, [true, false, true]);
    expect([...(await readBool(equal(mask, i32([1, 0, -1]))))]).toEqual([1, 1, 0]);
    const scores = tensor(device.current, [1, 9, 9, 1, 5, 2], [3, 2]);
    expect([...(await read(mean(equal(argmax(scores, 1), i32([1, 1, 0])))))]).toEqual([Math.fround(2 / 3)]);
  });

  it('becomes i32 or float where it meets one', async () => {
    expect([...(await readI32(sub(u32([3, 5]), i32([4, -1]))))]).toEqual([-1, 6]);
    const x = tensor(device.current, [0.5, -2]);
    expect([...(await read(mul(x, u32([3, 4]))))]).toEqual([1.5, -8]);
    const [dx] = gradients(sum(mul(x, u32([3, 4]))), [x]);
    expect([...(await read(dx))]).toEqual([3, 4]);
    expect([...(await readBool(less(x, u32([1, 0]))))]).toEqual([1, 1]);
    expect(await words(where(tensor(device.current, [true, false]), u32([top, 1]), 7))).toEqual([top, 7]);
    const flags = tensor(device.current, [true, false]);
    expect(await words(add(u32([top, 1]), flags))).toEqual([0, 1]);
  });

  for (const [shape, axis] of [
    [[1], 0],
    [[3, 129, 2], 1],
    [[5, 67], 1],
  ] as readonly (readonly [readonly number[], number])[]) {
    it(`is reduced along axis ${axis} of [${shape}]`, async () => {
      const random = seeded(shape.length);
      const n = shape.reduce((a, b) => a * b, 1);
      const values = Uint32Array.from({ length: n }, () => Math.floor(random() * 2 ** 32));
      const x = tensor(device.current, values, shape);
      const length = shape[axis] as number;
      const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
      const rows = Array.from({ length: n / length }, (_, row) =>
        Array.from(
          { length },
          (_, j) => values[(Math.floor(row / inner) * length + j) * inner + (row % inner)] as number,
        ),
      );
      const along = (start: bigint, next: (s: bigint, v: bigint) => bigint) =>
        rows.map((row) => wrapped(row.map(BigInt).reduce(next, start)));
      const sums = along(0n, (s, v) => s + v);
      expect(await words(sum(x, { axes: axis }))).toEqual(sums);
      const products = along(1n, (s, v) => BigInt.asUintN(32, s * v));
      expect(await words(prod(x, { axes: axis }))).toEqual(products);
      expect(await words(max(x, { axes: axis }))).toEqual(rows.map((row) => Math.max(...row)));
      expect(await words(min(x, { axes: axis }))).toEqual(rows.map((row) => Math.min(...row)));
      expect(await words(argmax(x, axis))).toEqual(rows.map((row) => row.indexOf(Math.max(...row))));
      expect(await words(argmin(x, axis))).toEqual(rows.map((row) => row.indexOf(Math.min(...row))));
      const last = (y: readonly number[]) =>
        rows.map((_, row) => y[(Math.floor(row / inner) * length + length - 1) * inner + (row % inner)]);
      expect(last(await words(cumsum(x, axis)))).toEqual(sums);
      expect(last(await words(cumprod(x, axis)))).toEqual(products);
      for (const value of await read(mean(x, { axes: axis }))) expect(value).toBeGreaterThan(0);
    });
  }

  it('keeps what f32 would round', async () => {
    expect(await words(max(u32([16777217, 3])))).toEqual([16777217]);
    expect(await words(sum(u32([16777216, 1])))).toEqual([16777217]);
    expect([...(await read(mean(u32([half, half + 2 ** 10]))))]).toEqual([half + 2 ** 9]);
  });
});
