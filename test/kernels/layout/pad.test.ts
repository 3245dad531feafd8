import { describe, expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { arange, eye, fillLike, linspace, onesLike, zerosLike } from '../../../src/kernels/layout/made.ts';
import { flip, pad, roll } from '../../../src/kernels/layout/pad.ts';
import { tril, triu } from '../../../src/kernels/layout/triangle.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readU32 } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { size } from '../../../src/tensor/values/shape.ts';
import { checkOp, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';
import { indices, rearranged } from '../../support/rearranged.ts';

const device = useDevice();
const x = (...shape: number[]) =>
  tensor(
    device.current,
    Float32Array.from({ length: size(shape) }, (_, i) => i + 1),
    shape,
  );

/** The element that is shown at a place of a padded axis, by walking from there. */
const walks: Readonly<Record<string, (at: number, n: number) => number>> = {
  constant: (at) => at,
  edge: (at, n) => (at < 0 ? 0 : at >= n ? n - 1 : at),
  reflect: (at, n) => (at < 0 ? -at : at >= n ? 2 * (n - 1) - at : at),
};

for (const mode of ['constant', 'edge', 'reflect'] as const) {
  for (const [before, after] of [
    [1, 1],
    [0, 2],
    [3, 0],
  ] as const) {
    const widths = [[before, after], after] as const;
    checkOp(`pad ${mode} ${before} ${after}`, (x) => pad(x!, widths, { mode, value: mode === 'constant' ? -2.5 : 0 }), {
      reference: ([x]) => {
        const first = x!.shape.length - 2;
        const both = (i: number) => (i < first ? [0, 0] : i === first ? [before, after] : [after, after]);
        const shape = x!.shape.map((axis, i) => axis + both(i)[0]! + both(i)[1]!);
        return rearranged(x!, shape, (at) => at.map((one, i) => walks[mode]!(one - both(i)[0]!, x!.shape[i]!)), -2.5);
      },
      cases: [[[4, 5]], [[2, 3, 4, 17]], [[3, 65, 8]], [[0, 4, 4]]],
    });
  }
}

checkOp('pad of axes before the last', (x) => pad(x!, [[1, 2], 0, 0], { mode: 'edge' }), {
  reference: ([x]) =>
    rearranged(x!, [x!.shape[0]! + 3, x!.shape[1]!, x!.shape[2]!], ([i, j, k]) => [
      walks['edge']!(i! - 1, x!.shape[0]!),
      j!,
      k!,
    ]),
  cases: [[[3, 5, 4]], [[2, 3, 3]], [[1, 1, 1]]],
});

for (const axes of [undefined, 0, [-1, 1], [0, 1, 2]]) {
  checkOp(`flip ${axes}`, (x) => flip(x!, axes), {
    reference: ([x]) => {
      const turned = [axes ?? x!.shape.map((_, i) => i)]
        .flat()
        .map((axis) => (axis + x!.shape.length) % x!.shape.length);
      return rearranged(x!, x!.shape, (at) => at.map((one, i) => (turned.includes(i) ? x!.shape[i]! - 1 - one : one)));
    },
    cases: [[[2, 3, 5]], [[3, 65, 8]], [[1, 1, 1]], [[2, 0, 3]]],
  });
}

checkOp('flip of seven axes', (x) => flip(x!), {
  reference: ([x]) => rearranged(x!, x!.shape, (at) => at.map((one, i) => x!.shape[i]! - 1 - one)),
  cases: [[[2, 3, 2, 2, 2, 3, 2]]],
});

for (const [shift, axis] of [
  [1, 0],
  [-2, 1],
  [9, -1],
  [0, 0],
] as const) {
  checkOp(`roll ${shift} ${axis}`, (x) => roll(x!, shift, axis), {
    reference: ([x]) => {
      const at = (axis + 3) % 3;
      const n = x!.shape[at]!;
      return rearranged(x!, x!.shape, (place) =>
        place.map((one, i) => (i === at ? (((one - shift) % n) + n) % n : one)),
      );
    },
    cases: [[[2, 3, 5]], [[3, 65, 8]], [[1, 1, 1]], [[0, 2, 3]]],
  });
}

for (const diagonal of [0, 1, -2]) {
  for (const [name, op, keeps] of [
    ['tril', tril, (i: number, j: number) => j - i <= diagonal],
    ['triu', triu, (i: number, j: number) => j - i >= diagonal],
  ] as const) {
    checkOp(`${name} ${diagonal}`, (x) => op(x!, diagonal), {
      reference: ([x]) =>
        ref(
          x!.shape,
          x!.data.map((value, n) => {
            const [i, j] = indices(x!.shape, n).slice(-2) as [number, number];
            return keeps(i, j) ? value : 0;
          }),
        ),
      cases: [[[3, 3]], [[2, 5, 3]], [[2, 2, 3, 65]], [[0, 3]], [[3, 0]]],
    });
  }
}

describe('maps of axes', () => {
  it('take one launch, forwards and backwards, whatever the number of axes', async () => {
    using padded = await step(device.current, { x: [2, 3, 4, 5] }, ({ x }) => pad(x as Tensor, [1, 1, 2]));
    expect(padded.launches.length).toBe(1);
    using back = await step(device.current, { x: [2, 4, 5], dy: [2, 8, 9] }, ({ x, dy }) =>
      gradients(pad(x as Tensor, [2, 2], { mode: 'reflect' }), [x as Tensor], dy),
    );
    expect(back.launches.length).toBe(1);
  });

  it('have second derivatives', async () => {
    const [own, dy] = [x(3), x(7)];
    const [dx] = gradients(pad(own, [2], { mode: 'edge' }), [own], dy);
    expect([...(await read(dx))]).toEqual([6, 4, 18]);
    const [ddy] = gradients(dx, [dy], tensor(device.current, [2, 3, 4]));
    expect([...(await read(ddy))]).toEqual([2, 2, 2, 3, 4, 4, 4]);
  });

  it('move u32 as they are', async () => {
    const u = tensor(device.current, new Uint32Array([1, 0xffffffff, 0x7fc00001]), [3]);
    expect([...(await readU32(flip(u)))]).toEqual([0x7fc00001, 0xffffffff, 1]);
    expect([...(await readU32(pad(u, [[1, 0]], { value: 0xfffffffe })))]).toEqual([
      0xfffffffe, 1, 0xffffffff, 0x7fc00001,
    ]);
    expect([...(await readU32(tril(tensor(device.current, new Uint32Array([1, 2, 3, 4]), [2, 2]))))]).toEqual([
      1, 0, 3, 4,
    ]);
  });

  it('make something of nothing, where it is constant', async () => {
    expect([...(await read(pad(x(0), [2], { value: 7 })))]).toEqual([7, 7, 7, 7]);
    expect([...(await read(pad(x(), [])))]).toEqual([1]);
  });

  it('say what does not fit', () => {
    expect(() => pad(x(2, 3), [1, 1, 1])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: pad: widths are a list, one for each of the last axes; got 3 for 2 axes; got x [2, 3]]`,
    );
    expect(() => pad(x(2, 3), [-1])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: pad: the width of axis 1 must be [before, after], whole numbers, 0 or more; got x [2, 3]]`,
    );
    expect(() => pad(x(2, 3), [3], { mode: 'reflect' })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: pad: mode reflect of 3 and 3 needs an axis 1 of at least 4; got x [2, 3]]`,
    );
    expect(() => pad(x(2, 0), [1], { mode: 'edge' })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: pad: mode edge of 1 and 1 needs an axis 1 of at least 1; got x [2, 0]]`,
    );
    expect(() =>
      pad(tensor(device.current, new Uint32Array(2)), [1], { value: -1 }),
    ).toThrowErrorMatchingInlineSnapshot(`[ShapeError: pad: -1 is no value of u32; got x [2]]`);
    expect(() => flip(x(2, 3), 2)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: flip: axis 2 does not exist; got x [2, 3]]`,
    );
    expect(() => roll(x(2, 3), 0.5, 0)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: roll: the shift must be a whole number (0.5); got x [2, 3]]`,
    );
    expect(() => tril(x(2))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: tril: x must have at least two axes; got x [2]]`,
    );
    expect(() => triu(x(2, 2), Number.NaN)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: triu: the diagonal must be a whole number (NaN); got x [2, 2]]`,
    );
  });
});

