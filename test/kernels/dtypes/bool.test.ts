import { describe, expect, it } from 'vitest';
import { attention } from '../../../src/kernels/attention/index.ts';
import { max, mean, min, sum } from '../../../src/kernels/axis/index.ts';
import { equal, greater, logicalAnd, logicalNot } from '../../../src/kernels/comparison/index.ts';
import { add, cast, gradients, maximum, mul, where } from '../../../src/kernels/elementwise/index.ts';
import { nonzero, unique } from '../../../src/kernels/indexing/index.ts';
import { concat, fillLike, flip, pad, permute, sort, stack, take } from '../../../src/kernels/layout/index.ts';
import { all, any, cumsum } from '../../../src/kernels/statistics/index.ts';
import { fill } from '../../../src/tensor/graph/fill.ts';
import { tensor, variable, write } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { jit } from '../../../src/tensor/run/jit.ts';
import { read, readAll, readBool, readI32, readU32 } from '../../../src/tensor/run/read.ts';
import { toArray, toText } from '../../../src/tensor/run/show.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const f32 = (values: readonly number[], shape: readonly number[] = [values.length]) =>
  tensor(device.current, values, shape);
const mask = (...values: boolean[]) => tensor(device.current, values);
const bits = async (x: Tensor) => [x.dtype, ...(await readBool(x))];

