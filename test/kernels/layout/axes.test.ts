import { describe, expect, it } from 'vitest';
import {
  flatten,
  moveAxis,
  repeat,
  squeeze,
  stack,
  swapAxes,
  tile,
  unsqueeze,
} from '../../../src/kernels/layout/axes.ts';
import { slice } from '../../../src/kernels/layout/slice.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readU32 } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { type Shape, size } from '../../../src/tensor/values/shape.ts';
import { checkOp, type Ref, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';
import { rearranged } from '../../support/rearranged.ts';

const device = useDevice();
const x = (...shape: number[]) =>
  tensor(
    device.current,
    Float32Array.from({ length: size(shape) }, (_, i) => i),
    shape,
  );

describe('axes of 1, and axes that become one', () => {
  it('share bytes: nothing is launched', async () => {
    using free = await step(device.current, { x: [2, 1, 6] }, ({ x }) =>
      flatten(squeeze(unsqueeze(squeeze(x), -1), -1), 0),
    );
    expect(free.launches.length).toBe(0);
  });

  it('have the shapes of NumPy', () => {
    expect(squeeze(x(1, 3, 1, 2)).shape).toEqual([3, 2]);
    expect(squeeze(x(1, 3, 1, 2), 0).shape).toEqual([3, 1, 2]);
    expect(squeeze(x(1, 3, 1, 2), [0, -2]).shape).toEqual([3, 2]);
    expect(squeeze(x(1, 1)).shape).toEqual([]);
    expect(unsqueeze(x(3, 2), 0).shape).toEqual([1, 3, 2]);
    expect(unsqueeze(x(3, 2), 1).shape).toEqual([3, 1, 2]);
    expect(unsqueeze(x(3, 2), 2).shape).toEqual([3, 2, 1]);
    expect(unsqueeze(x(3, 2), -1).shape).toEqual([3, 2, 1]);
    expect(unsqueeze(x(3, 2), -3).shape).toEqual([1, 3, 2]);
    expect(unsqueeze(x(), -1).shape).toEqual([1]);
    expect(flatten(x(2, 3, 4)).shape).toEqual([24]);
    expect(flatten(x(2, 3, 4), 1).shape).toEqual([2, 12]);
    expect(flatten(x(2, 3, 4), 0, -2).shape).toEqual([6, 4]);
    expect(flatten(x()).shape).toEqual([1]);
    expect(swapAxes(x(2, 3, 4), 0, -1).shape).toEqual([4, 3, 2]);
    expect(moveAxis(x(2, 3, 4, 5), 1, -1).shape).toEqual([2, 4, 5, 3]);
    expect(moveAxis(x(2, 3, 4, 5), -1, 0).shape).toEqual([5, 2, 3, 4]);
  });

  it('say what does not fit', () => {
    expect(() => squeeze(x(1, 3), 1)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: squeeze: axis 1 must be 1 to be dropped; got x [1, 3]]`,
    );
    expect(() => unsqueeze(x(3, 2), 3)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: unsqueeze: axis 3 does not exist in a result of 3 axes; got x [3, 2]]`,
    );
    expect(() => flatten(x(3, 2), 1, 0)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: flatten: axis 0 lies before axis 1; got x [3, 2]]`,
    );
    expect(() => moveAxis(x(3, 2), 2, 0)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: moveAxis: axis 2 does not exist; got x [3, 2]]`,
    );
    expect(() => stack([])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: stack: give a list of at least one tensor, such as [a, b]]`,
    );
    expect(() => stack([x(2), x(3)])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: stack: all must have one shape; got x0 [2], x1 [3]]`,
    );
    expect(() => stack([x(2), tensor(device.current, new Uint32Array(2))])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: stack: all must have one dtype (f32 and u32); got x0 [2], x1 [2]]`,
    );
    expect(() => tile(x(2), [1.5])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: tile: counts must be whole numbers, 0 or more (1.5); got x [2]]`,
    );
    expect(() => repeat(x(2), -1, 0)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: repeat: counts must be whole numbers, 0 or more (-1); got x [2]]`,
    );
  });
});

checkOp('swapAxes', (x) => swapAxes(x!, 0, 2), {
  reference: ([x]) => rearranged(x!, [...x!.shape].reverse(), ([c, b, a]) => [a, b, c] as number[]),
  cases: [[[2, 3, 5]], [[4, 1, 17]], [[2, 0, 3]]],
});

checkOp('moveAxis', (x) => moveAxis(x!, 1, -1), {
  reference: ([x]) => {
    const [a, b, c, d] = x!.shape as [number, number, number, number];
    return rearranged(x!, [a, c, d, b], ([i, k, l, j]) => [i, j, k, l] as number[]);
  },
  cases: [[[2, 3, 5, 7]], [[1, 4, 8, 8]]],
});

for (const axis of [0, 1, -1]) {
  checkOp(`stack on axis ${axis}`, (...xs) => stack(xs, axis), {
    reference: (xs) => {
      const [first] = xs as [Ref];
      const at = axis < 0 ? axis + first.shape.length + 1 : axis;
      const shape = first.shape.toSpliced(at, 0, xs.length);
      const all = ref(
        [xs.length, ...first.shape],
        xs.flatMap((x) => [...x.data]),
      );
      return rearranged(all, shape, (place) => [place[at] as number, ...place.toSpliced(at, 1)]);
    },
    cases: [
      [
        [2, 3],
        [2, 3],
        [2, 3],
      ],
      [[17]],
      Array.from({ length: 9 }, () => [2, 5]),
      [
        [0, 3],
        [0, 3],
      ],
    ],
  });
}

for (const counts of [[3], [2, 1], [2, 1, 3], [1, 1], [0, 2]]) {
  checkOp(`tile ${counts}`, (x) => tile(x!, counts), {
    reference: ([x]) => {
      const rank = Math.max(counts.length, x!.shape.length);
      const full = (list: Shape) => [...Array<number>(rank - list.length).fill(1), ...list];
      const [from, times] = [full(x!.shape), full(counts)];
      return rearranged(
        ref(from, x!.data),
        from.map((axis, i) => axis * (times[i] as number)),
        (at) => at.map((one, i) => one % (from[i] as number)),
      );
    },
    cases: [[[2, 3]], [[5]], [[2, 17, 5]], [[0, 3]], [[]]],
  });
}

checkOp('tile along four axes', (x) => tile(x!, [2, 3, 2, 2]), {
  reference: ([x]) =>
    rearranged(
      x!,
      x!.shape.map((axis, i) => axis * ([2, 3, 2, 2][i] as number)),
      (at) => at.map((one, i) => one % (x!.shape[i] as number)),
    ),
  cases: [[[2, 3, 4, 5]]],
});

for (const [count, axis] of [
  [3, 0],
  [2, -1],
  [1, 1],
  [0, 1],
] as const) {
  checkOp(`repeat ${count} ${axis}`, (x) => repeat(x!, count, axis), {
    reference: ([x]) => {
      const at = axis < 0 ? axis + x!.shape.length : axis;
      return rearranged(
        x!,
        x!.shape.map((one, i) => (i === at ? one * count : one)),
        (place) => place.map((one, i) => (i === at ? Math.floor(one / count) : one)),
      );
    },
    cases: [[[2, 3]], [[3, 17, 5]], [[0, 3]]],
  });
}

for (const [axis, start, end, step] of [
  [0, 0, undefined, 2],
  [1, 1, undefined, 3],
  [1, -3, -1, 1],
  [1, -4, undefined, 2],
  [-1, 0, 4, 4],
  [2, 3, 3, 2],
] as const) {
  checkOp(`slice ${axis} from ${start} to ${end} by ${step}`, (x) => slice(x!, axis, start, end, step), {
    reference: ([x]) => {
      const at = axis < 0 ? axis + 3 : axis;
      const chosen = Array.from({ length: x!.shape[at] as number }, (_, i) => i)
        .slice(start, end)
        .filter((_, i) => i % step === 0);
      return rearranged(
        x!,
        x!.shape.map((one, i) => (i === at ? chosen.length : one)),
        (place) => place.map((one, i) => (i === at ? (chosen[one] as number) : one)),
      );
    },
    cases: [[[5, 7, 5]], [[3, 6, 8]], [[1, 65, 12]]],
  });
}

describe('layout of u32 tensors, by axes', () => {
  it('moves them as they are', async () => {
    const u = tensor(device.current, new Uint32Array([1, 0xffffffff, 0x7fc00001]), [3]);
    expect([...(await readU32(stack([u, u], 1)))]).toEqual([1, 1, 0xffffffff, 0xffffffff, 0x7fc00001, 0x7fc00001]);
    expect([...(await readU32(slice(u, 0, 0, undefined, 2)))]).toEqual([1, 0x7fc00001]);
    expect([...(await readU32(tile(u, [2])))]).toEqual([1, 0xffffffff, 0x7fc00001, 1, 0xffffffff, 0x7fc00001]);
  });
});

describe('steps of slices', () => {
  it('take one launch', async () => {
    using strided = await step(device.current, { x: [2, 9, 6] }, ({ x }) => slice(x as Tensor, 1, 1, 8, 3));
    expect(strided.launches.length).toBe(1);
    expect([...(await read(slice(x(7), 0, 1, undefined, 3)))]).toEqual([1, 4]);
  });

  it('are whole numbers above 0', () => {
    expect(() => slice(x(4), 0, 0, 4, 0)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: slice: the step must be a whole number above 0 (0); got x [4]]`,
    );
    expect(() => slice(x(4), 0, -5)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: slice: -5 to 4 is no range of axis 0 (length 4); got x [4]]`,
    );
    expect(() => slice(x(4), 0, 0, -5)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: slice: 0 to -5 is no range of axis 0 (length 4); got x [4]]`,
    );
  });
});