describe('tensors that are made', () => {
  it('have the numbers of NumPy', async () => {
    const d = device.current;
    expect([...(await read(arange(d, 4)))]).toEqual([0, 1, 2, 3]);
    expect([...(await read(arange(d, 1, 2, 0.25)))]).toEqual([1, 1.25, 1.5, 1.75]);
    expect([...(await read(arange(d, 3, 0, -2)))]).toEqual([3, 1]);
    expect([...(await readU32(arange(d, 0, 6, 2, 'u32')))]).toEqual([0, 2, 4]);
    expect(arange(d, 0).shape).toEqual([0]);
    expect([...(await read(linspace(d, 0, 1, 5)))]).toEqual([0, 0.25, 0.5, 0.75, 1]);
    expect([...(await read(linspace(d, 0.1, 0.3, 4)))].at(-1)).toBe(Math.fround(0.3));
    expect([...(await read(linspace(d, 2, 3, 1)))]).toEqual([2]);
    expect([...(await read(eye(d, 2)))]).toEqual([1, 0, 0, 1]);
    expect([...(await read(eye(d, 2, 3, 1)))]).toEqual([0, 1, 0, 0, 0, 1]);
    expect([...(await read(eye(d, 3, 2, -1)))]).toEqual([0, 0, 1, 0, 0, 1]);
  });

  it('are like others', async () => {
    const u = tensor(device.current, new Uint32Array(2), [2, 1]);
    expect([...(await readU32(fillLike(u, 0xffffffff)))]).toEqual([0xffffffff, 0xffffffff]);
    expect([...(await read(fillLike(x(3), -2)))]).toEqual([-2, -2, -2]);
    expect([...(await read(fillLike(x(2), true)))]).toEqual([1, 1]);
    expect([...(await readU32(fillLike(u, false)))]).toEqual([0, 0]);
    expect([...(await read(onesLike(x(2))))]).toEqual([1, 1]);
    expect(String(zerosLike(u))).toBe('Tensor u32 [2, 1]');
  });

  it('say what does not lead anywhere', () => {
    expect(() => arange(device.current, 0, 3, -1)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: arange: steps of -1 do not lead from 0 to 3]`,
    );
    expect(() => arange(device.current, 0, 3, 0)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: arange: steps of 0 do not lead from 0 to 3]`,
    );
    // Less than one step: nothing would come of it, without a word.
    expect(() => arange(device.current, 0, 5, -7)).toThrow('arange: steps of -7 do not lead from 0 to 5');
    expect(() => arange(device.current, -0.5)).toThrow('arange: steps of 1 do not lead from 0 to -0.5');
    expect(() => linspace(device.current, 0, Number.NaN, 2)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: linspace: both ends must be finite (0 and NaN)]`,
    );
    expect(() => linspace(device.current, 0, 1, 1.5)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: linspace: axes must be whole numbers, 0 or more; got shape [1.5]]`,
    );
    expect(() => eye(device.current, -1)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: eye: axes must be whole numbers, 0 or more; got shape [-1, -1]]`,
    );
  });
});
