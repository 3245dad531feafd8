import { describe, expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { interpolate } from '../../../src/kernels/layout/resize.ts';
import { slice } from '../../../src/kernels/layout/slice.ts';
import {
  type AvgPoolOptions,
  adaptiveAvgPool2d,
  adaptiveMaxPool2d,
  avgPool1d,
  avgPool2d,
  maxPool1d,
  maxPool2d,
  type Pair,
} from '../../../src/kernels/spatial/index.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { type Shape, size } from '../../../src/tensor/values/shape.ts';
import { checkOp, type Ref, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';
import { indices } from '../../support/rearranged.ts';

type Options = AvgPoolOptions;
const both = (pair: Pair): readonly [number, number] => (typeof pair === 'number' ? [pair, pair] : pair);

const device = useDevice();
const zeros = (...shape: number[]) => tensor(device.current, new Float32Array(size(shape)), shape);

/** A value of each window and channel, from what it has inside of the image. Windows are [from, to) along both sides. */
function refPool(
  x: Ref,
  isFirst: boolean,
  rows: readonly (readonly [number, number])[],
  cols: readonly (readonly [number, number])[],
  value: (inside: readonly number[], rows: readonly [number, number], cols: readonly [number, number]) => number,
): Ref {
  const [batch, second, third, fourth] = x.shape as [number, number, number, number];
  const [height, across] = isFirst ? [third, fourth] : [second, third];
  const shape = isFirst ? [batch, second, rows.length, cols.length] : [batch, rows.length, cols.length, fourth];
  const data = Array.from({ length: size(shape) }, (_, n) => {
    const at = indices(shape, n);
    const [b, i, j, c] = (isFirst ? [at[0], at[2], at[3], at[1]] : at) as [number, number, number, number];
    const inside: number[] = [];
    for (let row = rows[i]![0]; row < rows[i]![1]; row++)
      for (let col = cols[j]![0]; col < cols[j]![1]; col++) {
        if (row < 0 || row >= height || col < 0 || col >= across) continue;
        const place = isFirst
          ? ((b * second + c) * height + row) * across + col
          : ((b * height + row) * across + col) * fourth + c;
        inside.push(x.data[place] as number);
      }
    return value(inside, rows[i]!, cols[j]!);
  });
  return ref(shape, data);
}

function windowsOf(
  length: number,
  window: number,
  {
    stride = window,
    padding = 0,
    ceilMode = false,
  }: { readonly stride?: number; readonly padding?: number; readonly ceilMode?: boolean },
): [number, number][] {
  let count = Math[ceilMode ? 'ceil' : 'floor']((length + 2 * padding - window) / stride) + 1;
  // As PyTorch has it: none begins in the padding at the end.
  if (ceilMode && (count - 1) * stride >= length + padding) count--;
  return Array.from({ length: count }, (_, i) => [i * stride - padding, i * stride - padding + window]);
}

/** All different, by more than the steps of differences. */
const different = (_: number, i: number): number => ((i * 7919) % 10007) / 1000 - 5;
const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;

const table: readonly (readonly [window: number | readonly [number, number], options: Options, ...Shape[]])[] = [
  [2, {}, [2, 4, 6, 3], [1, 5, 7, 4], [1, 2, 2, 1], [0, 4, 4, 3], [2, 4, 4, 0]],
  [3, { stride: 2, padding: 1 }, [2, 7, 6, 5], [1, 1, 1, 65], [1, 9, 8, 8]],
  [3, { stride: 1 }, [1, 6, 5, 2]],
  [[1, 3], { stride: 2 }, [2, 4, 7, 3]],
  [[2, 3], {}, [2, 5, 7, 3]],
  [[3, 2], { stride: [2, 1], padding: [0, 1] }, [2, 6, 4, 3]],
  [2, { channels: 'first' }, [2, 3, 4, 6], [1, 17, 5, 7]],
  [3, { stride: 2, padding: 1, channels: 'first' }, [2, 3, 7, 8]],
  [2, { ceilMode: true }, [1, 5, 4, 3], [1, 3, 7, 2]],
  // Not even one window is whole.
  [3, { stride: 2, ceilMode: true }, [1, 2, 5, 3]],
  [3, { stride: 3, padding: 1, ceilMode: true }, [1, 6, 7, 3], [1, 5, 8, 2]],
];
for (const [window, options, ...shapes] of table) {
  const [high, wide] = [window].flat() as [number, number];
  const isFirst = options.channels === 'first';
  const sides = (x: Ref) => (isFirst ? [x.shape[2]!, x.shape[3]!] : [x.shape[1]!, x.shape[2]!]) as [number, number];
  const along = (x: Ref, axis: 0 | 1, length: number) =>
    windowsOf(sides(x)[axis], length, {
      stride: options.stride === undefined ? length : both(options.stride)[axis],
      padding: both(options.padding ?? 0)[axis],
      ceilMode: options.ceilMode ?? false,
    });
  /** How many places of a window the image and its padding have. */
  const counted = (x: Ref, axis: 0 | 1, [from, to]: readonly [number, number]) =>
    Math.min(to, sides(x)[axis] + both(options.padding ?? 0)[axis]) - from;
  const windows = (x: Ref) => [along(x, 0, high), along(x, 1, wide ?? high)] as const;
  const name = `${window} ${JSON.stringify(options)}`;

  checkOp(`maxPool2d ${name}`, (x) => maxPool2d(x!, window, options), {
    reference: ([x]) => refPool(x!, isFirst, ...windows(x!), (inside) => Math.max(...inside)),
    cases: shapes.map((shape) => [shape]),
    values: different,
  });
  checkOp(`avgPool2d ${name}`, (x) => avgPool2d(x!, window, options), {
    reference: ([x]) =>
      refPool(
        x!,
        isFirst,
        ...windows(x!),
        (inside, rows, cols) => inside.reduce((a, b) => a + b, 0) / (counted(x!, 0, rows) * counted(x!, 1, cols)),
      ),
    cases: shapes.map((shape) => [shape]),
  });
  checkOp(`avgPool2d ${name}, padding left out`, (x) => avgPool2d(x!, window, { ...options, countPadding: false }), {
    reference: ([x]) => refPool(x!, isFirst, ...windows(x!), mean),
    cases: shapes.map((shape) => [shape]),
  });
}

for (const [height, width, channels] of [
  [1, 1, 'last'],
  [3, 2, 'last'],
  [7, 7, 'last'],
  [1, 1, 'first'],
  [2, 5, 'first'],
] as const) {
  for (const [name, op, value] of [
    ['adaptiveAvgPool2d', adaptiveAvgPool2d, mean],
    ['adaptiveMaxPool2d', adaptiveMaxPool2d, (inside: readonly number[]) => Math.max(...inside)],
  ] as const) {
    checkOp(`${name} ${height} ${width} ${channels}`, (x) => op(x!, height, width, { channels }), {
      reference: ([x]) => {
        const isFirst = channels === 'first';
        const along = (count: number, axis: number) =>
          Array.from(
            { length: count },
            (_, i) => [Math.floor((i * axis) / count), Math.ceil(((i + 1) * axis) / count)] as const,
          );
        const [h, w] = isFirst ? [x!.shape[2]!, x!.shape[3]!] : [x!.shape[1]!, x!.shape[2]!];
        return refPool(x!, isFirst, along(height, h), along(width, w), value);
      },
      cases: [[[2, 7, 5, 3]], [[1, 4, 4, 8]], [[0, 3, 3, 3]]],
      values: different,
    });
  }
}

for (const channels of ['first', 'last'] as const) {
  const lined = (x: Ref) => ref(x.shape.toSpliced(channels === 'first' ? 2 : 1, 0, 1), x.data);
  const narrowed = (y: Ref) => ref(y.shape.toSpliced(channels === 'first' ? 2 : 1, 1), y.data);
  for (const [name, op, value] of [
    ['maxPool1d', maxPool1d, (inside: readonly number[]) => Math.max(...inside)],
    ['avgPool1d', avgPool1d, (inside: readonly number[]) => inside.reduce((a, b) => a + b, 0) / 3],
  ] as const) {
    checkOp(`${name}, channels ${channels}`, (x) => op(x!, 3, { stride: 2, padding: 1, channels }), {
      reference: ([x]) => {
        const length = x!.shape[channels === 'first' ? 2 : 1] as number;
        return narrowed(
          refPool(lined(x!), channels === 'first', [[0, 1]], windowsOf(length, 3, { stride: 2, padding: 1 }), value),
        );
      },
      cases: [[[2, 7, 6]]],
      values: different,
    });
  }
}

/** Windows with gaps: what a window of rows and columns would have, less what lies in its gaps. */
checkOp('maxPool2d, dilated', (x) => maxPool2d(x!, [2, 3], { dilation: [3, 2], stride: [1, 2], padding: 1 }), {
  reference: ([x]) => {
    const [batch, height, across, channels] = x!.shape as [number, number, number, number];
    const [rows, cols] = [height + 2 - 3, Math.floor((across + 2 - 5) / 2) + 1];
    const shape = [batch, rows, cols, channels];
    const data = Array.from({ length: size(shape) }, (_, n) => {
      const [b, i, j, c] = indices(shape, n) as [number, number, number, number];
      let best = Number.NEGATIVE_INFINITY;
      for (let u = 0; u < 2; u++)
        for (let v = 0; v < 3; v++) {
          const [row, col] = [i + 3 * u - 1, 2 * j + 2 * v - 1];
          if (row < 0 || row >= height || col < 0 || col >= across) continue;
          best = Math.max(best, x!.data[((b * height + row) * across + col) * channels + c]!);
        }
      return best;
    });
    return ref(shape, data);
  },
  cases: [[[2, 6, 7, 3]], [[1, 4, 5, 4]]],
  values: different,
});

describe('maxPool2d', () => {
  it('gives the gradient to the first of equal maxima, line by line', async () => {
    const x = tensor(device.current, [1, 2, 2, 2], [1, 2, 2, 1]);
    const [dx] = gradients(maxPool2d(x, 2), [x], tensor(device.current, [5], [1, 1, 1, 1]));
    expect([...(await read(dx))]).toEqual([0, 5, 0, 0]);
  });

  it('takes what lies below all zeros of a padding', async () => {
    const x = tensor(device.current, [-3, -2, -4, -5], [1, 2, 2, 1]);
    expect([...(await read(maxPool2d(x, 3, { stride: 1, padding: 1 })))]).toEqual([-2, -2, -2, -2]);
  });

  it('takes one launch, and one backwards; averages take two', async () => {
    const dy = [1, 2, 2, 3];
    using max = await step(device.current, { x: [1, 4, 4, 3], dy }, ({ x, dy }) => gradients(maxPool2d(x, 2), [x], dy));
    expect(max.launches.length).toBe(2);
    using mean = await step(device.current, { x: [1, 4, 4, 3], dy }, ({ x, dy }) =>
      gradients(avgPool2d(x, 2), [x], dy),
    );
    expect(mean.launches.length).toBe(2);
  });

  it('and others say what does not fit', () => {
    const x = zeros(1, 4, 4, 3);
    expect(() => maxPool2d(zeros(4, 4, 3), 2)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: maxPool2d: x must be [B, H, W, C], with pixels; got x [4, 4, 3]]`,
    );
    expect(() => maxPool2d(x, 5)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: maxPool2d: a window of 5 × 5 does not fit, with padding 0; got x [1, 4, 4, 3]]`,
    );
    expect(() => maxPool2d(x, 2, { padding: 2 })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: maxPool2d: the padding must be at most half of the window (2 of 2 × 2); got x [1, 4, 4, 3]]`,
    );
    expect(() => maxPool2d(x, [2, 0])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: maxPool2d: the window must be a whole number above 0, or two of them, [down, across] ([2, 0]); got x [1, 4, 4, 3]]`,
    );
    expect(() => maxPool2d(x, [2, 3], { padding: [0, 2] })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: maxPool2d: the padding must be at most half of the window (0 and 2 of 2 × 3); got x [1, 4, 4, 3]]`,
    );
    expect(() => maxPool2d(x, 3, { dilation: [1, 2] })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: maxPool2d: a window of 3 × 3, dilated by 1 and 2 does not fit, with padding 0; got x [1, 4, 4, 3]]`,
    );
    expect(() => maxPool2d(x, 2, { dilation: 5, padding: 1 })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: maxPool2d: a window dilated by 5 has no pixel of the image; got x [1, 4, 4, 3]]`,
    );
    const over = { dilation: [5, 1], padding: 1, stride: [8, 1], ceilMode: true } as const;
    expect(() => maxPool2d(slice(x, 1, 0, 2), 3, over)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: maxPool2d: a window dilated by 5 and 1 has no pixel of the image; got x [1, 2, 4, 3]]`,
    );
    expect(() => maxPool2d(slice(x, 1, 0, 1), 4, { stride: 2, ceilMode: true })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: maxPool2d: a window of 4 × 4 does not fit, with padding 0; got x [1, 1, 4, 3]]`,
    );
    expect(() => avgPool2d(x, 0)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: avgPool2d: the window must be a whole number above 0 (0); got x [1, 4, 4, 3]]`,
    );
    expect(() => avgPool2d(x, 2, { stride: 0.5 })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: avgPool2d: the stride must be a whole number above 0 (0.5); got x [1, 4, 4, 3]]`,
    );
    expect(() => adaptiveAvgPool2d(x, 0, 1)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: adaptiveAvgPool2d: the height must be a whole number above 0 (0); got x [1, 4, 4, 3]]`,
    );
    expect(() => adaptiveAvgPool2d(zeros(1, 0, 3, 2), 1, 1)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: adaptiveAvgPool2d: x must be [B, H, W, C], with pixels; got x [1, 0, 3, 2]]`,
    );
    expect(() => adaptiveMaxPool2d(x, 2, 0.5)).toThrow(
      'adaptiveMaxPool2d: the width must be a whole number above 0 (0.5); got x [1, 4, 4, 3]',
    );
    expect(() => maxPool1d(x, 2)).toThrow('maxPool1d: x must be [B, L, C]; got x [1, 4, 4, 3]');
    expect(() => avgPool1d(zeros(1, 4, 3), 2, { padding: 2 })).toThrow(
      'avgPool2d: the padding must be at most half of the window (0 and 2 of 1 × 2); got x [1, 1, 4, 3]',
    );
    expect(maxPool1d(zeros(2, 9, 3), 2).shape).toEqual([2, 4, 3]);
    expect(() =>
      interpolate(x, 2, 2, { mode: 'nearest', channels: 'first', alignCorners: true }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: interpolate: nearest has neither antialias nor alignCorners; got x [1, 4, 4, 3]]`,
    );
  });
});

for (const [height, width] of [
  [8, 10],
  [3, 2],
  [4, 7],
] as const) {
  checkOp(
    `interpolate nearest to ${height} × ${width}`,
    (x) => interpolate(x!, height, width, { mode: 'nearest', channels: 'first' }),
    {
      reference: ([x]) => {
        const [batch, channels, rows, cols] = x!.shape as [number, number, number, number];
        const shape = [batch, channels, height, width];
        const data = Array.from({ length: size(shape) }, (_, n) => {
          const [b, c, i, j] = indices(shape, n) as [number, number, number, number];
          const [row, col] = [Math.floor((i * rows) / height), Math.floor((j * cols) / width)];
          return x!.data[((b * channels + c) * rows + row) * cols + col] as number;
        });
        return ref(shape, data);
      },
      cases: [[[2, 3, 4, 5]], [[1, 1, 1, 1]], [[1, 2, 7, 8]]],
    },
  );
}