describe('bool', () => {
  it('is read as bytes, shown as true and false, and read by no other name', async () => {
    const x = greater(f32([1, -1, 0, 2], [2, 2]), 0);
    expect(await readBool(x)).toEqual(new Uint8Array([1, 0, 0, 1]));
    expect((await readAll([x, mask(true)]))[1]).toEqual(new Uint8Array([1]));
    expect(await toArray(x)).toEqual([
      [true, false],
      [false, true],
    ]);
    expect(await toArray(mask(true))).toEqual([true]);
    expect(await toText(x)).toBe('Tensor bool [2, 2]\n[[ true false]\n [false  true]]');
    await expect(read(x)).rejects.toThrow('read: this tensor is bool [2, 2]; use readBool');
    await expect(readU32(x)).rejects.toThrow('readU32: this tensor is bool [2, 2]; use readBool');
    await expect(readBool(f32([1]))).rejects.toThrow('readBool: this tensor is f32 [1]; use read');
  });

  it('multiplies as 1 and 0, on either side and stretched, and lets no gradient through', async () => {
    const x = f32([1, 2, 3, 4, 5, 6], [2, 3]);
    const kept = mask(true, false, true);
    expect([...(await read(mul(x, kept)))]).toEqual([1, 0, 3, 4, 0, 6]);
    expect([...(await read(add(kept, x)))]).toEqual([2, 2, 4, 5, 5, 7]);
    const [dx] = gradients(sum(mul(mul(x, kept), x)), [x]);
    expect([...(await read(dx))]).toEqual([2, 0, 6, 8, 0, 12]);
    expect(() => gradients(sum(mul(x, kept)), [kept])).toThrow('gradients: bool has no gradient; got of [3]');
    const whole = tensor(device.current, new Int32Array([5, -6, 7]));
    expect([...(await readI32(mul(whole, kept)))]).toEqual([5, 0, 7]);
    expect([...(await readI32(maximum(kept, whole)))]).toEqual([5, 0, 7]);
  });

  it('has no arithmetic of its own', () => {
    expect(() => add(mask(true), mask(true))).toThrow("add: floats are needed: cast(x, 'f32') (a is bool, b is bool)");
    expect(() => mul(mask(true), 2)).toThrow("mul: floats are needed: cast(x, 'f32') (a is bool); got a [1]");
    expect(() => equal(mask(true), 2)).toThrow("equal: b is 2, which is no bool: cast(x, 'f32') meets any number");
  });

  it('counts, and has extremes and means', async () => {
    const x = tensor(device.current, [
      [true, false, true],
      [false, false, true],
    ]);
    expect([...(await readI32(sum(x)))]).toEqual([3]);
    expect([...(await readI32(sum(x, { axes: 0 })))]).toEqual([1, 0, 2]);
    expect([...(await readI32(sum(mask(true), { axes: [] })))]).toEqual([1]);
    expect([...(await readI32(cumsum(x)))]).toEqual([1, 1, 2, 0, 0, 1]);
    expect([...(await read(mean(x, { axes: 1 })))].map((v) => v.toFixed(4))).toEqual(['0.6667', '0.3333']);
    expect(await bits(max(x, { axes: 0 }))).toEqual(['bool', 1, 0, 1]);
    expect(await bits(min(x, { axes: 1 }))).toEqual(['bool', 0, 0]);
    expect(await bits(any(x, { axes: 0 }))).toEqual(['bool', 1, 0, 1]);
    expect(await bits(all(x, { axes: 0 }))).toEqual(['bool', 0, 0, 1]);
  });

  it('is chosen by where, and chooses; u32 masks do so still', async () => {
    const words = tensor(device.current, [7, 0], [2], 'u32');
    expect(await bits(where(mask(true, false), mask(false, false), mask(true, true)))).toEqual(['bool', 0, 1]);
    expect(await bits(where(words, mask(false, false), 1))).toEqual(['bool', 0, 1]);
    expect([...(await read(where(mask(true, false), f32([1, 2]), 9)))]).toEqual([1, 9]);
    expect([...(await read(where(words, f32([1, 2]), 9)))]).toEqual([1, 9]);
    expect(await bits(logicalAnd(words, mask(true, true)))).toEqual(['bool', 1, 0]);
    const [q, k] = [f32([1, 0], [1, 1, 1, 2]), f32([1, 0, 0, 1], [1, 1, 2, 2])];
    const v = f32([1, 2, 3, 4], [1, 1, 2, 2]);
    expect([...(await read(attention(q, k, v, { mask: mask(false, true) })))]).toEqual([3, 4]);
  });

  it('moves as other tensors do, and is sorted and found', async () => {
    const x = tensor(device.current, [
      [true, false],
      [true, true],
    ]);
    expect(await bits(permute(x, [1, 0]))).toEqual(['bool', 1, 1, 0, 1]);
    expect(await bits(concat([x, logicalNot(x)], 1))).toEqual(['bool', 1, 0, 0, 1, 1, 1, 0, 0]);
    expect(await bits(pad(mask(true), [[1, 2]], { value: 1 }))).toEqual(['bool', 1, 1, 1, 1]);
    expect(await bits(flip(stack([mask(true), mask(false)])))).toEqual(['bool', 0, 1]);
    expect(await bits(sort(mask(true, false, true)).values)).toEqual(['bool', 0, 1, 1]);
    expect([...(await readU32(await nonzero(x)))]).toEqual([0, 0, 1, 0, 1, 1]);
    expect(await bits((await unique(x)).values)).toEqual(['bool', 0, 1]);
    expect(await bits(fillLike(x, 1))).toEqual(['bool', 1, 1, 1, 1]);
    expect(await bits(fill(device.current, [2], true, 'bool'))).toEqual(['bool', 1, 1]);
    expect(await bits(fill(device.current, [2], true))).toEqual(['bool', 1, 1]);
    expect([...(await read(fill(device.current, [2], true, 'f32')))]).toEqual([1, 1]);
    expect(() => fill(device.current, [2], 2, 'bool')).toThrow('fill: 2 is no bool');
    expect(() => pad(mask(true), [1], { value: -1 })).toThrow('pad: -1 is no value of bool');
    expect(() => take(f32([1, 2]), mask(true, false))).toThrow(
      'take: ids must be u32 or i32, not bool; where a mask is true, await nonzero(mask) tells; got x [2], ids [2]',
    );
  });

  it('comes from what is not 0, and goes to 1 and 0', async () => {
    const { NaN: none } = Number;
    expect(await bits(cast(f32([0, -0, 0.25, none]), 'bool'))).toEqual(['bool', 0, 0, 1, 1]);
    const words = [tensor(device.current, new Int32Array([-3, 0])), tensor(device.current, new Uint32Array([9, 0]))];
    for (const x of words) expect(await bits(cast(x, 'bool'))).toEqual(['bool', 1, 0]);
    expect([...(await read(cast(mask(true, false), 'f32')))]).toEqual([1, 0]);
    expect([...(await readU32(cast(mask(true, false), 'u32')))]).toEqual([1, 0]);
    expect([...(await readI32(cast(mask(true, false), 'i32')))]).toEqual([1, 0]);
  });

  it('is an input of steps and of jit, and a variable', async () => {
    using made = await step(device.current, { m: { shape: [3], dtype: 'bool' } }, ({ m }) => logicalNot(m), {
      check: true,
    });
    expect(await bits(made({ m: [true, false, true] }))).toEqual(['bool', 0, 1, 0]);
    expect(await bits(made({ m: new Uint8Array([0, 0, 1]) }))).toEqual(['bool', 1, 1, 0]);
    expect(
      await bits(made({ m: greater(f32([1, 0, 1]), 0).shape.map(() => [true, true, true])[0] as boolean[] })),
    ).toEqual(['bool', 0, 0, 0]);
    expect(() => made({ m: [2, 0, 1] })).toThrow(
      "step: input 'm' must be bool [3] (3 values); got 2 at [0], which is no bool",
    );
    using negated = jit(device.current, (m) => logicalNot(m));
    expect(await bits(await negated([true, false]))).toEqual(['bool', 0, 1]);
    const kept = variable(device.current, [2], [true, false]);
    write(kept, [0, 1]);
    expect(await bits(kept)).toEqual(['bool', 0, 1]);
  });
});
