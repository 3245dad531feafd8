import { expect, it } from 'vitest';
import { diff } from '../../../src/kernels/statistics/index.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { readBool, readI32, readU32 } from '../../../src/tensor/run/read.ts';
import { checkOp, type Ref, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

/** Of the rows of a matrix, once. */
function ofRows(x: Ref): Ref {
  const [rows, cols] = x.shape as [number, number];
  const left = Math.max(0, cols - 1);
  return ref(
    [rows, left],
    Array.from({ length: rows * left }, (_, n) => {
      const at = Math.floor(n / left) * cols + (n % left);
      return (x.data[at + 1] as number) - (x.data[at] as number);
    }),
  );
}
const cases = [[[3, 7]], [[5, 2]], [[2, 1]], [[2, 0]], [[0, 3]]] as const;
checkOp('diff', (x) => diff(x), { reference: ([x]) => ofRows(x as Ref), cases });
checkOp('diff, twice', (x) => diff(x, 2), { reference: ([x]) => ofRows(ofRows(x as Ref)), cases });
checkOp('diff, no times', (x) => diff(x, 0), { reference: ([x]) => x as Ref, cases: [[[3, 7]]] });
checkOp('diff along the first axis', (x) => diff(x, 1, 0), {
  reference: ([x]) => {
    const [rows, cols] = (x as Ref).shape as [number, number];
    return ref(
      [rows - 1, cols],
      (x as Ref).data.slice(cols).map((v, i) => v - ((x as Ref).data[i] as number)),
    );
  },
  cases: [[[4, 3]], [[2, 17]]],
});

it('diff is of integers, which wrap around, and of bool: whether they differ', async () => {
  const { current } = device;
  expect([...(await readI32(diff(tensor(current, new Int32Array([3, -4, 10])))))]).toEqual([-7, 14]);
  expect([...(await readU32(diff(tensor(current, new Uint32Array([3, 2, 5])))))]).toEqual([2 ** 32 - 1, 3]);
  expect([...(await readBool(diff(tensor(current, [true, true, false, true]))))].map(Boolean)).toEqual([
    false,
    true,
    true,
  ]);
});

it('diff says what does not fit', () => {
  const x = tensor(device.current, [1, 2]);
  expect(() => diff(x, -1)).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: diff: times must be a whole number, 0 or more (-1); got x [2]]`,
  );
  expect(() => diff(x, 1, 1)).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: diff: axis 1 does not exist; got x [2]]`,
  );
});
