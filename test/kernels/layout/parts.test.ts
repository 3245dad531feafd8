import { describe, expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { diagonal } from '../../../src/kernels/layout/diagonal.ts';
import { chunk, unbind } from '../../../src/kernels/layout/parts.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readBool, readI32 } from '../../../src/tensor/run/read.ts';
import { size } from '../../../src/tensor/values/shape.ts';
import { checkOp } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';
import { rearranged } from '../../support/rearranged.ts';

const device = useDevice();
const x = (...shape: number[]) =>
  tensor(
    device.current,
    Float32Array.from({ length: size(shape) }, (_, i) => i),
    shape,
  );
const shapesOf = (parts: readonly Tensor[]) => parts.map(({ shape }) => shape);

for (const [offset, cases] of [
  [0, [[[3, 5]], [[5, 3]], [[1, 1]], [[0, 3]]]],
  [2, [[[3, 5]], [[5, 3]], [[5, 2]]]],
  [-1, [[[3, 5]], [[17, 4]], [[1, 4]]]],
] as const)
  checkOp(`diagonal ${offset}`, (m) => diagonal(m, offset), {
    reference: ([m]) => {
      const [rows, cols] = m!.shape as [number, number];
      const places = Array.from({ length: rows }, (_, i) => [i, i + offset] as [number, number]).filter(
        ([, j]) => j >= 0 && j < cols,
      );
      return rearranged(m!, [places.length], ([k]) => places[k as number] as number[]);
    },
    cases,
  });
checkOp('diagonal of any two axes', (m) => diagonal(m, 1, -1, 1), {
  reference: ([m]) => {
    const [a, b, c, d] = m!.shape as [number, number, number, number];
    return rearranged(m!, [a, c, Math.max(0, Math.min(d, b - 1))], ([i, k, l]) => [i!, l! + 1, k!, l!]);
  },
  cases: [[[2, 4, 3, 5]], [[1, 5, 1, 2]]],
});
checkOp('chunk', (m) => chunk(m, 3, 1)[1] as Tensor, {
  reference: ([m]) => {
    const [rows, cols] = m!.shape as [number, number];
    const each = Math.ceil(cols / 3);
    return rearranged(m!, [rows, Math.min(each, cols - each)], ([i, j]) => [i!, j! + each]);
  },
  cases: [[[2, 7]], [[5, 2]], [[0, 3]]],
});
checkOp('unbind', (m) => unbind(m, -2)[1] as Tensor, {
  reference: ([m]) => {
    const [a, , c] = m!.shape as [number, number, number];
    return rearranged(m!, [a, c], ([i, k]) => [i!, 1, k!]);
  },
  cases: [[[2, 3, 5]], [[4, 2, 1]], [[0, 2, 3]]],
});

describe('parts of a tensor', () => {
  it('have the shapes of PyTorch', () => {
    expect(shapesOf(chunk(x(7, 2), 3))).toEqual([
      [3, 2],
      [3, 2],
      [1, 2],
    ]);
    expect(shapesOf(chunk(x(5), 4))).toEqual([[2], [2], [1]]);
    expect(shapesOf(chunk(x(2), 5))).toEqual([[1], [1]]);
    expect(shapesOf(chunk(x(0, 2), 3))).toEqual([
      [0, 2],
      [0, 2],
      [0, 2],
    ]);
    expect(shapesOf(unbind(x(2, 3), 1))).toEqual([[2], [2], [2]]);
    expect(shapesOf(unbind(x(3)))).toEqual([[], [], []]);
    expect(unbind(x(0, 2))).toEqual([]);
    expect(diagonal(x(2, 3, 4, 5)).shape).toEqual([4, 5, 2]);
    expect(diagonal(x(3, 2), 5).shape).toEqual([0]);
    expect(diagonal(x(3, 2), -3).shape).toEqual([0]);
  });

  it('are of any dtype', async () => {
    const i32 = tensor(device.current, new Int32Array([-1, 2, -3, 4]), [2, 2]);
    expect([...(await readI32(diagonal(i32)))]).toEqual([-1, 4]);
    expect([...(await readI32(chunk(i32, 2, 1)[1] as Tensor))]).toEqual([2, 4]);
    const mask = tensor(device.current, [true, false, false, true], [2, 2]);
    expect([...(await readBool(unbind(mask)[1] as Tensor))].map(Boolean)).toEqual([false, true]);
  });

  it('each get their gradient', async () => {
    const m = x(2, 3);
    const [first, , last] = unbind(m, 1) as [Tensor, Tensor, Tensor];
    const [dm] = gradients([first, last], [m], [tensor(device.current, [1, 2]), tensor(device.current, [3, 4])]);
    expect([...(await read(dm as Tensor))]).toEqual([1, 0, 3, 2, 0, 4]);
  });

  it('say what does not fit', () => {
    expect(() => chunk(x(4), 0)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: chunk: the count must be a whole number above 0 (0); got x [4]]`,
    );
    expect(() => chunk(x(4), 2, 1)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: chunk: axis 1 does not exist; got x [4]]`,
    );
    expect(() => unbind(x(4), 1)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: unbind: axis 1 does not exist; got x [4]]`,
    );
    expect(() => diagonal(x(4, 3), 0, 1, -1)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: diagonal: the axes 1 and -1 are the same; got x [4, 3]]`,
    );
    expect(() => diagonal(x(4, 3), 0.5)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: diagonal: the offset must be a whole number (0.5); got x [4, 3]]`,
    );
    expect(() => diagonal(x(4))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: diagonal: axis 1 does not exist; got x [4]]`,
    );
  });
});
