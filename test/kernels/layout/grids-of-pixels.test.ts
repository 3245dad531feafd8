import { describe, expect, it } from 'vitest';
import { meshgrid, pixelShuffle, pixelUnshuffle } from '../../../src/kernels/layout/index.ts';
import { outer, trace } from '../../../src/kernels/matmul/index.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { checkOp, type Ref, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

checkOp('trace', trace, {
  reference: ([x]) => {
    const { shape, data } = x as Ref;
    const [M, N] = shape.slice(-2) as [number, number];
    const count = Math.max(
      1,
      shape.slice(0, -2).reduce((a, b) => a * b, 1),
    );
    return ref(
      shape.slice(0, -2),
      Array.from({ length: count }, (_, n) => {
        let sum = 0;
        for (let i = 0; i < Math.min(M, N); i++) sum += data[n * M * N + i * N + i] as number;
        return sum;
      }),
    );
  },
  cases: [[[1, 1]], [[5, 3]], [[2, 3, 7]], [[0, 3]]],
});
checkOp('outer', outer, {
  reference: ([a, b]) =>
    ref(
      [a!.data.length, b!.data.length],
      [...a!.data].flatMap((x) => [...b!.data].map((y) => x * y)),
    ),
  cases: [
    [[5], [7]],
    [[0], [3]],
  ],
});

describe('grids and pixels', () => {
  const device = useDevice();
  const f32 = (values: number[], shape = [values.length]) => tensor(device.current, values, shape);

  it('have coordinates along each axis, or with the first two swapped', async () => {
    const lines = [f32([0, 1]), f32([5, 6, 7])];
    const [a, b] = meshgrid(lines) as [ReturnType<typeof f32>, ReturnType<typeof f32>];
    expect(a.shape).toEqual([2, 3]);
    expect([...(await read(a))]).toEqual([0, 0, 0, 1, 1, 1]);
    expect([...(await read(b))]).toEqual([5, 6, 7, 5, 6, 7]);
    const [x] = meshgrid([...lines, f32([9])], { indexing: 'xy' }) as [ReturnType<typeof f32>];
    expect(x.shape).toEqual([3, 2, 1]);
    expect([...(await read(x))]).toEqual([0, 1, 0, 1, 0, 1]);
    expect(meshgrid([])).toEqual([]);
    expect(() => meshgrid([f32([1, 2], [1, 2])])).toThrow(
      /^meshgrid: each line must have one axis; got line 0 \[1, 2\]/,
    );
    expect(() => meshgrid(lines, { indexing: 'yx' as never })).toThrow(/^meshgrid: indexing must be 'ij' or 'xy'/);
  });

  it('shuffle pixels there and back, channels last and first', async () => {
    const x = f32(
      Array.from({ length: 48 }, (_, i) => i),
      [1, 2, 3, 8],
    );
    const y = pixelShuffle(x, 2);
    expect(y.shape).toEqual([1, 4, 6, 2]);
    expect([...(await read(y))].slice(0, 6)).toEqual([0, 4, 1, 5, 8, 12]);
    expect([...(await read(pixelUnshuffle(y, 2)))]).toEqual([...(await read(x))]);
    const first = f32(
      Array.from({ length: 8 }, (_, i) => i),
      [1, 8, 1, 1],
    );
    expect([...(await read(pixelShuffle(first, 2, { channels: 'first' })))]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(() => pixelShuffle(x, 3)).toThrow(
      'pixelShuffle: the channels (8) must be a multiple of 3²; got x [1, 2, 3, 8]',
    );
    expect(() => pixelUnshuffle(x, 2)).toThrow(
      'pixelUnshuffle: height and width (2 and 3) must be multiples of 2; got x [1, 2, 3, 8]',
    );
    expect(() => pixelShuffle(x, 0)).toThrow('pixelShuffle: the factor must be a whole number above 0 (0)');
    expect(() => pixelShuffle(f32([1]), 2)).toThrow('pixelShuffle: x must be images, with four axes; got x [1]');
    expect(() => outer(x, f32([1]))).toThrow('outer: both must have one axis; got a [1, 2, 3, 8], b [1]');
    expect(() => trace(f32([1]))).toThrow('trace: x must have at least two axes; got x [1]');
  });
});
