import { expect, test } from 'vitest';
import { read, tensor } from '../../../src/index.ts';
import { averageWindows } from '../../../src/kernels/zeroseg/average-windows.ts';
import { close, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

test('is the mean over the windows that cover a pixel, and 0 where none does', async () => {
  const [maps, h, w, height, width] = [3, 4, 5, 9, 11];
  const corners = [
    [0, 0],
    [2, 3],
    [2, 3],
    [5, 6],
  ] as const;
  const uniform = seeded(1);
  const x = Float32Array.from({ length: corners.length * maps * h * w }, () => uniform() - 0.5);
  const expected = new Float64Array(maps * height * width);
  for (let k = 0; k < maps; k++) {
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const over = corners.flatMap(([top, left], n) => {
          const [y, at] = [row - top, column - left];
          return y >= 0 && y < h && at >= 0 && at < w ? [x[((n * maps + k) * h + y) * w + at] as number] : [];
        });
        const sum = over.reduce((a, b) => a + b, 0);
        expected[(k * height + row) * width + column] = over.length > 0 ? sum / over.length : 0;
      }
    }
  }
  const y = averageWindows(tensor(device.current, x, [corners.length, maps, h, w]), corners, height, width);
  expect(y.shape).toEqual([1, maps, height, width]);
  close(await read(y), expected, 1e-6, 'means');
});

test('refuses windows that stick out, and corners of other windows', () => {
  const x = tensor(device.current, new Float32Array(2 * 4), [2, 1, 2, 2]);
  expect(() => averageWindows(x, [[0, 0]], 4, 4)).toThrow(/a corner for each of W windows.*got 1 corners/);
  expect(() =>
    averageWindows(
      x,
      [
        [0, 0],
        [3, 0],
      ],
      4,
      4,
    ),
  ).toThrow(/inside of 4 × 4/);
});
