import { describe, expect, it } from 'vitest';
import { argmax, argmin, argsort, max, mean, min, sum } from '../../../src/kernels/axis/index.ts';
import { equal, greater, less } from '../../../src/kernels/comparison/index.ts';
import {
  abs,
  add,
  assign,
  cast,
  clamp,
  div,
  exp,
  gradients,
  maximum,
  minimum,
  mul,
  neg,
  relu,
  scale,
  sign,
  square,
  sub,
  where,
} from '../../../src/kernels/elementwise/index.ts';
import { floor, floorDivide, pow, remainder } from '../../../src/kernels/functions/index.ts';
import { indexAdd, scatterAlongAxis, unique } from '../../../src/kernels/indexing/index.ts';
import {
  arange,
  concat,
  embedding,
  oneHot,
  onesLike,
  pad,
  permute,
  sort,
  take,
  takeAlongAxis,
  takeRows,
  topK,
  tril,
} from '../../../src/kernels/layout/index.ts';
import { crossEntropy } from '../../../src/kernels/row-ops/index.ts';
import { cumprod, cumsum, prod } from '../../../src/kernels/statistics/index.ts';
import { fill } from '../../../src/tensor/graph/fill.ts';
import { tensor, variable } from '../../../src/tensor/graph/host-tensors.ts';
import { scan } from '../../../src/tensor/graph/scan.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { jit } from '../../../src/tensor/run/jit.ts';
import { read, readAll, readBool, readI32, readU32 } from '../../../src/tensor/run/read.ts';
import { toArray, toText } from '../../../src/tensor/run/show.ts';
import { run } from '../../../src/tensor/run/step.ts';
import { seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const [low, high] = [-(2 ** 31), 2 ** 31 - 1];
const i32 = (values: readonly number[], shape: readonly number[] = [values.length]) =>
  tensor(device.current, values, shape, 'i32');
const f32 = (values: readonly number[], shape: readonly number[] = [values.length]) =>
  tensor(device.current, values, shape);
const ints = async (x: Tensor) => [...(await readI32(x))];
/** Products beyond 2⁵³ are not exact in float64. */
const wrapped = (value: bigint) => Number(BigInt.asIntN(32, value));

describe('i32', () => {
  it('comes from an Int32Array and is read as one', async () => {
    const x = tensor(device.current, new Int32Array([low, -1, 0, high]), [2, 2]);
    expect(await readI32(x)).toEqual(new Int32Array([low, -1, 0, high]));
    expect((await readAll([permute(x, [1, 0])]))[0]).toEqual(new Int32Array([low, 0, -1, high]));
    expect(await toArray(x)).toEqual([
      [low, -1],
      [0, high],
    ]);
    expect(await toText(x)).toBe('Tensor i32 [2, 2]\n[[-2147483648          -1]\n [          0  2147483647]]');
    await expect(read(x)).rejects.toThrow('read: this tensor is i32 [2, 2]; use readI32');
    expect(await ints(arange(device.current, -2, 7, 3, 'i32'))).toEqual([-2, 1, 4]);
    expect(await ints(fill(device.current, [3], -7, 'i32'))).toEqual([-7, -7, -7]);
    expect(await ints(onesLike(x))).toEqual([1, 1, 1, 1]);
    expect(() => fill(device.current, [3], 0.5, 'i32')).toThrow('fill: 0.5 is no i32');
  });

  it('adds, multiplies and compares exactly, modulo 2³², stretched and with numbers', async () => {
    const random = seeded(3);
    const edges = [low, low + 1, -1, 0, 1, 2 ** 24 + 1, high];
    const values = [...edges, ...Array.from({ length: 14 }, () => Math.floor(random() * 200) - 100)];
    const [column, line] = [i32(values, [values.length, 1]), i32(values)];
    const pairs = values.flatMap((a) => values.map((b) => [BigInt(a), BigInt(b)] as const));
    const floorOf = (a: bigint, b: bigint) => (a - (((a % b) + b) % b)) / b;
    const cases: Record<string, readonly [(a: Tensor, b: Tensor) => Tensor, (a: bigint, b: bigint) => bigint]> = {
      add: [add, (a, b) => a + b],
      sub: [sub, (a, b) => a - b],
      mul: [mul, (a, b) => a * b],
      maximum: [maximum, (a, b) => (a > b ? a : b)],
      minimum: [minimum, (a, b) => (a < b ? a : b)],
      remainder: [remainder, (a, b) => (b === 0n ? 0n : ((a % b) + b) % b)],
      floorDivide: [floorDivide, (a, b) => (b === 0n ? 0n : floorOf(a, b))],
    };
    for (const [name, [op, reference]] of Object.entries(cases)) {
      expect([name, ...(await ints(op(column, line)))]).toEqual([
        name,
        ...pairs.map(([a, b]) => wrapped(reference(a, b))),
      ]);
    }
    expect([...(await readBool(less(column, line)))]).toEqual(pairs.map(([a, b]) => Number(a < b)));
    expect([...(await readBool(equal(column, line)))]).toEqual(pairs.map(([a, b]) => Number(a === b)));
    expect([...(await readBool(greater(line, -1)))]).toEqual(values.map((a) => Number(a > -1)));
    expect(await ints(sub(1, i32([5, -5])))).toEqual([-4, 6]);
    expect(await ints(remainder(i32([7, -7]), -3))).toEqual([-2, -1]);
  });

  it('has the functions of one operand that whole numbers have', async () => {
    const x = i32([low, -3, 0, 5]);
    expect(await ints(neg(x))).toEqual([low, 3, 0, -5]);
    expect(await ints(abs(x))).toEqual([low, 3, 0, 5]);
    expect(await ints(sign(x))).toEqual([-1, -1, 0, 1]);
    expect(await ints(square(x))).toEqual([0, 9, 0, 25]);
    expect(await ints(relu(x))).toEqual([0, 0, 0, 5]);
    expect(await ints(floor(x))).toEqual([low, -3, 0, 5]);
    expect(await ints(scale(x, -2))).toEqual([0, 6, 0, -10]);
    expect(await ints(clamp(x, -2, 3))).toEqual([-2, -2, 0, 3]);
    expect(await ints(clamp(x, 1, Number.POSITIVE_INFINITY))).toEqual([1, 1, 1, 5]);
    expect(() => exp(x)).toThrow("exp: floats are needed: cast(x, 'f32') (x is i32); got x [4]");
    expect(() => pow(x, 2)).toThrow("pow: floats are needed: cast(x, 'f32') (a is i32); got a [4]");
    expect(() => add(x, 0.5)).toThrow("add: b is 0.5, which is no i32: cast(x, 'f32') meets any number");
  });

  it('becomes float where it meets floats, and by div', async () => {
    const [x, n] = [f32([0.5, 1.5]), i32([2, -3])];
    expect([...(await read(mul(x, n)))]).toEqual([1, -4.5]);
    expect([...(await readBool(less(x, n)))]).toEqual([1, 0]);
    expect([...(await read(div(n, i32([4, 2]))))]).toEqual([0.5, -1.5]);
    expect([...(await read(div(n, 4)))]).toEqual([0.5, -0.75]);
    const [dx] = gradients(sum(mul(x, n)), [x]);
    expect([...(await read(dx))]).toEqual([2, -3]);
    const [back] = gradients(sum(div(x, n)), [x]);
    expect([...(await read(back))]).toEqual([0.5, Math.fround(-1 / 3)]);
    expect(() => gradients(sum(mul(x, n)), [n])).toThrow('gradients: i32 has no gradient; got of [2]');
    expect(await ints(where(greater(x, 1), n, 7))).toEqual([7, -3]);
  });

  it('is cut toward zero from floats, and wraps from u32', async () => {
    const { NaN: none, POSITIVE_INFINITY: top, NEGATIVE_INFINITY: bottom } = Number;
    const x = f32([0.9, -0.9, 2.5, -2.5, none, top, bottom, 2 ** 31, -(2 ** 31), 2147483520]);
    expect(await ints(cast(x, 'i32'))).toEqual([0, 0, 2, -2, 0, high, low, high, low, 2147483520]);
    expect(await ints(cast(tensor(device.current, new Uint32Array([1, 2 ** 32 - 1])), 'i32'))).toEqual([1, -1]);
    expect([...(await readU32(cast(i32([1, -1]), 'u32')))]).toEqual([1, 2 ** 32 - 1]);
    expect([...(await read(cast(i32([-5, 2 ** 24 + 1, low]), 'f32')))]).toEqual([-5, 2 ** 24, low]);
    if (device.current.features.has('shader-f16')) {
      expect([...(await read(cast(cast(i32([-5, 7]), 'f16'), 'f32')))]).toEqual([-5, 7]);
    }
  });

  for (const [shape, axis] of [
    [[1], 0],
    [[3, 129, 2], 1],
    [[5, 67], 1],
    [[9, 4], 0],
    [[70_000], 0],
  ] as readonly (readonly [readonly number[], number])[]) {
    it(`is summed, multiplied and ordered along axis ${axis} of [${shape}]`, async () => {
      const random = seeded(shape.length);
      const n = shape.reduce((a, b) => a * b, 1);
      const values = Int32Array.from({ length: n }, () => (random() < 0.1 ? high : Math.floor(random() * 2000) - 1000));
      const x = tensor(device.current, values, shape);
      const length = shape[axis] as number;
      const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
      const rows = Array.from({ length: n / length }, (_, row) =>
        Array.from({ length }, (_, j) => {
          return BigInt(values[(Math.floor(row / inner) * length + j) * inner + (row % inner)] as number);
        }),
      );
      const along = (start: bigint, next: (s: bigint, v: bigint) => bigint) =>
        rows.map((row) => wrapped(row.reduce(next, start)));
      const [sums, products] = [along(0n, (s, v) => s + v), along(1n, (s, v) => BigInt.asIntN(32, s * v))];
      const [tops, bottoms] = [
        along(BigInt(low), (s, v) => (v > s ? v : s)),
        along(BigInt(high), (s, v) => (v < s ? v : s)),
      ];
      expect(await ints(sum(x, { axes: axis }))).toEqual(sums);
      expect(await ints(prod(x, { axes: axis }))).toEqual(products);
      expect(await ints(max(x, { axes: axis }))).toEqual(tops);
      expect(await ints(min(x, { axes: axis }))).toEqual(bottoms);
      const places = (of: number[]) => rows.map((row, i) => row.indexOf(BigInt(of[i] as number)));
      expect([...(await readU32(argmax(x, axis)))]).toEqual(places(tops));
      expect([...(await readU32(argmin(x, axis)))]).toEqual(places(bottoms));
      const running = await ints(cumsum(x, axis));
      const last = rows.map(
        (_, row) => running[(Math.floor(row / inner) * length + length - 1) * inner + (row % inner)],
      );
      expect(last).toEqual(sums);
    });
  }

  it('is reduced over several axes and over none, and is nothing of nothing', async () => {
    const x = i32([1, 2, 3, 4, 5, 6, 7, -8], [2, 2, 2]);
    expect(await ints(sum(x, { axes: [0, 2], keepDims: true }))).toEqual([14, 6]);
    expect(sum(x, { axes: [0, 2], keepDims: true }).shape).toEqual([1, 2, 1]);
    expect(await ints(max(x, { axes: [0, 2] }))).toEqual([6, 7]);
    expect(await ints(sum(x, { axes: [] }))).toEqual(await ints(x));
    expect([...(await read(mean(x)))]).toEqual([2.5]);
    expect([...(await read(mean(x, { axes: [] })))]).toEqual([1, 2, 3, 4, 5, 6, 7, -8]);
    const none = i32([], [2, 0]);
    expect([...(await ints(sum(none, { axes: 1 }))), ...(await ints(prod(none, { axes: 1 })))]).toEqual([0, 0, 1, 1]);
    expect(() => max(none, { axes: 1 })).toThrow('max: there is no max of nothing; got x [2, 0]');
    expect(() => argmax(none)).toThrow('argmax: axis -1 is empty; got x [2, 0]');
  });

  it('is sorted with its sign, and runs', async () => {
    const x = i32([5, low, -1, high, 0, -1]);
    expect([...(await readU32(argsort(x)))]).toEqual([1, 2, 5, 4, 0, 3]);
    expect(await ints(sort(x, { descending: true }).values)).toEqual([high, 5, 0, -1, -1, low]);
    expect(await ints(topK(x, 2).values)).toEqual([high, 5]);
    expect(await ints((await unique(x)).values)).toEqual([low, -1, 0, 5, high]);
    expect(await ints(cumsum(i32([1, 2, 3]), 0, { reverse: true, exclusive: true }))).toEqual([5, 3, 0]);
    expect(await ints(cumprod(i32([2, -3, 4])))).toEqual([2, -6, -24]);
  });

  it('moves as other tensors do', async () => {
    const x = i32([1, -2, 3, -4, 5, -6], [2, 3]);
    expect(await ints(concat([x, i32([7, 8], [2, 1])], 1))).toEqual([1, -2, 3, 7, -4, 5, -6, 8]);
    expect(await ints(pad(x, [0, [1, 0]], { value: -9 }))).toEqual([-9, 1, -2, 3, -9, -4, 5, -6]);
    expect(await ints(tril(x))).toEqual([1, 0, 0, -4, 5, 0]);
  });

  it('is an index that counts from the end where it is negative', async () => {
    const x = f32([1, 2, 3, 4, 5, 6], [2, 3]);
    const ids = i32([-1, 0, -3, -4, 3]);
    expect([...(await read(take(x, ids, 1)))]).toEqual([3, 1, 1, 0, 0, 6, 4, 4, 0, 0]);
    expect([...(await read(takeAlongAxis(x, i32([-1, 0], [2, 1]))))]).toEqual([3, 4]);
    expect([...(await read(takeRows(f32([1, 2, 3], [1, 3]), i32([-2], [1, 1]))))]).toEqual([2]);
    expect([...(await read(indexAdd(f32([1, 2, 3]), i32([-1, 0]), f32([10, 20]))))]).toEqual([21, 2, 13]);
    expect([...(await read(scatterAlongAxis(f32([1, 2, 3]), i32([-1, 0]), f32([8, 9]))))]).toEqual([9, 2, 8]);
    const [dx] = gradients(sum(take(f32([1, 2, 3]), i32([-1, -1]))), [x]);
    expect([...(await read(dx))]).toEqual([0, 0, 0, 0, 0, 0]);
    const own = f32([1, 2, 3]);
    const [back] = gradients(sum(take(own, i32([-1, -1, 0]))), [own]);
    expect([...(await read(back))]).toEqual([1, 0, 2]);
    // What is a class or a word has no end to count from.
    expect([...(await read(oneHot(i32([1, -1]), 2)))]).toEqual([0, 1, 0, 0]);
    expect([...(await read(embedding(f32([1, 2, 3], [3, 1]), i32([2, -1]))))]).toEqual([3, 0]);
  });

  it('is a class of cross entropy, of which -100 may be passed over', async () => {
    const logits = f32([0, 0, 1, 3, 5, 1], [3, 2]);
    const of = (classes: Tensor, ignoreIndex?: number) => crossEntropy(logits, classes, { ignoreIndex });
    const [got] = await read(of(i32([0, 1, -100]), -100));
    const [want] = await read(of(tensor(device.current, new Uint32Array([0, 1, 9])), 9));
    expect(got).toBe(want);
    expect([...(await read(of(i32([0, 1, -1]))))]).toEqual([Number.NaN]);
    expect(() => of(i32([0, 1, 1]), 0.5)).toThrow('crossEntropy: 0.5 is no class: ignoreIndex must be a i32');
  });

  it('is kept by steps, scans, jit and variables', async () => {
    const total = variable(device.current, [2], undefined, 'i32');
    await run(device.current, () => void assign(total, add(total, i32([1, -2]))));
    await run(device.current, () => void assign(total, add(total, i32([1, -2]))));
    expect(await ints(total)).toEqual([2, -4]);
    using twice = jit(device.current, (x) => mul(x, 2));
    expect(await ints(await twice(new Int32Array([3, -4])))).toEqual([6, -8]);
    const [last] = scan((s, n) => [add(s, mul(s, n)), undefined], f32([1]), i32([1, 2, 3], [3, 1]));
    expect([...(await read(last))]).toEqual([24]);
  });
});
