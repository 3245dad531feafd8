import { describe, expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { distill, type SegmentMatchOptions, segmentMatch } from '../../../src/kernels/zeroseg/segment-match.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll, readU32 } from '../../../src/tensor/run/read.ts';
import { checkOp, close, normal, type Ref, ref, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

/** `|a_row - b_row|`, rows of C features. */
function distance(a: Ref, rowOfA: number, b: Ref, rowOfB: number, features: 'mean' | 'sum'): number {
  const C = a.shape.at(-1) as number;
  let sum = 0;
  for (let c = 0; c < C; c++) sum += Math.abs((a.data[rowOfA * C + c] as number) - (b.data[rowOfB * C + c] as number));
  return features === 'mean' ? sum / C : sum;
}

/** Distances of every segment to every view of its image. */
function distances(segments: Ref, views: Ref, features: 'mean' | 'sum'): number[][] {
  const [B, S] = segments.shape as [number, number, number];
  const V = views.shape[1] as number;
  return Array.from({ length: B * S }, (_, row) =>
    Array.from({ length: V }, (_, v) => distance(segments, row, views, Math.floor(row / S) * V + v, features)),
  );
}

for (const features of ['mean', 'sum'] as const) {
  checkOp(`distill ${features}`, (z, views) => distill(z, views, { features }), {
    reference: ([z, views]) => {
      const all = distances(ref([z!.shape[0]!, 1, z!.shape[1]!], z!.data), views!, features).flat();
      return ref([], [all.reduce((a, b) => a + b, 0) / all.length]);
    },
    // z between the views, never within a difference of one.
    values: (input, i, random) => (input === 0 ? random() : (i % 3 ? 1.5 : -1.5) + random()),
    cases: [
      [
        [1, 1],
        [1, 1, 1],
      ],
      [
        [3, 17],
        [3, 5, 17],
      ],
      [
        [2, 65],
        [2, 30, 65],
      ],
      [
        [2, 768],
        [2, 30, 768],
      ],
    ],
  });

  for (const over of ['mean', 'sum'] as const) {
    const options: SegmentMatchOptions = { features, segments: over };
    checkOp(`segmentMatch ${features} ${over}`, (g, v) => segmentMatch(g, v, options).loss, {
      reference: ([segments, views]) => {
        const near = distances(segments!, views!, features).map((row) => Math.min(...row));
        const [B, S] = segments!.shape as [number, number, number];
        return ref([], [near.reduce((a, b) => a + b, 0) / (over === 'mean' ? B * S : B)]);
      },
      values: (input, i, random) => (input === 0 ? random() : (i % 5 ? 1.1 : -1.1) + 0.1 * normal(random)),
      cases: [
        [
          [1, 1, 1],
          [1, 1, 1],
        ],
        [
          [2, 3, 17],
          [2, 5, 17],
        ],
        [
          [1, 8, 65],
          [1, 9, 65],
        ],
        [
          [2, 8, 768],
          [2, 29, 768],
        ],
        [
          [3, 2, 20],
          [3, 70, 20],
        ],
      ],
    });
  }
}

describe('segmentMatch', () => {
  it('takes the first of equally near views and has no slope where both are equal', async () => {
    const segments = tensor(device.current, [0, 0, 5, 5, 1, 9], [1, 3, 2]);
    const views = tensor(device.current, [7, 7, 1, 0, 0, 1, 1, 0, 5, 5], [1, 5, 2]);
    const { loss, index, distance } = segmentMatch(segments, views, { features: 'sum', distances: true });
    expect([...(await readU32(index))]).toEqual([1, 4, 0]);
    expect(distance?.shape).toEqual([1, 3, 5]);
    expect([...(await read(distance as Tensor))]).toEqual([14, 1, 1, 1, 10, 4, 9, 9, 9, 0, 8, 9, 9, 9, 8]);
    const [dSegments, dViews] = await readAll(gradients(loss, [segments, views]));
    expect([...(dSegments ?? [])]).toEqual([-1, 0, 0, 0, -1, 1]);
    expect([...(dViews ?? [])]).toEqual([1, -1, 1, 0, 0, 0, 0, 0, 0, 0]);
  });

  it('measures all views, and takes the same ones as float64', async () => {
    const random = seeded(5);
    const make = (shape: readonly number[]) =>
      ref(
        shape,
        Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => normal(random)),
      );
    const [g, v] = [make([3, 8, 100]), make([3, 29, 100])];
    const all = distances(g, v, 'mean');
    const on = (x: Ref) => tensor(device.current, Float32Array.from(x.data), x.shape);
    const { index, distance } = segmentMatch(on(g), on(v), { distances: true });
    close(await read(distance as Tensor), all.flat(), 1e-6, 'distances');
    expect([...(await readU32(index))]).toEqual(all.map((row) => row.indexOf(Math.min(...row))));
  });

  it('shows a value that is not a number', async () => {
    const segments = tensor(device.current, [Number.NaN, 1], [1, 1, 2]);
    const views = tensor(device.current, new Float32Array(18), [1, 9, 2]);
    expect([...(await read(segmentMatch(segments, views).loss))]).toEqual([Number.NaN]);
  });

  it('is 0 without views or images', async () => {
    const segments = tensor(device.current, [1, 2], [1, 1, 2]);
    const { loss, index, distance } = segmentMatch(segments, tensor(device.current, [], [1, 0, 2]), {
      distances: true,
    });
    expect([...(await read(loss))]).toEqual([0]);
    expect(index.shape).toEqual([1, 1]);
    expect(distance?.shape).toEqual([1, 1, 0]);
    const [d] = gradients(loss, [segments]);
    expect([...(await read(d))]).toEqual([0, 0]);
    const none = segmentMatch(tensor(device.current, [], [0, 8, 4]), tensor(device.current, [], [0, 29, 4]));
    expect([...(await read(none.loss))]).toEqual([0]);
    expect([
      ...(await read(distill(tensor(device.current, [1], [1, 1]), tensor(device.current, [], [1, 0, 1])))),
    ]).toEqual([0]);
  });

  it('says which shapes it wants', () => {
    const [a, b] = [
      tensor(device.current, new Float32Array(6), [1, 2, 3]),
      tensor(device.current, new Float32Array(8), [1, 2, 4]),
    ];
    expect(() => segmentMatch(a, b)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: segmentMatch: segments must be [B, S, C] and views [B, V, C]; got segments [1, 2, 3], views [1, 2, 4]]`,
    );
    expect(() => distill(a, b)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: distill: z must be [B, C] and views [B, V, C]; got z [1, 2, 3], views [1, 2, 4]]`,
    );
  });
});
